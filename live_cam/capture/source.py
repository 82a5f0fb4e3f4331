"""The interface of every source of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from live_cam.frame import Frame


class Source(Protocol):
    """A source of frames. Constructing it opens it; whoever opens it closes it.

    One thread calls `read`. Another thread may call `close` during a `read`, which then returns
    None as soon as the backend returns.
    """

    @property
    def name(self) -> str:
        """Display name: `camera 0`, `clip.mp4`, `demo`."""

    @property
    def description(self) -> str:
        """What the source actually delivers: `1280×720 MJPG at 30 fps`."""

    @property
    def live(self) -> bool:
        """Whether frames arrive at their own pace (camera, stream) and unread ones are lost.

        Otherwise `read` returns as fast as it can, and the caller paces by the timestamps.
        """

    @property
    def trouble(self) -> str | None:
        """The current problem in a few words, for display on the image, or None."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end or after `close`.

        Raises:
            CaptureError: The source was lost, or its content cannot be decoded.
        """

    def close(self) -> None:
        """Release the device or file. May be called twice, and from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

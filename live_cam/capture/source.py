"""What every source of frames is, whatever it reads from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from live_cam.frame import Frame


class Source(Protocol):
    """Where frames come from. Opened when made; whoever made it closes it.

    `read` is called by one thread. `close` may be called by another one while a `read` is under
    way: that `read` then returns None as soon as its backend lets go.
    """

    @property
    def name(self) -> str:
        """What the user knows it as: `camera 0`, `clip.mp4`, `demo`."""

    @property
    def description(self) -> str:
        """What it really gives: `1280×720 MJPG at 30 fps`."""

    @property
    def live(self) -> bool:
        """Whether frames come at their own pace (camera, stream) and what is not read is lost.

        Otherwise `read` returns as fast as it can, and the caller paces by the timestamps.
        """

    @property
    def trouble(self) -> str | None:
        """What is wrong with it just now, in a few words for the image; None: nothing."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end or after `close`.

        Raises:
            CaptureError: The source was lost, or what it holds cannot be decoded.
        """

    def close(self) -> None:
        """Let go of the device or file. May be called twice, and from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

"""The recording of a run: begun and ended by `--record` and by a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.closing import Closing
from live_cam.outputs import free_path, timed_path
from live_cam.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.settings import Settings
    from live_cam.status import Confirmation


class Recording(Closing):
    """Records the finished pictures while the user wants it, each time to a file of its own."""

    def __init__(
        self, settings: Settings, say: Callable[[str], None], confirmation: Confirmation
    ) -> None:
        """Take the settings; nothing is recorded yet.

        Args:
            settings: Where to record to, and how.
            say: Told what the user must know, a sentence a call.
            confirmation: Where what was done is said on the picture.
        """
        self._settings = settings
        self._say = say
        self._confirmation = confirmation
        self._recorder: Recorder | None = None

    @property
    def running(self) -> bool:
        """Whether pictures are being recorded."""
        return self._recorder is not None

    @property
    def seconds(self) -> float | None:
        """How long the recording plays so far; None: nothing is being recorded."""
        return self._recorder.seconds if self._recorder else None

    def start(self, path: Path | None = None) -> None:
        """Begin a recording.

        Args:
            path: The file; None: one that does not exist yet, named as `--record` says or by the
                time.

        Raises:
            UsageError: The file cannot be created.
        """
        settings = self._settings
        if path is None:
            path = free_path(settings.record) if settings.record else timed_path(".mp4")
        self._recorder = Recorder(path, overwrite=settings.overwrite, wait=settings.every_frame)
        self._confirmation.say(f"recording {path.name}")

    def write(self, picture: NDArray[np.uint8], timestamp: float) -> None:
        """Record a picture, if there is a recording.

        Args:
            picture: H×W×3 uint8, BGR.
            timestamp: When it is shown, in seconds of any clock.

        Raises:
            RecordingError: The pictures before could not be encoded or written.
        """
        if self._recorder:
            self._recorder.write(picture, timestamp)

    def close(self) -> None:
        """End the recording, if there is one, and say what it holds.

        Raises:
            RecordingError: It could not be written to its end.
        """
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.close()
        text = f"recorded {recorder.path}: {recorder.frames} pictures, {recorder.seconds:.1f} s"
        if recorder.dropped:
            text += f" ({recorder.dropped} more were dropped: the encoder was too slow)"
        self._say(text if recorder.frames else f"nothing was recorded to {recorder.path}")
        self._confirmation.say(f"saved {recorder.path.name}")

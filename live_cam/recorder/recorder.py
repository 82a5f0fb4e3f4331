"""The recorder: takes pictures without waiting, and encodes them in a thread of its own."""

from __future__ import annotations

import atexit
import contextlib
import math
import queue
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from live_cam.errors import RecordingError, UsageError
from live_cam.outputs import OutputFile, recording_error
from live_cam.recorder.template import codec_of, holds
from live_cam.recorder.video import FORMATS, VideoFile
from live_cam.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from live_cam.recorder.template import SoundPacket, Template
    from live_cam.recorder.video import VideoFormat

_POLL = 0.1
_CLOSING_PATIENCE = 60.0
_QUEUE_BYTES = 64 * 2**20
_QUEUE_PICTURES = (2, 32)


class Recorder:
    """Records pictures to an H.264 video that plays at real speed and survives a crash.

    Pictures may come at any rate: each is shown at its own timestamp. What was written more than
    about a second ago plays even after the process was killed. The first picture's size is the
    video's; pictures of other sizes are fitted into it.

    Attributes:
        path: The video file.
        dropped: How many pictures were left out because the encoder was too slow.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        wait: bool = False,
        template: Template | None = None,
    ) -> None:
        """Create the file; without a single picture it is removed again on closing.

        Args:
            path: The video file: `.mp4`, `.mov`, `.mkv` or `.avi`.
            overwrite: Whether an existing file may be written over. It keeps its contents until
                the first picture is encoded.
            wait: Whether `write` waits for a slow encoder instead of dropping the picture.
            template: The video that is recorded anew: timestamps are on its clock, and its sound
                may be copied. None: the first picture's timestamp is the start of the recording.

        Raises:
            UsageError: The name has another ending, or one of a format that cannot hold the
                template's times or sound; the file exists and `overwrite` is not set, its folder
                is missing, or it cannot be created.
        """
        video_format = _format_of(path, template)
        self.path = path
        self.dropped = 0
        self._wait = wait
        self._rate = 1 / template.time_base if template else video_format.rate
        self._file = OutputFile(path, overwrite=overwrite)
        self._video = VideoFile(self._file, video_format, template)
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._worker: Worker | None = None
        self._origin: float | Fraction | None = 0 if template else None
        self._ticks: int | None = None
        self._closed = False
        atexit.register(self.close)

    @property
    def codec(self) -> str | None:
        """FFmpeg's name of the encoder in use; None before the first picture is encoded."""
        return self._video.codec

    @property
    def frames(self) -> int:
        """How many pictures are in the video. Those that still wait are not, before `close`."""
        return self._video.frames

    @property
    def seconds(self) -> float:
        """How long the video plays so far."""
        return self._video.seconds

    def write(
        self,
        picture: NDArray[np.uint8],
        timestamp: float | Fraction,
        duration: float | Fraction = 0,
    ) -> None:
        """Take a picture; it is copied, and encoded later in another thread.

        A picture whose timestamp is not greater than the one before is the same picture, and is
        ignored. (So are two in the same 1/120 s of an AVI file, which knows no finer times.)

        Args:
            picture: H×W×3 uint8, BGR, of any size.
            timestamp: When it is shown, in seconds: of the template's clock, or of one with any
                origin.
            duration: For how many seconds, until the next picture's time corrects it; 0: as long
                as the one before.

        Raises:
            RecordingError: The pictures before could not be encoded or written. It is raised
                once; the recording has ended, and what was written is kept.
            TypeError: The picture is no array of uint8.
            ValueError: The picture's shape is wrong, the timestamp is not finite, or the recording
                has ended.
        """
        _check(picture, timestamp)
        worker = self._running_worker(picture)
        if self._origin is None:
            self._origin = timestamp
        ticks = round((timestamp - self._origin) * self._rate)
        if self._ticks is not None and ticks <= self._ticks:
            return
        if not self._wait and self._queue.full():
            self.dropped += 1
            return
        lasting = round(duration * self._rate)
        self._put(worker, partial(self._video.add, picture.copy(), ticks, lasting))
        self._ticks = ticks

    def copy(self, packets: Sequence[SoundPacket]) -> None:
        """Take sound; it is written after the pictures before, of which there is at least one.

        Args:
            packets: Of the template's streams, each stream's in their order.

        Raises:
            RecordingError: As `write` does.
            ValueError: The recording has ended, or has not begun.
        """
        worker = self._worker
        if self._closed or worker is None:
            raise ValueError(f"the recording {self.path} takes no sound before or after pictures.")
        self._check_running(worker)
        self._put(worker, partial(self._video.copy, packets))

    def close(self) -> None:
        """Encode what still waits and finish the file. Idempotent.

        Raises:
            RecordingError: Writing had failed, or fails now, and no `write` has said so. What was
                written is kept.
        """
        if self._closed:
            return
        worker = self._worker
        if worker is None:
            self._file.close()
        else:
            self._put(worker, None)
            ended = worker.join(_CLOSING_PATIENCE)
        # Not earlier: where Ctrl-C interrupted the lines above, a second call goes on with them.
        self._closed = True
        atexit.unregister(self.close)
        if worker:
            worker.check()
            if not ended:
                raise RecordingError(
                    f"cannot finish {self.path}: the disk or the encoder does not answer; "
                    "what was written so far plays, so choose another disk next time."
                )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The exception that is already on its way must not be hidden by a second one.
        with contextlib.suppress(*([RecordingError] if error else [])):
            self.close()

    def _running_worker(self, picture: NDArray[np.uint8]) -> Worker:
        if self._closed:
            raise ValueError(f"the recording {self.path} is closed.")
        if self._worker is None:
            least, most = _QUEUE_PICTURES
            size = min(max(_QUEUE_BYTES // picture.nbytes, least), most)
            self._queue = queue.Queue(size)
            self._worker = Worker("recorder", self._work)
            self._worker.start()
        self._check_running(self._worker)
        return self._worker

    def _check_running(self, worker: Worker) -> None:
        if not worker.running:
            worker.check()
            raise ValueError(f"the recording {self.path} has ended with an error.")

    def _put(self, worker: Worker, task: Callable[[], None] | None) -> None:
        while worker.running:
            with contextlib.suppress(queue.Full):
                self._queue.put(task, timeout=_POLL)
                return

    def _work(self) -> None:
        """Encode until None is taken from the queue, then finish the file."""
        try:
            with contextlib.closing(self._file):
                try:
                    while task := self._queue.get():
                        task()
                except Exception:
                    # Finish what can be finished; the first failure is the one to tell.
                    with contextlib.suppress(Exception):
                        self._video.close()
                    raise
                self._video.close()
        except RecordingError:
            raise
        except Exception as error:
            raise recording_error(self.path, error) from error


def _format_of(path: Path, template: Template | None) -> VideoFormat:
    """Return the format that a file's name asks for, if it can hold what the template has."""
    ending = path.suffix.lower()
    formats = {end: each for end, each in FORMATS.items() if each.timed or template is None}
    if ending not in formats:
        raise UsageError(
            f"cannot record to {path}: the name of a video must end in {', '.join(formats)}."
        )
    for stream in template.sound if template else ():
        fitting = [end for end, each in formats.items() if holds(each.name, stream)]
        if ending not in fitting:
            others = f"write to {' or '.join(fitting)}, or " if fitting else ""
            raise UsageError(
                f"the sound ({codec_of(stream)}) cannot be copied to {path}; {others}leave it out "
                "with --no-audio."
            )
    return formats[ending]


def _check(picture: object, timestamp: float | Fraction) -> None:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8:
        got = getattr(picture, "dtype", type(picture).__name__)
        raise TypeError(f"expected a picture of dtype uint8, got {got}.")
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"expected a picture of shape (height, width, 3), got {picture.shape}.")
    if not math.isfinite(timestamp):
        raise ValueError(f"expected a finite timestamp in seconds, got {timestamp}.")

"""The recorder: takes images without waiting, and encodes them in a thread of its own."""

from __future__ import annotations

import atexit
import contextlib
import math
import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from live_cam.errors import RecordingError
from live_cam.record.destinations import recording_error
from live_cam.record.formats import format_of
from live_cam.record.output_file import OutputFile
from live_cam.record.video import VideoFile
from live_cam.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from live_cam.record.template import SoundPacket, Template

_POLL = 0.1
# An image that takes so long will not be written in time; all that wait may take so long.
_CLOSING_PATIENCE = 10.0
_CLOSING_LIMIT = 60.0
_QUEUE_BYTES = 64 * 2**20
_QUEUE_IMAGES = (2, 32)


class Recorder:
    """Records images to an H.264 video that plays at real speed and survives a crash.

    Images may come at any rate: each is shown at its own timestamp. What was written more than
    about a second ago plays even after the process was killed, and more than about two seconds
    ago, after the power failed. The first image's size is the
    video's; images of other sizes are fitted into it.

    Attributes:
        path: The video file.
        dropped: How many images were left out because the encoder was too slow.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        wait: bool = False,
        template: Template | None = None,
    ) -> None:
        """Create the file; without a single image it is removed again on closing.

        Args:
            path: The video file: `.mp4`, `.mov`, `.mkv` or `.avi`.
            overwrite: Whether an existing file may be written over. It keeps its contents until
                the first image is encoded.
            wait: Whether `write` waits for a slow encoder instead of dropping the image.
            template: The video that is recorded anew: timestamps are on its clock, and its sound
                may be copied. None: the first image's timestamp is the start of the recording.

        Raises:
            NameTakenError: The file exists and `overwrite` is not set.
            UsageError: The name has another ending, or one of a format that cannot hold the
                template's times or sound; the file's folder is missing, or it cannot be created.
        """
        video_format = format_of(path, template)
        self.path = path
        self.dropped = 0
        self._wait = wait
        self._rate = 1 / template.time_base if template else video_format.rate
        self._file = OutputFile(path, overwrite=overwrite)
        self._video = VideoFile(self._file, video_format, template)
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._ending = threading.Event()
        self._busy_since: float | None = None
        self._worker: Worker | None = None
        self._origin: float | Fraction | None = 0 if template else None
        self._ticks: int | None = None
        self._closed = False
        atexit.register(self.close)

    @property
    def codec(self) -> str | None:
        """FFmpeg's name of the encoder in use; None before the first image is encoded."""
        return self._video.codec

    @property
    def frames(self) -> int:
        """How many images are in the video. Those that still wait are not, before `close`."""
        return self._video.frames

    @property
    def seconds(self) -> float:
        """How long the video plays so far."""
        return self._video.seconds

    @property
    def full(self) -> bool:
        """Whether so many images wait that the next one would be dropped, or waited for."""
        return self._queue.full()

    @property
    def stalled(self) -> float:
        """For how many seconds the disk or the encoder has been busy with one image."""
        since = self._busy_since
        return time.monotonic() - since if since is not None and self._running else 0.0

    def write(
        self,
        image: NDArray[np.uint8],
        timestamp: float | Fraction,
        duration: float | Fraction = 0,
    ) -> None:
        """Take an image; it is copied, and encoded later in another thread.

        An image whose timestamp is not greater than the one before is the same image, and is
        ignored. (So are two in the same 1/120 s of an AVI file, which knows no finer times.)

        Args:
            image: H×W×3 uint8, BGR, of any size.
            timestamp: When it is shown, in seconds: of the template's clock, or of one with any
                origin.
            duration: For how many seconds, until the next image's time corrects it; 0: as long
                as the one before.

        Raises:
            RecordingError: The images before could not be encoded or written. It is raised
                once; the recording has ended, and what was written is kept.
            TypeError: The image is no array of uint8.
            ValueError: The image's shape is wrong, the timestamp is not finite, or the recording
                has ended.
        """
        _check(image, timestamp)
        worker = self._worker_for(image)
        if self._origin is None:
            self._origin = timestamp
        ticks = round((timestamp - self._origin) * self._rate)
        if self._ticks is not None and ticks <= self._ticks:
            return
        if not self._wait and self._queue.full():
            self.dropped += 1
            return
        lasting = round(duration * self._rate)
        self._put(worker, partial(self._video.add, image.copy(), ticks, lasting))
        self._ticks = ticks

    def copy(self, packets: Sequence[SoundPacket]) -> None:
        """Take sound; it is written after the images before, of which there is at least one.

        Args:
            packets: Of the template's streams, each stream's in their order.

        Raises:
            RecordingError: As `write` does.
            ValueError: The recording has ended, or has not begun.
        """
        worker = self._worker
        if self._closed or worker is None:
            raise ValueError(f"the recording {self.path} takes no sound before or after images.")
        self._check_running(worker)
        self._put(worker, partial(self._video.copy, packets))

    def check(self) -> None:
        """Look whether recording goes on.

        Raises:
            RecordingError: As `write` does.
        """
        if self._worker:
            self._worker.check()

    def finish(self) -> None:
        """Take no more; encode what still waits and finish the file, without waiting for it."""
        self._ending.set()
        with contextlib.suppress(queue.Full):  # then the worker is awake anyhow
            self._queue.put_nowait(None)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be done after `finish`, so that `close` does not wait."""
        return self._ending.is_set() and not self._running

    def close(self) -> None:
        """Encode what still waits and finish the file. Idempotent.

        Raises:
            RecordingError: Writing had failed, or fails now, and no `write` has said so; or the
                disk or the encoder does not answer for 10 s. What was written is kept.
        """
        if self._closed:
            return
        self.finish()
        limit = time.monotonic() + _CLOSING_LIMIT
        while self._running and self.stalled < _CLOSING_PATIENCE and time.monotonic() < limit:
            self._wait_for_worker()
        # Not earlier: where Ctrl-C interrupted the lines above, a second call goes on with them.
        self._closed = True
        atexit.unregister(self.close)
        if self._worker is None:
            self._file.close()
            return
        self._worker.check()
        if self._running:
            raise RecordingError(
                f"cannot finish {self.path}: the disk or the encoder does not answer; "
                "what was written so far plays, so choose another disk next time.",
                brief="the disk does not answer",
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

    @property
    def _running(self) -> bool:
        return self._worker is not None and self._worker.running

    def _wait_for_worker(self) -> None:
        if self._worker:
            self._worker.wait(_POLL)

    def _worker_for(self, image: NDArray[np.uint8]) -> Worker:
        if self._ending.is_set():
            raise ValueError(f"the recording {self.path} is closed.")
        if self._worker is None:
            least, most = _QUEUE_IMAGES
            size = min(max(_QUEUE_BYTES // image.nbytes, least), most)
            self._queue = queue.Queue(size)
            self._worker = Worker("recorder", self._work)
            self._worker.start()
        self._check_running(self._worker)
        return self._worker

    def _check_running(self, worker: Worker) -> None:
        if not worker.running:
            worker.check()
            raise ValueError(f"the recording {self.path} has ended with an error.")

    def _put(self, worker: Worker, task: Callable[[], None]) -> None:
        while worker.running:
            with contextlib.suppress(queue.Full):
                self._queue.put(task, timeout=_POLL)
                return

    def _tasks(self) -> Iterator[Callable[[], None]]:
        """What was put into the queue, until nothing waits any more and nothing will come."""
        while True:
            ending = self._ending.is_set()  # before looking: nothing comes after it
            try:
                task = self._queue.get(block=not ending, timeout=_POLL)
            except queue.Empty:
                if ending:
                    return
                continue
            if task:
                yield task

    def _work(self) -> None:
        """Encode what is taken from the queue, then finish the file."""
        try:
            with contextlib.closing(self._file):
                try:
                    for task in self._tasks():
                        self._busy_since = time.monotonic()
                        task()
                        self._busy_since = None
                except Exception:
                    # Finish what can be finished; the first failure is the one to tell.
                    with contextlib.suppress(Exception):
                        self._video.close()
                    raise
                self._busy_since = time.monotonic()
                self._video.close()
        except RecordingError:
            raise
        except Exception as error:
            kept = f"first {self._video.kept:.1f} s play" if self._video.kept else None
            raise recording_error(self.path, error, kept) from error


def _check(image: object, timestamp: float | Fraction) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = getattr(image, "dtype", type(image).__name__)
        raise TypeError(f"expected an image of dtype uint8, got {got}.")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected an image of shape (height, width, 3), got {image.shape}.")
    if not math.isfinite(timestamp):
        raise ValueError(f"expected a finite timestamp in seconds, got {timestamp}.")

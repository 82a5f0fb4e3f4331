"""The recorder: accepts images without blocking and encodes them in a separate thread."""

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
# Seconds on closing: for a single image, and for all that are still queued.
_CLOSING_PATIENCE = 10.0
_CLOSING_LIMIT = 60.0
_QUEUE_BYTES = 64 * 2**20
_QUEUE_IMAGES = (2, 32)


class Recorder:
    """Records images to an H.264 video that plays at real speed and survives a crash.

    Images may arrive at any rate: each is shown at its own timestamp. If the process is killed, at
    most about the last second is lost; after a power failure, about the last two. The first image
    sets the video's size; images of other sizes are fitted into it.

    Attributes:
        path: The video file.
        dropped: The number of images dropped because the encoder was too slow.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        wait: bool = False,
        template: Template | None = None,
    ) -> None:
        """Create the file. If no image is written, closing removes it.

        Args:
            path: The video file: `.mp4`, `.mov`, `.mkv` or `.avi`.
            overwrite: Whether an existing file may be replaced. It keeps its contents until the
                first image is encoded.
            wait: Whether `write` waits for a slow encoder instead of dropping the image.
            template: The video to record again: timestamps are on its clock, and its sound can be
                copied. Without one, the recording starts at the first image's timestamp.

        Raises:
            NameTakenError: The file exists and `overwrite` is not set.
            UsageError: The ending is unknown, or its format cannot hold the template's times or
                sound; the folder is missing, or the file cannot be created.
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
        """FFmpeg's name for the encoder in use, or None before the first image is encoded."""
        return self._video.codec

    @property
    def frames(self) -> int:
        """The number of images in the video. Queued ones are not counted until they are encoded."""
        return self._video.frames

    @property
    def seconds(self) -> float:
        """The video's duration so far."""
        return self._video.seconds

    @property
    def full(self) -> bool:
        """Whether the queue is full, so that the next image would be dropped or block."""
        return self._queue.full()

    @property
    def stalled(self) -> float:
        """Seconds that the disk or the encoder has spent on the current image."""
        since = self._busy_since
        return time.monotonic() - since if since is not None and self._running else 0.0

    def write(
        self,
        image: NDArray[np.uint8],
        timestamp: float | Fraction,
        duration: float | Fraction = 0,
    ) -> None:
        """Queue a copy of an image for encoding.

        An image whose timestamp is not above the previous one is a repetition and is ignored. So is
        a second one within 1/120 s of an AVI file, whose times are no finer.

        Args:
            image: H×W×3 uint8, BGR, of any size.
            timestamp: When to show it, in seconds on the template's clock, or on any clock without
                a template.
            duration: Seconds to show it until the next timestamp corrects that, or 0 to repeat the
                previous duration.

        Raises:
            RecordingError: An earlier image could not be encoded or written. Raised once; the
                recording has ended, and everything written so far is kept.
            TypeError: The image is not an array of uint8.
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
        """Queue sound to be written after the images so far, of which there must be one.

        Args:
            packets: Packets of the template's streams, in order within each stream.

        Raises:
            RecordingError: As in `write`.
            ValueError: The recording has ended or has no image yet.
        """
        worker = self._worker
        if self._closed or worker is None:
            raise ValueError(f"the recording {self.path} has no image yet or has ended.")
        self._check_running(worker)
        self._put(worker, partial(self._video.copy, packets))

    def check(self) -> None:
        """Raise an error if the recording has failed.

        Raises:
            RecordingError: As in `write`.
        """
        if self._worker:
            self._worker.check()

    def finish(self) -> None:
        """End the recording without waiting: the thread encodes the queue and closes the file."""
        self._ending.set()
        with contextlib.suppress(queue.Full):  # then the worker is awake anyway
            self._queue.put_nowait(None)

    @property
    def finished(self) -> bool:
        """Whether `finish` was called and everything is written, so that `close` will not block."""
        return self._ending.is_set() and not self._running

    def close(self) -> None:
        """Encode the queued images and finish the file. Idempotent.

        Raises:
            RecordingError: Writing failed and no `write` has raised it yet, or the disk or the
                encoder has not responded for 10 s. Everything written so far is kept.
        """
        if self._closed:
            return
        self.finish()
        limit = time.monotonic() + _CLOSING_LIMIT
        while self._running and self.stalled < _CLOSING_PATIENCE and time.monotonic() < limit:
            self._wait_for_worker()
        # Not earlier: if Ctrl-C interrupts the lines above, a second call must continue them.
        self._closed = True
        atexit.unregister(self.close)
        if self._worker is None:
            self._file.close()
            return
        self._worker.check()
        if self._running:
            raise RecordingError(
                f"cannot finish {self.path}: the disk or the encoder is not responding; "
                "the part written so far plays, but choose another disk next time.",
                brief="the disk is not responding",
            )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A second exception must not hide the one already being raised.
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
        """Yield queued tasks until the recording has ended and the queue is empty."""
        while True:
            ending = self._ending.is_set()  # read first: nothing is queued after it
            try:
                task = self._queue.get(block=not ending, timeout=_POLL)
            except queue.Empty:
                if ending:
                    return
                continue
            if task:
                yield task

    def _work(self) -> None:
        """Encode everything queued, then finish the file."""
        try:
            with contextlib.closing(self._file):
                try:
                    for task in self._tasks():
                        self._busy_since = time.monotonic()
                        task()
                        self._busy_since = None
                except Exception:
                    # Finish what can be finished, but report the first failure.
                    with contextlib.suppress(Exception):
                        self._video.close()
                    raise
                self._busy_since = time.monotonic()
                self._video.close()
        except RecordingError:
            raise
        except Exception as error:
            kept = f"the first {self._video.kept:.1f} s play" if self._video.kept else None
            raise recording_error(self.path, error, kept) from error


def _check(image: object, timestamp: float | Fraction) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = getattr(image, "dtype", type(image).__name__)
        raise TypeError(f"expected an image of dtype uint8, got {got}.")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected an image of shape (height, width, 3), got {image.shape}.")
    if not math.isfinite(timestamp):
        raise ValueError(f"expected a finite timestamp in seconds, got {timestamp}.")

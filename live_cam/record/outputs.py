"""The outputs of a run (video, log and snapshots) and how it handles failing disks."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from live_cam.errors import LiveCamError, RecordingError
from live_cam.record.destinations import create_free, timed_name
from live_cam.record.prediction_log import PredictionLog
from live_cam.record.recorder import Recorder
from live_cam.record.snapshot import save_snapshot
from live_cam.runtime.timed_text import TimedText
from live_cam.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

    from live_cam.explanation import Explanation
    from live_cam.settings import Settings

_FAILURE_SECONDS: Final = 10.0
_STALLED_AFTER: Final = 2.0
_CLOSING_PATIENCE: Final = 3.0
_SNAPSHOTS_AT_ONCE: Final = 4


class RunOutputs:
    """Everything that a run writes: recordings, the log of explanations and snapshots.

    With a window, the run continues without an output that fails: the user sees it on the image and
    receives one sentence. Without a window the outputs are the purpose, so a failure ends the run.
    Nothing waits for a disk except closing, and that only for seconds.

    As a context manager, it creates the files named in the settings on entering.
    """

    def __init__(
        self, settings: Settings, notify: Callable[[str], None], confirmation: TimedText
    ) -> None:
        """Prepare the outputs. No file is created before entering.

        Args:
            settings: Which files to write.
            notify: Called with one sentence for the user, from any thread.
            confirmation: Shows on the image what was done.
        """
        self._settings = settings
        self._notify = notify
        self._confirmation = confirmation
        self._failure = TimedText()
        self._recorder: Recorder | None = None
        self._finishing: Recorder | None = None
        self._log: PredictionLog | None = None
        self._snapshots: list[Worker] = []
        self._recording_failed = False
        self._stalled = False

    @property
    def seconds(self) -> float | None:
        """The recording's duration so far, or None if nothing is being recorded."""
        return self._recorder.seconds if self._recorder else None

    @property
    def busy(self) -> bool:
        """Whether the recording would drop the next image because the disk is too slow."""
        return self._recorder is not None and self._recorder.full

    @property
    def trouble(self) -> str | None:
        """What is wrong, in a few words for the image, or None if nothing is."""
        recorder = self._recorder or self._finishing
        if recorder and recorder.stalled > _STALLED_AFTER:
            return f"{recorder.path.name}: the disk is not responding… {recorder.stalled:.0f} s"
        return self._failure.text

    @property
    def logs(self) -> bool:
        """Whether explanations are logged."""
        return self._log is not None

    def _open(self) -> None:
        settings = self._settings
        if settings.predictions:
            self._log = PredictionLog(settings.predictions, overwrite=settings.overwrite)
        if settings.record:
            self._recorder = Recorder(settings.record, overwrite=settings.overwrite)

    # ---- recordings ----------------------------------------------------------------------------

    def set_recording(self, wanted: bool) -> bool:
        """Start, continue or end the recording. Call this regularly.

        Args:
            wanted: Whether the user wants a recording.

        Returns:
            `wanted`, or False after the recording has failed.

        Raises:
            RecordingError: The recording has failed, and there is no window.
        """
        self._collect_finished()
        if self._recorder:
            self._try(self._recorder.check)
        if self._recording_failed:
            self._recording_failed = False
            return False
        if self._recorder:
            self._report_stall(self._recorder)
            if not wanted:
                self._recorder.finish()
                self._recorder, self._finishing = None, self._recorder
        elif wanted and not self._finishing:  # one file at a time on a slow disk
            self._start()
            return self._recorder is not None
        return wanted

    def write(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Record an image, if there is a recording.

        Args:
            image: H×W×3 uint8, BGR.
            timestamp: When to show it, in seconds on any clock.

        Raises:
            RecordingError: Earlier images could not be written, and there is no window.
        """
        if self._recorder:
            self._try(partial(self._recorder.write, image, timestamp))

    def _try(self, action: Callable[[], None]) -> None:
        """Run an action of the recorder, and end the recording if it fails."""
        try:
            action()
        except RecordingError as error:
            recorder, self._recorder = self._recorder, None
            if recorder:
                # Closing releases the encoder with all its threads and the queued images.
                with suppress(RecordingError):
                    recorder.close()
            self._recording_failed = True
            self._fail(error, "recording ended")

    def _start(self) -> None:
        settings = self._settings
        try:
            self._recorder = create_free(settings.record or timed_name(".mp4"), Recorder)
        except LiveCamError as error:
            self._fail(error, "not recording")
        else:
            self._confirmation.show(f"recording {self._recorder.path.name}")

    def _collect_finished(self) -> None:
        if self._finishing and self._finishing.finished:
            recorder, self._finishing = self._finishing, None
            try:
                self._finish(recorder)
            except RecordingError as error:
                self._fail(error, "recording ended")

    def _finish(self, recorder: Recorder) -> None:
        recorder.close()
        text = f"recorded {recorder.path}: {recorder.frames} images, {recorder.seconds:.1f} s"
        if recorder.dropped:
            text += f" ({recorder.dropped} more were dropped: the encoder or the disk was too slow)"
        self._notify(text if recorder.frames else f"nothing was recorded to {recorder.path}")
        self._confirmation.show(f"saved {recorder.path.name}")

    def _report_stall(self, recorder: Recorder) -> None:
        stalled = recorder.stalled > _STALLED_AFTER
        if stalled and not self._stalled:
            self._notify(
                f"{recorder.path}: the disk is not responding; images are dropped until it does."
            )
        self._stalled = stalled

    # ---- explanations and snapshots ------------------------------------------------------------

    def log(self, explanation: Explanation, peak: tuple[int, int]) -> None:
        """Log an explanation, if there is a log. Called from the explainer's thread.

        Args:
            explanation: The explanation.
            peak: The position of its heatmap's maximum, (x, y) in pixels of the image.

        Raises:
            RecordingError: The log cannot be written, and there is no window.
        """
        log = self._log
        if not log:
            return
        try:
            log.write(explanation, peak)
        except RecordingError as error:
            self._log = None
            _failure_of(log.close)
            self._fail(error, "log ended")

    def snapshot(self, image: NDArray[np.uint8]) -> None:
        """Save an image without waiting for the disk.

        Args:
            image: H×W×3 uint8, BGR.
        """
        self._snapshots = [worker for worker in self._snapshots if worker.running]
        if len(self._snapshots) >= _SNAPSHOTS_AT_ONCE:
            self._failure.show("no snapshot: the disk is not responding", _FAILURE_SECONDS)
            return
        worker = Worker("snapshot", partial(self._save, image.copy()))
        self._snapshots.append(worker)
        worker.start()

    def _save(self, image: NDArray[np.uint8]) -> None:
        try:
            self._confirmation.show(f"saved {save_snapshot(image)}")
        except LiveCamError as error:
            self._report(error, "no snapshot")

    # ---- failures and the end ------------------------------------------------------------------

    def _fail(self, error: LiveCamError, lost: str) -> None:
        """Report a failed output and continue; without a window, raise the error."""
        if self._settings.headless:
            raise error
        self._report(error, lost)

    def _report(self, error: LiveCamError, lost: str) -> None:
        brief = error.brief if isinstance(error, RecordingError) else str(error)
        self._failure.show(f"{lost}: {brief}", _FAILURE_SECONDS)
        self._notify(str(error))

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        failures = self._close()
        if failures and error is None and self._settings.headless:
            raise failures.pop(0)
        # A second exception must not hide the one already being raised.
        for failure in failures:
            self._notify(str(failure))

    def _close(self) -> list[RecordingError]:
        """Close everything, as far as the disks respond, and return the failures."""
        recorders = [recorder for recorder in (self._finishing, self._recorder) if recorder]
        self._finishing = self._recorder = None
        for recorder in recorders:
            recorder.finish()
        closing = [partial(self._finish, recorder) for recorder in recorders]
        if self._log:
            closing.append(partial(_close_log, self._log))
        failures = [failure for failure in map(_failure_of, closing) if failure]
        for snapshot in self._snapshots:
            snapshot.wait(_CLOSING_PATIENCE)
        return failures


def _failure_of(action: Callable[[], None]) -> RecordingError | None:
    """Run an action and return its error, or None."""
    try:
        action()
    except RecordingError as error:
        return error
    return None


def _close_log(log: PredictionLog) -> None:
    """Close a log, without waiting long for the disk.

    Raises:
        RecordingError: The disk did not keep everything or is not responding.
    """
    worker = Worker("closing", log.close)
    worker.start()
    if not worker.wait(_CLOSING_PATIENCE):
        raise RecordingError(
            f"cannot finish {log.path}: the disk is not responding; "
            "the part written so far is kept, but choose another disk next time."
        )
    worker.check()

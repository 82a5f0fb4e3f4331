"""What a run writes to disks, and what becomes of the run where one of them fails."""

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


class Recording:
    """The recordings, the log of explanations and the snapshots of a run.

    What a person watches goes on without what cannot be written: they are told, on the image
    and by one sentence. Without a window what is written is the purpose: its failure ends the run.
    No disk is waited for but on closing, and there for seconds only.

    It is a context manager: entering it creates the files that the command line names.
    """

    def __init__(
        self, settings: Settings, notify: Callable[[str], None], confirmation: TimedText
    ) -> None:
        """Take the settings; nothing is written yet.

        Args:
            settings: What is written, and where to.
            notify: Called with what the user must know, one sentence a call, from any thread.
            confirmation: Where what was done is said on the image.
        """
        self._settings = settings
        self._notify = notify
        self._confirmation = confirmation
        self._failure = TimedText()
        self._recorder: Recorder | None = None
        self._finishing: Recorder | None = None
        self._log: PredictionLog | None = None
        self._snapshots: list[Worker] = []
        self._given_up = False
        self._stalled = False

    @property
    def seconds(self) -> float | None:
        """How long the recording plays so far; None: nothing is being recorded."""
        return self._recorder.seconds if self._recorder else None

    @property
    def busy(self) -> bool:
        """Whether an image more would be left out of the recording: the disk is behind."""
        return self._recorder is not None and self._recorder.full

    @property
    def trouble(self) -> str | None:
        """What is wrong, in a few words for the image; None: nothing is."""
        recorder = self._recorder or self._finishing
        if recorder and recorder.stalled > _STALLED_AFTER:
            return f"{recorder.path.name}: the disk does not answer… {recorder.stalled:.0f} s"
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

    def follow(self, wanted: bool) -> bool:
        """Record from now on, or end the recording; to be called again and again.

        Args:
            wanted: Whether the user wants a recording.

        Returns:
            Whether they still do: not after one that has failed.

        Raises:
            RecordingError: It has failed, and there is no window.
        """
        self._look_after_finishing()
        if self._recorder:
            self._try(self._recorder.check)
        if self._given_up:
            self._given_up = False
            return False
        if self._recorder:
            self._note_stall(self._recorder)
            if not wanted:
                self._recorder.finish()
                self._recorder, self._finishing = None, self._recorder
        elif wanted and not self._finishing:  # the same disk is not asked for another file
            self._start()
            return self._recorder is not None
        return wanted

    def write(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Record an image, if there is a recording.

        Args:
            image: H×W×3 uint8, BGR.
            timestamp: When it is shown, in seconds of any clock.

        Raises:
            RecordingError: The images before could not be written, and there is no window.
        """
        if self._recorder:
            self._try(partial(self._recorder.write, image, timestamp))

    def _try(self, action: Callable[[], None]) -> None:
        """Do something with the recorder, and give it up if that fails."""
        try:
            action()
        except RecordingError as error:
            recorder, self._recorder = self._recorder, None
            if recorder:
                # Until then it keeps its encoder, with all its threads, and what still waited.
                with suppress(RecordingError):
                    recorder.close()
            self._given_up = True
            self._fail(error, "recording ended")

    def _start(self) -> None:
        settings = self._settings
        try:
            self._recorder = create_free(settings.record or timed_name(".mp4"), Recorder)
        except LiveCamError as error:
            self._fail(error, "not recording")
        else:
            self._confirmation.show(f"recording {self._recorder.path.name}")

    def _look_after_finishing(self) -> None:
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

    def _note_stall(self, recorder: Recorder) -> None:
        stalled = recorder.stalled > _STALLED_AFTER
        if stalled and not self._stalled:
            self._notify(
                f"{recorder.path}: the disk does not answer; until it does, images are left out."
            )
        self._stalled = stalled

    # ---- explanations and snapshots ------------------------------------------------------------

    def log(self, explanation: Explanation, peak: tuple[int, int]) -> None:
        """Log an explanation, if there is a log; called in the explainer's thread.

        Args:
            explanation: What was explained.
            peak: Where its heatmap is highest, (x, y) in pixels of the image.

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
        """Save an image, without waiting for the disk.

        Args:
            image: H×W×3 uint8, BGR.
        """
        self._snapshots = [each for each in self._snapshots if each.running]
        if len(self._snapshots) >= _SNAPSHOTS_AT_ONCE:
            self._failure.show("no snapshot: the disk does not answer", _FAILURE_SECONDS)
            return
        worker = Worker("snapshot", partial(self._save, image.copy()))
        self._snapshots.append(worker)
        worker.start()

    def _save(self, image: NDArray[np.uint8]) -> None:
        try:
            self._confirmation.show(f"saved {save_snapshot(image)}")
        except LiveCamError as error:
            self._tell(error, "no snapshot")

    # ---- failures and the end ------------------------------------------------------------------

    def _fail(self, error: LiveCamError, lost: str) -> None:
        """Go on without what failed; where nobody watches what could go on, raise it."""
        if self._settings.headless:
            raise error
        self._tell(error, lost)

    def _tell(self, error: LiveCamError, lost: str) -> None:
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
        # An exception that is already on its way must not be hidden by another one.
        for failure in failures:
            self._notify(str(failure))

    def _close(self) -> list[RecordingError]:
        """Close everything, each for as long as its disk answers; return what failed."""
        recorders = [each for each in (self._finishing, self._recorder) if each]
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
    """Do something, and return how it failed."""
    try:
        action()
    except RecordingError as error:
        return error
    return None


def _close_log(log: PredictionLog) -> None:
    """Close a log; its last lines are on their way to the disk already.

    Raises:
        RecordingError: The disk has not kept it, or does not answer.
    """
    worker = Worker("closing", log.close)
    worker.start()
    if not worker.wait(_CLOSING_PATIENCE):
        raise RecordingError(
            f"cannot finish {log.path}: the disk does not answer; "
            "what was written so far is kept, so choose another disk next time."
        )
    worker.check()

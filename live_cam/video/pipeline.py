"""The video pipeline: read, explain, draw and record, with the sound copied."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from live_cam.errors import CaptureError
from live_cam.explain.batch import BatchExplainer
from live_cam.labels import find_classes
from live_cam.overlay import Overlay
from live_cam.overlay.status import Status
from live_cam.question import AGAINST, FOR, Question
from live_cam.record.recorder import Recorder
from live_cam.record.template import Template
from live_cam.runtime.prefetch import batches_ahead
from live_cam.temporal.stabiliser import Stabiliser
from live_cam.video.conflicts import check_video
from live_cam.video.reading import Reader
from live_cam.video.sound import Excerpt, Sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.settings import VideoSettings
    from live_cam.video.reading import TimedFrame


class VideoPipeline:
    """Explains every frame of a video and writes them as a new video with the same times.

    While one batch is explained, the next is decoded and the last is encoded, each in its own
    thread.

    Attributes:
        written: The number of frames in the new video, once `run` has ended.
        seconds: The duration of the new video, once `run` has ended.
    """

    class Observer(Protocol):
        """Receives messages and progress."""

        def notify(self, text: str) -> None:
            """Show the user a sentence."""

        def begin(self, seconds: Fraction | None) -> None:
            """Start the progress display with the video's duration, or None if unknown."""

        def advance(self, frames: int, seconds: Fraction) -> None:
            """Report the total number of frames explained so far, and their total duration."""

    def __init__(self, settings: VideoSettings, observer: Observer) -> None:
        """Store the settings; nothing is opened before `run`.

        Args:
            settings: What to explain and write.
            observer: Receives messages and progress.
        """
        self.written = 0
        self.seconds = 0.0
        self._explained = 0
        self._settings = settings
        self._observer = observer
        self._shift = Fraction(0)
        self._overlay = Overlay()
        self._stabiliser = Stabiliser(settings.smooth, track=True, carry=False)
        self._status = Status(look=settings.look)

    def run(self) -> None:
        """Explain the video.

        Raises:
            UsageError: A name or value is wrong; nothing has been written.
            CaptureError: A part of the video could not be read; the rest was explained.
            LiveCamError: Something failed; the part written so far is playable.
        """
        check_video(self._settings)
        with ExitStack() as resources:
            reader, sound, recorder = self._open(resources)
            explainer = resources.enter_context(
                BatchExplainer(self._settings, self._observer.notify, batch=self._settings.batch)
            )
            explainer.load()
            question = self._question(explainer.labels)
            self._observer.begin(reader.length)
            batches = resources.enter_context(
                closing(batches_ahead(reader, explainer.batch_size, _bytes_of))
            )
            for batch in batches:
                explanations = explainer.explain([timed.frame.image for timed in batch], question)
                for timed, explanation in zip(batch, explanations, strict=True):
                    drawn = self._draw(timed.frame, explanation)
                    recorder.write(drawn, self._shifted(timed), timed.duration)
                    recorder.copy(sound.until(timed.time + timed.duration))
                self._advance(batch)
            for packets in sound.rest():
                recorder.copy(packets)
            problem = reader.problem(sound.end)
            if problem:
                raise CaptureError(problem)

    # ---- preparation ---------------------------------------------------------------------------

    def _open(self, resources: ExitStack) -> tuple[Reader, Sound, Recorder]:
        settings = self._settings
        reader = resources.enter_context(Reader(settings.input, settings.start, settings.end))
        begin = reader.first.time
        if settings.start is None:
            self._shift = min(begin, Fraction(0))
            start = None
        else:
            self._shift = start = begin
        sound = resources.enter_context(
            Sound(
                settings.input,
                Excerpt(reader.origin, start, settings.end, self._shift),
                wanted=settings.audio,
            )
        )
        template = Template(reader.time_base, reader.pixel_aspect, sound.streams)
        recorder = Recorder(
            settings.output, overwrite=settings.overwrite, wait=True, template=template
        )
        resources.callback(self._record_result, recorder)
        return reader, sound, resources.enter_context(recorder)

    def _question(self, labels: Sequence[str]) -> Question:
        settings = self._settings
        return Question.of_view(
            self._status.look.view,
            settings.method,
            AGAINST if settings.counterfactual else FOR,
            find_classes(labels, settings.target_classes),
            most=len(labels),
        )

    # ---- frames --------------------------------------------------------------------------------

    def _draw(self, frame: Frame, explanation: Explanation) -> NDArray[np.uint8]:
        explanation = replace(explanation, frame_index=frame.index, timestamp=frame.timestamp)
        stable = self._stabiliser.stabilise(frame, explanation)
        return self._overlay.draw(frame, stable, self._status).image

    def _shifted(self, timed: TimedFrame) -> Fraction:
        """Return a frame's time in the new video."""
        return timed.time - self._shift

    def _advance(self, batch: Sequence[TimedFrame]) -> None:
        self._explained += len(batch)
        self._observer.advance(self._explained, self._shifted(batch[-1]) + batch[-1].duration)

    def _record_result(self, recorder: Recorder) -> None:
        self.written, self.seconds = recorder.frames, recorder.seconds


def _bytes_of(timed: TimedFrame) -> int:
    return timed.frame.image.nbytes

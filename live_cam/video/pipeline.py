"""From a video to a video: it alone wires the stages, and reads like a table of contents."""

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
from live_cam.video.sound import Cut, Sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.settings import VideoSettings
    from live_cam.video.reading import Shot


class VideoPipeline:
    """Explains every frame of a video, in batches, and writes them as a video of the same times.

    The next batch is decoded, and the last one encoded, while this one is explained; decoder and
    encoder run in threads of their own.

    Attributes:
        written: How many frames the new video has; once `run` has ended.
        seconds: How long it plays.
    """

    class Observer(Protocol):
        """Who is told what happens, to tell the user."""

        def notify(self, text: str) -> None:
            """Pass on what the user must know, a sentence a call."""

        def begin(self, seconds: Fraction | None) -> None:
            """Take note that everything is ready, and how long the video is, if that is known."""

        def advance(self, frames: int, seconds: Fraction) -> None:
            """Take note of how many frames were explained, and how long they play together."""

    def __init__(self, settings: VideoSettings, observer: Observer) -> None:
        """Take the settings; nothing is opened yet.

        Args:
            settings: What to do.
            observer: Is told what happens.
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
            UsageError: A wrong name or value; nothing has been written then.
            CaptureError: A part of the video could not be read; all else was explained.
            LiveCamError: Something failed; what was written until then plays.
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
                said = explainer.explain([shot.frame.image for shot in batch], question)
                for shot, explanation in zip(batch, said, strict=True):
                    recorder.write(self._draw(shot, explanation), self._moved(shot), shot.duration)
                    recorder.copy(sound.until(shot.time + shot.duration))
                self._note(batch)
            for packets in sound.rest():
                recorder.copy(packets)
            problem = reader.problem(sound.end)
            if problem:
                raise CaptureError(problem)

    # ---- before --------------------------------------------------------------------------------

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
                Cut(reader.origin, start, settings.end, self._shift),
                wanted=settings.audio,
            )
        )
        template = Template(reader.time_base, reader.pixel_aspect, sound.streams)
        recorder = Recorder(
            settings.output, overwrite=settings.overwrite, wait=True, template=template
        )
        resources.callback(self._note_written, recorder)
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

    def _draw(self, shot: Shot, explanation: Explanation) -> NDArray[np.uint8]:
        frame = shot.frame
        said = replace(explanation, frame_index=frame.index, timestamp=frame.timestamp)
        stabilised = self._stabiliser.stabilise(frame, said)
        return self._overlay.draw(frame, stabilised, self._status).image

    def _moved(self, shot: Shot) -> Fraction:
        """Return when a frame is shown in the new video."""
        return shot.time - self._shift

    def _note(self, batch: Sequence[Shot]) -> None:
        self._explained += len(batch)
        self._observer.advance(self._explained, self._moved(batch[-1]) + batch[-1].duration)

    def _note_written(self, recorder: Recorder) -> None:
        self.written, self.seconds = recorder.frames, recorder.seconds


def _bytes_of(shot: Shot) -> int:
    return shot.frame.image.nbytes

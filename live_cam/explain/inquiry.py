"""From a frame and a question to an explanation: what the loaded network is asked, and when."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import torch

from live_cam.errors import NonFiniteError
from live_cam.explain.answers import asked_classes
from live_cam.explain.faithfulness import FaithfulnessCheck
from live_cam.explain.findings import ask
from live_cam.explain.randomisation import RandomisedNetwork
from live_cam.runtime.closing import Closing
from live_cam.runtime.timing import StageTimer
from live_cam.temporal.hysteresis import Ranking, TopClasses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from live_cam.engines.selection import EngineSelector
    from live_cam.explain.findings import Asked, Findings
    from live_cam.explain.loading import Preprocess
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.network.classifier import Classifier
    from live_cam.question import Question

_RANDOMISE_INTERVAL: Final = 0.4
"""Seconds from one layer to the next: to be watched."""


class Inquiry(Closing):
    """Asks one network about frames.

    Attributes:
        device: Where the network is.
    """

    def __init__(
        self,
        classifier: Classifier,
        preprocess: Preprocess,
        selector: EngineSelector,
        device: torch.device,
        *,
        check_every: int,
        steady: bool,
    ) -> None:
        """Take what was loaded.

        Args:
            classifier: The network.
            preprocess: Makes frames into its input.
            selector: Explains by it; closed with the inquiry.
            device: Where the network is.
            check_every: One explanation in how many is checked, where checks are wanted.
            steady: Whether the top classes and the strongest feature maps are those that lead for
                a moment or clearly, not each frame's.
        """
        self.selector = selector
        self._classifier = classifier
        self._preprocess = preprocess
        self.device = device
        self._check_every = check_every
        self._top_classes = TopClasses() if steady else None
        self._strongest = Ranking() if steady else None
        self._check: FaithfulnessCheck | None = None
        self._forgetful: RandomisedNetwork | None = None
        self._randomised_at = 0.0
        self._answered: Question | None = None

    def explain(self, frame: Frame, question: Question) -> Explanation:
        """Say what the network sees in a frame and which part of it made it say so.

        Raises:
            NonFiniteError: The network's scores or gradients are not finite.
        """
        timer = StageTimer()
        # Noted first: of a frame that cannot be explained, another look would not say more.
        self._answered = question
        self._prepare(question)
        height, width = frame.image.shape[:2]
        with timer.stage("total"):
            with timer.stage("preprocess"):
                x = self._preprocess(frame.image)
            found = self._found(x, frame, question, timer)
            region = self._preprocess.region(width, height)
            said = found.explanation(0, region, timer, index=frame.index, timestamp=frame.timestamp)
        check = self._check.latest if self._check else None
        explanation = replace(
            said,
            check=check if check and check.class_index == said.class_index else None,
            randomised=self._forgetful.progress if self._forgetful else None,
        )
        # Until it is settled which engine explains, the frames are for finding out.
        if self._check and self.selector.settled:
            self._check.consider(x, explanation)
        return explanation

    def stand_still(self, frame: Frame) -> None:
        """Take note that a frame shows what the one that was explained last showed."""
        if self._top_classes:
            self._top_classes.repeat(frame.timestamp)

    def unanswered(self, question: Question) -> bool:
        """Whether another look at the same frame would say more than the last one."""
        return (
            question != self._answered
            or (self._check is not None and self._check.images is not None)
            or (self._forgetful is not None and not self._forgetful.done)
            or (self._top_classes is not None and question.ranked and self._top_classes.overdue)
        )

    def _prepare(self, question: Question) -> None:
        """Have ready what the question needs beside the network, and nothing else."""
        if not question.check:
            self._check = None
        elif self._check is None:
            self._check = FaithfulnessCheck(self._check_every)
        if not question.randomised:
            self._remember()
        elif self._forgetful is None:
            self._forgetful = RandomisedNetwork(self._classifier, self.device)
        now = time.monotonic()
        if self._forgetful and now - self._randomised_at >= _RANDOMISE_INTERVAL:
            self._forgetful.randomise_next()
            self._randomised_at = now
            self._begin_anew()

    def _remember(self) -> None:
        if self._forgetful:
            self._forgetful.close()
            self._begin_anew()
        self._forgetful = None

    def _begin_anew(self) -> None:
        """Let go of what another network said."""
        self._top_classes = self._top_classes and TopClasses()

    def _found(self, x: Tensor, frame: Frame, question: Question, timer: StageTimer) -> Findings:
        """Ask of a frame, and of the images that travel with it."""
        ranks = self._top_classes.indices if self._top_classes else ()
        pending = self._check.images if self._check else None
        batch = x if pending is None else torch.cat([x, pending])
        try:
            found = self._ask(batch, frame, question, ranks, timer)
        except NonFiniteError:
            if self._check:
                self._check.give_up()
            raise
        if self._check and pending is not None:
            self._check.conclude(found.logits[1:], self._classifier.labels)
        if self._top_classes:
            self._top_classes.update(found.scores().numpy(), frame.timestamp)
            now = self._top_classes.indices
            if ranks and asked_classes(question, now) != asked_classes(question, ranks):
                return self._ask(x, frame, question, now, timer)
        return found

    def _ask(
        self, x: Tensor, frame: Frame, question: Question, ranks: Sequence[int], timer: StageTimer
    ) -> Findings:
        asked: Asked = self.selector
        if self._forgetful:
            asked = self._forgetful.engine
        else:
            first = asked_classes(question, ranks)[0]
            self.selector.offer(x, first if first >= 0 else None, frame.image)
        labels = self._classifier.labels
        return ask(asked, x, question, labels, timer, ranks=ranks, ranking=self._strongest)

    def close(self) -> None:
        """Close the engines. May be called twice."""
        self._remember()
        self.selector.close()

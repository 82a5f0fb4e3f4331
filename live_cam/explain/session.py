"""What the live loop remembers from one explanation to the next."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from live_cam.explain.core import Plan
from live_cam.explain.faithfulness import FaithfulnessCheck
from live_cam.explain.heatmaps import target_classes
from live_cam.explain.randomisation import RandomisedNetwork
from live_cam.runtime.closing import Closing
from live_cam.temporal.hysteresis import Ranking, TopClasses

if TYPE_CHECKING:
    from live_cam.explain.core import Explained
    from live_cam.explain.loading import Loaded
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.question import Question

_RANDOMISE_INTERVAL: Final = 0.4
"""Seconds from one layer to the next: slow enough to watch."""


class Session(Closing):
    """The hysteresis, checks and randomised weights of one network in the live loop."""

    def __init__(self, network: Loaded, *, check_every: int, steady: bool) -> None:
        """Start without a frame.

        Args:
            network: The network.
            check_every: The number of explanations per check, if the question asks for checks.
            steady: Whether the shown top classes and feature maps change only once others lead
                clearly or for a moment.
        """
        self._network = network
        self._check_every = check_every
        self._top_classes = TopClasses() if steady else None
        self._strongest = Ranking() if steady else None
        self._check: FaithfulnessCheck | None = None
        self._randomised: RandomisedNetwork | None = None
        self._randomised_at = 0.0
        self._question: Question | None = None

    def plan(self, question: Question) -> Plan:
        """Prepare for a question, and return its plan."""
        # Recorded before the attempt: a frame that cannot be explained is not tried again.
        self._question = question
        if not question.check:
            self._check = None
        elif self._check is None:
            self._check = FaithfulnessCheck(self._check_every)
        self._randomise(wanted=question.randomised)
        return Plan(
            engine=self._randomised.engine if self._randomised else None,
            extra=self._check.images() if self._check else None,
            ranks=self._ranks,
            ranking=self._strongest,
        )

    @property
    def _ranks(self) -> tuple[int, ...]:
        return self._top_classes.indices if self._top_classes else ()

    def _randomise(self, *, wanted: bool) -> None:
        if not wanted:
            if self._randomised:
                self._randomised.close()
                self._restart_top_classes()
            self._randomised = None
            return
        if self._randomised is None:
            self._randomised = RandomisedNetwork(self._network.classifier, self._network.device)
        now = time.monotonic()
        if now - self._randomised_at >= _RANDOMISE_INTERVAL:
            self._randomised.randomise_next()
            self._randomised_at = now
            self._restart_top_classes()

    def _restart_top_classes(self) -> None:
        """Discard the ranking obtained with other weights."""
        self._top_classes = self._top_classes and TopClasses()

    def follow(self, explained: Explained, question: Question, frame: Frame) -> bool:
        """Record a frame's probabilities, and those of the masked images that joined it.

        Returns:
            Whether the order of the shown classes has changed, so that the question needs the
            gradients of other classes.
        """
        if self._check and self._check.pending:
            self._check.conclude(explained.logits[1:], self._network.classifier.labels)
        if not self._top_classes:
            return False
        before = self._top_classes.indices
        probabilities = explained.logits[0].softmax(dim=0)
        self._top_classes.update(probabilities.numpy(), frame.timestamp)
        classes = target_classes(question, self._top_classes.indices)
        return bool(before) and classes != target_classes(question, before)

    def finish(self, explained: Explained, *, checkable: bool) -> Explanation:
        """Return the explanation with the latest check, and start a new check if one is due.

        Args:
            explained: The frame's result.
            checkable: Whether masked images may join the next frame.
        """
        (explanation,) = explained.explanations
        check = self._check.latest if self._check else None
        explanation = replace(
            explanation,
            check=check if check and check.class_index == explanation.class_index else None,
            randomised=self._randomised.progress if self._randomised else None,
        )
        if self._check and checkable:
            self._check.consider(explained.x, explanation)
        return explanation

    def skip(self) -> None:
        """Discard the pending check, after the forward pass that it joined has failed."""
        if self._check:
            self._check.give_up()

    def repeat(self, frame: Frame) -> None:
        """Record that a frame shows what the last explained one showed."""
        if self._top_classes:
            self._top_classes.repeat(frame.timestamp)

    def incomplete(self, question: Question) -> bool:
        """Whether explaining the same frame again would add to its last explanation."""
        return (
            question != self._question
            or (self._check is not None and self._check.pending)
            or (self._randomised is not None and not self._randomised.done)
            or (self._top_classes is not None and question.ranked and self._top_classes.overdue)
        )

    def close(self) -> None:
        """Close the randomised network. May be called twice."""
        self._randomise(wanted=False)

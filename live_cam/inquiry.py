"""From a frame and a question to an explanation: what the loaded network is asked, and when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from live_cam.answers import answer, answers, wanted_classes
from live_cam.closing import Closing
from live_cam.errors import NonFiniteError
from live_cam.explanation import Answer, Explanation, Prediction
from live_cam.faithfulness import FaithfulnessCheck
from live_cam.leader import Leader
from live_cam.question import TOP_CLASS
from live_cam.randomisation import ShuffledNetwork
from live_cam.settings import TOP_K
from live_cam.timing import StageTimer

if TYPE_CHECKING:
    from torch import Tensor

    from live_cam.capture import Frame
    from live_cam.classifier import Classifier
    from live_cam.engines.selection import EngineSelector
    from live_cam.preprocess import Preprocessor
    from live_cam.question import Question

_SHUFFLE_INTERVAL: Final = 0.4
"""Seconds from one layer to the next: to be watched."""


class Inquiry(Closing):
    """Asks one network about frames."""

    def __init__(
        self,
        classifier: Classifier,
        preprocess: Preprocessor,
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
            steady: Whether the top class is the one that leads for a moment, not each frame's.
        """
        self.selector = selector
        self._classifier = classifier
        self._preprocess = preprocess
        self._device = device
        self._check_every = check_every
        self._leader = Leader() if steady else None
        self._check: FaithfulnessCheck | None = None
        self._forgetful: ShuffledNetwork | None = None
        self._shuffled_at = 0.0
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
        with timer.stage("total"):
            with timer.stage("preprocess"):
                x = self._preprocess(frame.image)
            found = self._found(x, frame, question, timer)
        explanation = self._explanation(found, frame, timer)
        # Until it is settled which engine explains, the frames are for finding out.
        if self._check and self.selector.settled:
            self._check.consider(x, explanation)
        return explanation

    def unanswered(self, question: Question) -> bool:
        """Whether another look at the same frame would say more than the last one."""
        return (
            question != self._answered
            or (self._check is not None and self._check.pictures is not None)
            or (self._forgetful is not None and not self._forgetful.done)
        )

    def _prepare(self, question: Question) -> None:
        """Have ready what the question needs beside the network, and nothing else."""
        if not question.check:
            self._check = None
        elif self._check is None:
            self._check = FaithfulnessCheck(self._check_every)
        if not question.shuffled:
            self._remember()
        elif self._forgetful is None:
            self._forgetful = ShuffledNetwork(self._classifier, self._device)
        now = time.monotonic()
        if self._forgetful and now - self._shuffled_at >= _SHUFFLE_INTERVAL:
            self._forgetful.shuffle_next()
            self._shuffled_at = now

    def _remember(self) -> None:
        if self._forgetful:
            self._forgetful.close()
        self._forgetful = None

    def _found(self, x: Tensor, frame: Frame, question: Question, timer: StageTimer) -> _Found:
        follows = self._leader if question.classes[0] == TOP_CLASS else None
        leader = follows.held if follows else None
        pending = self._check.pictures if self._check else None
        batch = x if pending is None else torch.cat([x, pending])
        try:
            found = self._ask(batch, frame, question, leader, timer)
        except NonFiniteError:
            if self._check:
                self._check.give_up()
            raise
        if self._check and pending is not None:
            self._check.conclude(found.logits[1:], self._classifier.labels)
        if follows:
            leader = follows.follow(found.scores.numpy(), frame.timestamp)
            if leader != found.class_index:
                return self._ask(x, frame, question, leader, timer)
        return found

    def _ask(
        self, x: Tensor, frame: Frame, question: Question, leader: int | None, timer: StageTimer
    ) -> _Found:
        forgetful = self._forgetful
        if question.plain:
            wanted = leader if question.classes[0] == TOP_CLASS else question.classes[0]
            if forgetful:
                result = forgetful.engine(x, wanted, timer)
            else:
                result = self.selector.explain(x, wanted, timer, frame.image)
            index = int(result.class_index[0])
            plain = answer(result.cam[0], question.methods[0], "gradcam for", index)
            return _Found([plain], result.logits, index)
        classes = wanted_classes(question, leader)
        if forgetful:
            evidence = forgetful.engine.evidence(x, classes, timer)
        else:
            evidence = self.selector.evidence(x, classes, timer, frame.image)
        with timer.stage("maps"):
            found = answers(evidence, question, self._classifier.labels, leader)
        return _Found(found, evidence.logits, int(evidence.classes[0, 0]))

    def _explanation(self, found: _Found, frame: Frame, timer: StageTimer) -> Explanation:
        first, *others = found.answers
        labels, index, scores = self._classifier.labels, found.class_index, found.scores
        best = scores.topk(min(TOP_K, len(labels)))
        height, width = frame.image.shape[:2]
        region = self._preprocess.region(width, height)
        check = self._check.latest if self._check else None
        return Explanation(
            heatmap=first.heatmap,
            title=first.title,
            signed=first.signed,
            kind=first.kind,
            strength=first.strength,
            others=tuple(others),
            region=region,
            seen=region,
            class_index=index,
            label=labels[index],
            score=float(scores[index]),
            top=tuple(
                Prediction(each, labels[each], score)
                for each, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            ),
            check=check if check and check.class_index == index else None,
            shuffled=self._forgetful.progress if self._forgetful else None,
            frame_index=frame.index,
            timestamp=frame.timestamp,
            seconds=timer.seconds,
        )

    def close(self) -> None:
        """Close the engines. May be called twice."""
        self._remember()
        self.selector.close()


class _Found(NamedTuple):
    answers: list[Answer]
    logits: Tensor
    """Of the frame first, then of what travelled with it."""
    class_index: int

    @property
    def scores(self) -> Tensor:
        return self.logits[0].softmax(dim=0)

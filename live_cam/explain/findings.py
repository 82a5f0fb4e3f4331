"""What a network says of a batch of images, whoever asks: the live loop, stills or a video."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from live_cam.engines.engine import read_back
from live_cam.explain.answers import answer, answers, asked_classes, prediction
from live_cam.explanation import Explanation
from live_cam.question import TOP_CLASS
from live_cam.settings import TOP_K

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from live_cam.cam.gradcam import CAM, CAMResult, Evidence
    from live_cam.explanation import Heatmap
    from live_cam.geometry import Region
    from live_cam.question import Question
    from live_cam.runtime.timing import StageTimer
    from live_cam.settings import StillMethod
    from live_cam.temporal.hysteresis import Ranking


class Asked(Protocol):
    """Who is asked: an `Engine`, or whoever answers by one."""

    def __call__(
        self, x: Tensor, class_index: int | None = None, timer: StageTimer | None = None
    ) -> CAMResult:
        """Explain one class by Grad-CAM, as `Engine` does."""

    def evidence(self, x: Tensor, wanted: Tensor, timer: StageTimer | None = None) -> Evidence:
        """Give what every method makes its map of, as `Engine` does."""


class Findings(NamedTuple):
    """What the network says of N images. To be read before it is asked again."""

    logits: Tensor
    """N×C float32."""
    classes: list[int]
    """N: the class that is explained in each."""
    answers: Callable[[int], list[Heatmap]]
    """Makes the maps of one of them, by its place in the batch: the explained class's first."""
    labels: Sequence[str]
    """The classes' names."""

    def scores(self, image: int = 0) -> Tensor:
        """Return the C softmax probabilities of one of the images."""
        return self.logits[image].softmax(dim=0)

    def explanation(
        self,
        image: int,
        region: Region,
        timer: StageTimer,
        *,
        index: int = 0,
        timestamp: float = 0.0,
    ) -> Explanation:
        """Explain one of the images.

        Args:
            image: Its place in the batch.
            region: Which part of it the network saw.
            timer: Is told how long making the maps took, and tells how long everything did.
            index: `Frame.index` of the image.
            timestamp: `Frame.timestamp` of it, in seconds.
        """
        with timer.stage("maps"):
            maps = tuple(self.answers(image))
        scores = self.scores(image)
        best = scores.topk(min(TOP_K, len(self.labels))).indices.tolist()
        return Explanation(
            maps,
            top=tuple(prediction(scores, index, self.labels) for index in best),
            frame_index=index,
            timestamp=timestamp,
            seconds=timer.seconds,
            region=region,
            seen=region,
        )


def ask(
    asked: Asked,
    x: Tensor,
    question: Question,
    labels: Sequence[str],
    timer: StageTimer,
    *,
    ranks: Sequence[int] = (),
    ranking: Ranking | None = None,
) -> Findings:
    """Ask a question of a batch of images: one forward pass, one batched gradient.

    Args:
        asked: Who explains.
        x: N×3×H×W float32, normalised as the network wants it, on its device.
        question: What is asked of each image.
        labels: The names of the network's classes.
        timer: Is told how long it took.
        ranks: The classes that are shown as the most probable ones for now; none: each image's.
        ranking: Says which feature maps are the strongest; None: each image's own.

    Raises:
        UsageError: A class does not exist.
        NonFiniteError: The scores or gradients are not finite.
    """
    classes = asked_classes(question, ranks)
    if question.plain and classes[0] >= TOP_CLASS:
        result = asked(x, classes[0] if classes[0] >= 0 else None, timer)
        return _plain(result, question.methods[0], labels)
    evidence = asked.evidence(x, torch.tensor(classes), timer)

    def maps(image: int) -> list[Heatmap]:
        return answers(evidence.of(image), question, labels, ranks, ranking)

    return Findings(evidence.logits, evidence.classes[:, 0].tolist(), maps, labels)


def ask_each(
    cam: CAM, x: Tensor, question: Question, labels: Sequence[str], timer: StageTimer
) -> Findings:
    """Ask for what speaks for each class, one after the other: for methods without a gradient.

    Args:
        cam: Who explains.
        x: As above.
        question: Of which only the classes, and the first method's name, count.
        labels: As above.
        timer: As above.

    Raises:
        UsageError: A class does not exist.
        NonFiniteError: The network's scores are not finite.
    """
    wanted = [None if index == TOP_CLASS else index for index in question.classes]
    results = [read_back(cam(x, index, timer)) for index in wanted]
    each = [_plain(result, question.methods[0], labels) for result in results]
    first = each[0]
    return first._replace(answers=lambda image: [one.answers(image)[0] for one in each])


def _plain(result: CAMResult, method: StillMethod, labels: Sequence[str]) -> Findings:
    classes = result.class_index.tolist()

    def maps(image: int) -> list[Heatmap]:
        scores = result.logits[image].softmax(dim=0)
        explained = prediction(scores, classes[image], labels)
        heatmap = answer(result.cam[image], method, f"{method} for", explained)
        return [replace(heatmap, method=method)]

    return Findings(result.logits, classes, maps, labels)

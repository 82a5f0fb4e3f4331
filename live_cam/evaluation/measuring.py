"""One picture, explained by every method, and how far each explanation can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from live_cam.closing import Closing
from live_cam.evaluation.curves import Curves
from live_cam.explanation import Prediction
from live_cam.findings import ask
from live_cam.metrics import (
    area,
    drop,
    increases,
    laid_over,
    masked,
    rank_correlation,
    ranks,
    step_counts,
)
from live_cam.question import TOP_CLASS, Question
from live_cam.randomisation import ShuffledNetwork
from live_cam.timing import StageTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.batch import BatchExplainer
    from live_cam.explanation import Answer

RANDOM: Final = "random"
"""The name of what every method must beat: a map of random numbers, as coarse as theirs."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How far one method's map of one picture can be trusted."""

    kept: float
    """The class's softmax probability on the picture multiplied with the map."""
    drop: float
    """As in `metrics.drop`."""
    increase: bool
    """As in `metrics.increases`."""
    deletion: tuple[float, ...]
    """The class's probability after each step of the deletion, from the whole picture on."""
    insertion: tuple[float, ...]
    """And of the insertion, from the blurred picture on."""
    deletion_area: float
    """The area under that curve, in [0, 1]."""
    insertion_area: float
    """Likewise."""
    last_layer: float | None
    """The map's rank correlation with the same network's once its last layer's weights are
    shuffled; None: of a random map."""
    all_layers: float | None
    """Likewise, with the weights of all layers shuffled."""
    empty: bool
    """Whether the map is the same everywhere, and so shows nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the network says of a picture, and the figures of every method."""

    explained: Prediction
    """The class that the maps explain."""
    top: Prediction
    """The most probable class."""
    figures: dict[str, Figures]
    """By the method's name; `RANDOM` is the last one."""


class Measuring(Closing):
    """Measures pictures with one network and two copies of it whose weights are shuffled."""

    def __init__(self, explainer: BatchExplainer, methods: Sequence[str], steps: int) -> None:
        """Shuffle the copies.

        Args:
            explainer: The network; loaded, and not closed with this.
            methods: Names in `settings.METHODS`.
            steps: In how many steps a picture is deleted and inserted.
        """
        self._explainer = explainer
        self._methods = tuple(methods)
        height, width = explainer.classifier.input_size
        self._counts = torch.tensor(step_counts(height * width, steps))
        self._last_layer = ShuffledNetwork(explainer.classifier, explainer.loaded.device)
        self._last_layer.shuffle_next()
        self._all_layers = ShuffledNetwork(explainer.classifier, explainer.loaded.device)
        self._all_layers.shuffle_all()

    @property
    def fractions(self) -> list[float]:
        """Which share of a picture is changed after each step of a curve."""
        counts = self._counts.tolist()
        return [count / counts[-1] for count in counts]

    def measure(
        self, image: NDArray[np.uint8], class_index: int | None, seed: int, step: Callable[[], None]
    ) -> Measured:
        """Measure one picture.

        Args:
            image: H×W×3, BGR.
            class_index: The class to explain; None: the top class.
            seed: Of the random map.
            step: Called once for each method, and once for the random map.

        Raises:
            NonFiniteError: The network's scores or gradients are not finite.
            EngineError: There is no memory for it.
        """
        wanted = TOP_CLASS if class_index is None else class_index
        (said,) = self._explainer.explain([image], Question((wanted,), self._methods))
        maps = _stacked(said.heatmap, said.others)
        x = self._explainer.prepare([image])
        alike = self._likenesses(x, said.class_index, maps)
        random = torch.rand(maps[:1].shape, generator=torch.Generator().manual_seed(seed))
        masks = laid_over(torch.cat([maps, random]), *x.shape[2:])
        figures = self._figures(x, said.class_index, masks, alike, step)
        explained = Prediction(said.class_index, said.label, said.score)
        return Measured(explained, said.top[0], figures)

    def _likenesses(self, x: Tensor, class_index: int, maps: Tensor) -> list[_Likeness]:
        """Compare each method's map with those of the shuffled networks."""
        question = Question((class_index,), self._methods)
        labels = self._explainer.labels
        found = []
        for network in (self._last_layer, self._all_layers):
            first, *others = ask(network.engine, x, question, labels, StageTimer()).answers(0)
            found.append(rank_correlation(maps, _stacked(first.heatmap, others)).tolist())
        return [_Likeness(*pair) for pair in zip(*found, strict=True)]

    def _figures(
        self,
        x: Tensor,
        class_index: int,
        masks: Tensor,
        alike: Sequence[_Likeness],
        step: Callable[[], None],
    ) -> dict[str, Figures]:
        def probability(pictures: Tensor) -> Tensor:
            return self._explainer.scores(pictures).softmax(dim=1)[:, class_index]

        curves = Curves(x, probability, self._counts)
        kept = probability(masked(x, masks.to(x.device)))
        drops, rises = drop(curves.whole, kept), increases(curves.whole, kept)
        figures = {}
        for place, name in enumerate((*self._methods, RANDOM)):
            rank = ranks(masks[place : place + 1])[0]
            deletion, insertion = curves.deletion(rank), curves.insertion(rank)
            figures[name] = Figures(
                kept=float(kept[place]),
                drop=float(drops[place]),
                increase=bool(rises[place]),
                deletion=tuple(deletion.tolist()),
                insertion=tuple(insertion.tolist()),
                deletion_area=float(area(deletion[None], self._counts)),
                insertion_area=float(area(insertion[None], self._counts)),
                last_layer=None if name == RANDOM else alike[place].last_layer,
                all_layers=None if name == RANDOM else alike[place].all_layers,
                empty=not bool(masks[place].any()),
            )
            step()
        return figures

    def close(self) -> None:
        """Let go of the copies. May be called twice."""
        self._last_layer.close()
        self._all_layers.close()


class _Likeness(NamedTuple):
    """How a map correlates with those of shuffled networks."""

    last_layer: float
    all_layers: float


def _stacked(first: NDArray[np.float32], others: Sequence[Answer]) -> Tensor:
    """Return the maps of all methods, N×h×w."""
    return torch.from_numpy(np.stack([first, *(other.heatmap for other in others)]))

"""One image, explained by every method, and how far each explanation can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from live_cam.cam.metrics import (
    area,
    drop,
    increases,
    laid_over,
    masked,
    rank_correlation,
    ranks,
    step_counts,
)
from live_cam.evaluation.curves import Curves
from live_cam.explain.randomisation import RandomisedNetwork
from live_cam.question import TOP_CLASS, Question
from live_cam.runtime.closing import Closing
from live_cam.settings import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.explain.batch import BatchExplainer
    from live_cam.explanation import Explanation, Heatmap, Prediction

RANDOM: Final = "random"
"""The name of what every method must beat: a map of random numbers, as coarse as theirs."""
_COARSE: Final = 14
"""Cells across and down."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How far one method's map of one image can be trusted."""

    kept: float
    """The class's softmax probability on the image multiplied with the map."""
    drop: float
    """As in `metrics.drop`."""
    increase: bool
    """As in `metrics.increases`."""
    deletion: tuple[float, ...]
    """The class's probability after each step of the deletion, from the whole image on."""
    insertion: tuple[float, ...]
    """And of the insertion, from the blurred image on."""
    deletion_area: float
    """The area under that curve, in [0, 1]."""
    insertion_area: float
    """Likewise."""
    last_layer: float | None
    """The map's rank correlation with the same network's once its last layer's weights are
    randomised; None: of a random map."""
    all_layers: float | None
    """Likewise, with the weights of all layers randomised."""
    empty: bool
    """Whether the map is the same everywhere, and so shows nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the network says of an image, and the figures of every method."""

    explained: Prediction
    """The class that the maps explain."""
    top: Prediction
    """The most probable class."""
    figures: dict[str, Figures]
    """By the method's name; `RANDOM` is the last one."""


class Measuring(Closing):
    """Measures images with one network and two copies of it whose weights are randomised."""

    def __init__(self, explainer: BatchExplainer, methods: Sequence[str], steps: int) -> None:
        """Randomise the copies.

        Args:
            explainer: The network; loaded, and not closed with this.
            methods: Names in `settings.STILL_METHODS`.
            steps: In how many steps an image is deleted and inserted.
        """
        self._explainer = explainer
        self._methods = tuple(methods)
        self._asked_together = _asked_together(self._methods, len(explainer.layers))
        height, width = explainer.classifier.input_size
        self._counts = torch.tensor(step_counts(height * width, steps))
        last_layer, all_layers = (_Copy(explainer) for _ in range(2))
        last_layer.network.randomise_next()
        all_layers.network.randomise_all()
        self._copies = last_layer, all_layers

    @property
    def fractions(self) -> list[float]:
        """Which share of an image is changed after each step of a curve."""
        counts = self._counts.tolist()
        return [count / counts[-1] for count in counts]

    def measure(
        self, image: NDArray[np.uint8], class_index: int | None, seed: int, step: Callable[[], None]
    ) -> Measured:
        """Measure one image.

        Args:
            image: H×W×3, BGR.
            class_index: The class to explain; None: the top class.
            seed: Of the random map.
            step: Called once for each method, and once for the random map.

        Raises:
            NonFiniteError: The network's scores or gradients are not finite.
            EngineError: There is no memory for it.
        """
        said, maps = self._explain(image, TOP_CLASS if class_index is None else class_index)
        x = self._explainer.prepare([image])
        alike = self._likenesses(image, said.class_index, maps)
        masks = laid_over(maps, *x.shape[2:])
        random = laid_over(_random_map(maps, seed), *x.shape[2:])
        figures = self._figures(x, said.class_index, torch.cat([masks, random]), alike, step)
        return Measured(said.target, said.top[0], figures)

    def _explain(self, image: NDArray[np.uint8], wanted: int) -> tuple[Explanation, Tensor]:
        """Return what the network says, and the maps of all methods, N×h×w."""
        found: dict[str, NDArray[np.float32]] = {}
        for methods in self._asked_together:
            (said,) = self._explainer.explain([image], Question((wanted,), methods))
            wanted = said.class_index
            found |= _named(methods, said.maps)
        return said, self._stacked(found)

    def _likenesses(
        self, image: NDArray[np.uint8], class_index: int, maps: Tensor
    ) -> list[_Likeness]:
        """Compare each method's map with those of the randomised networks."""
        correlations = []
        for copy in self._copies:
            found: dict[str, NDArray[np.float32]] = {}
            for methods in self._asked_together:
                question = Question((class_index,), methods)
                found |= _named(methods, copy.maps(image, question, self._explainer.batch_size))
            correlations.append(rank_correlation(maps, self._stacked(found)).tolist())
        return [_Likeness(*pair) for pair in zip(*correlations, strict=True)]

    def _stacked(self, maps: Mapping[str, NDArray[np.float32]]) -> Tensor:
        return torch.from_numpy(np.stack([maps[method] for method in self._methods]))

    def _figures(
        self,
        x: Tensor,
        class_index: int,
        masks: Tensor,
        alike: Sequence[_Likeness],
        step: Callable[[], None],
    ) -> dict[str, Figures]:
        def probability(images: Tensor) -> Tensor:
            return self._explainer.logits(images).softmax(dim=1)[:, class_index]

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
        for copy in self._copies:
            copy.close()


class _Likeness(NamedTuple):
    """How a map correlates with those of randomised networks."""

    last_layer: float
    all_layers: float


class _Copy(Closing):
    """A copy of the network, to be randomised, and what explains by it."""

    def __init__(self, explainer: BatchExplainer) -> None:
        loaded = explainer.loaded
        self.network = RandomisedNetwork(loaded.classifier, loaded.device)
        # By the plain engine, whatever explains the original: it is for comparison.
        self._explainer = explainer.for_network(self.network.classifier)

    def maps(self, image: NDArray[np.uint8], question: Question, batch: int) -> Sequence[Heatmap]:
        self._explainer.batch_size = batch
        return self._explainer.explain([image], question)[0].maps

    def close(self) -> None:
        self._explainer.close()
        self.network.close()


def _asked_together(methods: Sequence[str], layers: int) -> list[tuple[str, ...]]:
    """Return which methods one question asks for: at one layer, all that share a gradient."""
    shared = tuple(method for method in methods if method in METHODS and layers == 1)
    return [*([shared] if shared else []), *((each,) for each in methods if each not in shared)]


def _named(methods: Sequence[str], maps: Sequence[Heatmap]) -> dict[str, NDArray[np.float32]]:
    """Return each method's map by its name."""
    return dict(zip(methods, (each.values for each in maps), strict=True))


def _random_map(maps: Tensor, seed: int) -> Tensor:
    """Return a map of random numbers, 1×h×w, as coarse as these or as features usually are.

    Not finer: noise of single pixels takes any image apart, and its curve falls at once.
    """
    height, width = (min(side, _COARSE) for side in maps.shape[1:])
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(seed))

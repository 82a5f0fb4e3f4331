"""The metrics of every method on one image: how far each heatmap can be trusted."""

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
    from live_cam.settings import StillMethod

RANDOM: Final = "random"
"""The name of the baseline: a map of random numbers, as coarse as the maps of the methods."""
_COARSE: Final = 14
"""The baseline's largest side, in cells."""


@dataclass(frozen=True, slots=True)
class MapMetrics:
    """The metrics of one method's map of one image."""

    kept: float
    """The class's probability on the image multiplied by the map."""
    drop: float
    """See `metrics.drop`."""
    increase: bool
    """See `metrics.increases`."""
    deletion: tuple[float, ...]
    """The class's probability at each step of the deletion, starting with the whole image."""
    insertion: tuple[float, ...]
    """The class's probability at each step of the insertion, starting with the blurred image."""
    deletion_area: float
    """The area under the deletion curve, in [0, 1]."""
    insertion_area: float
    """The area under the insertion curve, in [0, 1]."""
    last_layer: float | None
    """Rank correlation with the map of the same network after the weights of its last layer are
    randomised, or None for the random map."""
    all_layers: float | None
    """Rank correlation after the weights of all layers are randomised, or None for the random
    map."""
    empty: bool
    """Whether the map is 0 everywhere."""


@dataclass(frozen=True, slots=True)
class ImageMetrics:
    """The network's prediction for an image, and the metrics of every method."""

    explained: Prediction
    """The class that the maps explain."""
    top: Prediction
    """The most probable class."""
    methods: dict[str, MapMetrics]
    """The metrics by method name; `RANDOM` comes last."""


class Evaluator(Closing):
    """Measures images with one network and two copies of it with randomised weights."""

    def __init__(
        self, explainer: BatchExplainer, methods: Sequence[StillMethod], steps: int
    ) -> None:
        """Copy the network and randomise the copies.

        Args:
            explainer: A loaded explainer; the caller closes it.
            methods: Names in `settings.STILL_METHODS`.
            steps: The number of steps of the deletion and insertion curves.
        """
        self._explainer = explainer
        self._methods = tuple(methods)
        self._grouped = _grouped(self._methods, len(explainer.layers))
        height, width = explainer.classifier.input_size
        self._counts = torch.tensor(step_counts(height * width, steps))
        last_layer, all_layers = (_Copy(explainer) for _ in range(2))
        last_layer.network.randomise_next()
        all_layers.network.randomise_all()
        self._copies = last_layer, all_layers

    @property
    def fractions(self) -> list[float]:
        """The fraction of the image that is changed at each point of a curve."""
        counts = self._counts.tolist()
        return [count / counts[-1] for count in counts]

    def measure(
        self, image: NDArray[np.uint8], class_index: int | None, seed: int, step: Callable[[], None]
    ) -> ImageMetrics:
        """Measure one image.

        Args:
            image: H×W×3, BGR.
            class_index: The class to explain, or None for the top class.
            seed: The seed of the random map.
            step: Called after each method and after the random map.

        Raises:
            NonFiniteError: The network's logits or gradients are not finite.
            EngineError: The device has too little memory.
        """
        wanted = TOP_CLASS if class_index is None else class_index
        explanation, maps = self._explain(image, wanted)
        target = explanation.target
        x = self._explainer.prepare([image])
        correlations = self._correlations(image, target.class_index, maps)
        masks = laid_over(maps, *x.shape[2:])
        random = laid_over(_random_map(maps, seed), *x.shape[2:])
        masks = torch.cat([masks, random])
        metrics = self._map_metrics(x, target.class_index, masks, correlations, step)
        return ImageMetrics(target, explanation.top[0], metrics)

    def _explain(self, image: NDArray[np.uint8], wanted: int) -> tuple[Explanation, Tensor]:
        """Return the explanation and the maps of all methods, N×h×w."""
        maps: dict[str, NDArray[np.float32]] = {}
        for methods in self._grouped:
            (explanation,) = self._explainer.explain([image], Question((wanted,), methods))
            wanted = explanation.class_index
            maps |= _named(methods, explanation.maps)
        return explanation, self._stacked(maps)

    def _correlations(
        self, image: NDArray[np.uint8], class_index: int, maps: Tensor
    ) -> list[_Correlations]:
        """Correlate each method's map with those of the randomised networks."""
        correlations = []
        for copy in self._copies:
            randomised: dict[str, NDArray[np.float32]] = {}
            for methods in self._grouped:
                question = Question((class_index,), methods)
                randomised |= _named(
                    methods, copy.maps(image, question, self._explainer.batch_size)
                )
            correlations.append(rank_correlation(maps, self._stacked(randomised)).tolist())
        return [_Correlations(*pair) for pair in zip(*correlations, strict=True)]

    def _stacked(self, maps: Mapping[str, NDArray[np.float32]]) -> Tensor:
        return torch.from_numpy(np.stack([maps[method] for method in self._methods]))

    def _map_metrics(
        self,
        x: Tensor,
        class_index: int,
        masks: Tensor,
        correlations: Sequence[_Correlations],
        step: Callable[[], None],
    ) -> dict[str, MapMetrics]:
        def probability(images: Tensor) -> Tensor:
            return self._explainer.logits(images).softmax(dim=1)[:, class_index]

        curves = Curves(x, probability, self._counts)
        kept = probability(masked(x, masks.to(x.device)))
        drops, rises = drop(curves.whole, kept), increases(curves.whole, kept)
        metrics = {}
        for place, name in enumerate((*self._methods, RANDOM)):
            rank = ranks(masks[place : place + 1])[0]
            deletion, insertion = curves.deletion(rank), curves.insertion(rank)
            correlation = correlations[place] if name != RANDOM else None
            metrics[name] = MapMetrics(
                kept=float(kept[place]),
                drop=float(drops[place]),
                increase=bool(rises[place]),
                deletion=tuple(deletion.tolist()),
                insertion=tuple(insertion.tolist()),
                deletion_area=float(area(deletion[None], self._counts)),
                insertion_area=float(area(insertion[None], self._counts)),
                last_layer=correlation.last_layer if correlation else None,
                all_layers=correlation.all_layers if correlation else None,
                empty=not bool(masks[place].any()),
            )
            step()
        return metrics

    def close(self) -> None:
        """Release the copies. May be called twice."""
        for copy in self._copies:
            copy.close()


class _Correlations(NamedTuple):
    """A map's rank correlations with those of the randomised networks."""

    last_layer: float
    all_layers: float


class _Copy(Closing):
    """A copy of the network whose weights can be randomised, with its own engine."""

    def __init__(self, explainer: BatchExplainer) -> None:
        loaded = explainer.loaded
        self.network = RandomisedNetwork(loaded.classifier, loaded.device)
        # The plain engine in float32, independent of how the original network is run.
        self._explainer = explainer.for_network(self.network.classifier)

    def maps(self, image: NDArray[np.uint8], question: Question, batch: int) -> Sequence[Heatmap]:
        self._explainer.batch_size = batch
        return self._explainer.explain([image], question)[0].maps

    def close(self) -> None:
        self._explainer.close()
        self.network.close()


def _grouped(methods: Sequence[StillMethod], layers: int) -> list[tuple[StillMethod, ...]]:
    """Group the methods by question: at a single layer, all that share a gradient go together."""
    shared = tuple(method for method in methods if method in METHODS and layers == 1)
    return [
        *([shared] if shared else []),
        *((method,) for method in methods if method not in shared),
    ]


def _named(methods: Sequence[str], maps: Sequence[Heatmap]) -> dict[str, NDArray[np.float32]]:
    """Return each method's map by its name."""
    return dict(zip(methods, (heatmap.values for heatmap in maps), strict=True))


def _random_map(maps: Tensor, seed: int) -> Tensor:
    """Return a map of random numbers, 1×h×w, no finer than these maps or a usual target layer.

    Noise at the scale of single pixels destroys any image, so that its deletion curve would fall
    immediately.
    """
    height, width = (min(side, _COARSE) for side in maps.shape[1:])
    return torch.rand(1, height, width, generator=torch.Generator().manual_seed(seed))

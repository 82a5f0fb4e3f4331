"""Many images explained at once: stills, and the frames of a video."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from live_cam.cam.guided import guided_backpropagation, guided_gradcam
from live_cam.engines import open_engine
from live_cam.engines.selection import EngineSelector
from live_cam.errors import OutOfMemoryError, UsageError, first_line
from live_cam.explain.batch_size import room_for
from live_cam.explain.cam_engine import CAMEngine, PartProgress
from live_cam.explain.core import ExplanationCore, Plan
from live_cam.explain.loading import share_threads
from live_cam.frame import Frame
from live_cam.network.target_layer import get_layer
from live_cam.question import FOR
from live_cam.runtime.closing import Closing
from live_cam.settings import ACCELERATORS, NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines import Engine
    from live_cam.explain.loading import Loaded
    from live_cam.explanation import Explanation
    from live_cam.network.classifier import Classifier
    from live_cam.question import Question


class BatchExplainer(Closing):
    """Explains images by the network that the settings name, as many at once as memory allows.

    Attributes:
        batch_size: The number of images explained at once. It is halved if memory runs out.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        notify: Callable[[str], None],
        *,
        batch: int | None = None,
        more_layers: tuple[str, ...] = (),
        progress: Callable[[float], None] | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        """Prepare; `load` loads the network.

        Args:
            settings: The network, weights, layer, device, engine and precision.
            notify: Called with each message for the user, one sentence per call.
            batch: The number of images to explain at once, by default as many as fit.
            more_layers: Target layers in addition to the settings' own. All maps are averaged.
            progress: Called with the finished share of an image, in [0, 1], if it takes long.
            loaded: Explained instead of the settings' network, without a fallback to the CPU.
        """
        self.batch_size = batch or 1
        self._automatic = batch is None
        self._settings = settings
        self._notify = notify
        self._more_layers = more_layers
        self._progress = PartProgress(progress)
        self._cam: CAMEngine | None = None
        self._cam_key: tuple[object, ...] = ()
        self._core = ExplanationCore(
            settings, self._open_engines, notify, release=self._close_cam, network=loaded
        )

    def load(self) -> None:
        """Select the device, load the network and open the engine.

        Raises:
            UsageError: A name or file is wrong; the message says which.
            WeightsError: The weights are not available.
            EngineError: The engine that the user named is not installed or cannot run the network.
        """
        share_threads(self._settings.threads, spare=0)
        self._core.load()

    def _open_engines(self, network: Loaded, settings: NetworkSettings) -> EngineSelector:
        self._settings = settings
        for layer in self._more_layers:
            get_layer(network.classifier.module, layer)
        opening = partial(open_engine, classifier=network.classifier, device=network.device)
        name = _engine_name(settings)
        # OpenVINO supports precisions that torch does not support on a CPU.
        precision = "auto" if name == "openvino" else settings.precision
        accelerator = settings.device if settings.device in ACCELERATORS else "cpu"
        selector = EngineSelector(
            partial(opening, "hook", precision=precision),
            (),
            self._notify,
            self._notify,
            first=None
            if name == "hook"
            else partial(opening, name, precision=settings.precision, accelerator=accelerator),
        )
        if self._automatic:
            height, width = network.classifier.input_size
            self.batch_size = room_for(height * width, network.device)
        return selector

    @property
    def loaded(self) -> Loaded:
        """The network with its preprocessing and device, once loaded."""
        return self._core.network

    @property
    def classifier(self) -> Classifier:
        """The network, once loaded."""
        return self.loaded.classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the network's classes, once loaded."""
        return self.classifier.labels

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the target layers, once loaded."""
        return (self.classifier.layer, *self._more_layers)

    @property
    def engine(self) -> Engine:
        """The present engine, once loaded."""
        self._close_cam()
        return self._core.engines.engine

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Return images as the network's input.

        Args:
            images: N of H×W×3, BGR, each of any size.

        Returns:
            N×3×H×W float32, normalised, on the network's device.
        """
        return self._core.prepare(images)

    def explain(self, images: Sequence[NDArray[np.uint8]], question: Question) -> list[Explanation]:
        """Explain what the network recognises in each image, and where.

        Each `batch_size` images take one forward pass and one batched gradient. A perturbation
        method takes one image after another, with `batch_size` perturbed ones per forward pass. If
        an engine or device fails, the next one explains the remaining images.

        Args:
            images: N of H×W×3, BGR, each of any size.
            question: The question about each of them.

        Returns:
            N explanations, each scaled on its own; their `frame_index` is the place in `images`.

        Raises:
            UsageError: A class does not exist.
            NonFiniteError: The network's logits or gradients are not finite.
            EngineError: There is no memory for even one image, or every engine has failed.
            RuntimeError: Called before `load` or after `close`.
        """
        frames = [Frame(image, index, 0.0) for index, image in enumerate(images)]
        explanations: list[Explanation] = []
        while len(explanations) < len(images):
            first = len(explanations)
            batch = frames[first : first + (1 if question.perturbs else self.batch_size)]
            at_once = self.batch_size if question.perturbs else len(batch)
            plan = partial(self._plan, question)
            try:
                explained = self._core.explain(batch, question, plan, split=at_once > 1)
            except OutOfMemoryError as error:
                self._halve(at_once, error)
            else:
                explanations += explained.explanations
        return explanations

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of images, without maps.

        Args:
            x: N×3×H×W float32, normalised, as `prepare` returns them, at least 1.

        Returns:
            N×C float32, in the CPU's memory.

        Raises:
            EngineError: There is no memory for even one image, or every engine has failed.
            RuntimeError: Called before `load` or after `close`.
        """
        self._close_cam()
        logits: list[Tensor] = []
        rest = x
        while len(rest):
            batch = rest[: self.batch_size]
            try:
                logits.append(self._core.logits(batch))
            except OutOfMemoryError as error:
                self._halve(len(batch), error)
            else:
                rest = rest[len(batch) :]
        return torch.cat(logits)

    def guided(self, image: NDArray[np.uint8], explanation: Explanation) -> NDArray[np.float32]:
        """Return Guided Grad-CAM of an image (Selvaraju et al. 2017, figure 1).

        Args:
            image: H×W×3, BGR.
            explanation: The image's explanation. Negative values of its heatmap are ignored.

        Returns:
            h×w×3 float32, of either sign, at the size of the network's input; red, green and blue.

        Raises:
            UsageError: The network has no ReLU.
            NonFiniteError: The network's logits or gradients are not finite.
            RuntimeError: Called before `load` or after `close`.
        """
        x = self.prepare([image])
        self._release()  # a hook cuts the tape, which has to reach the image here
        gradients = guided_backpropagation(self.classifier.module, x, explanation.class_index)
        cam = torch.from_numpy(explanation.heatmap).clamp_min(0)[None].to(gradients.device)
        guided = guided_gradcam(gradients, cam)[0]
        return np.asarray(guided.permute(1, 2, 0).cpu().numpy())

    def for_network(self, classifier: Classifier) -> BatchExplainer:
        """Return a loaded explainer of another network, with the plain engine in float32.

        Args:
            classifier: The network, with the same input and on the same device as this one's.
        """
        other = BatchExplainer(
            replace(self._settings, engine="hook", precision="fp32", device="auto"),
            self._notify,
            batch=self.batch_size,
            more_layers=self._more_layers,
            loaded=self.loaded._replace(classifier=classifier),
        )
        other.load()
        return other

    # ---- memory and methods --------------------------------------------------------------------

    def _halve(self, count: int, error: OutOfMemoryError) -> None:
        """Halve the batch after memory ran out with `count` images.

        Raises:
            OutOfMemoryError: There was only one image.
        """
        if count == 1:
            raise OutOfMemoryError(
                f"{self.loaded.device} has no memory for even one image at once "
                f"({first_line(error)}); use `device=cpu`, or a smaller network with `model`."
            ) from error
        self.batch_size = count // 2

    def _plan(self, question: Question) -> Plan:
        """Open the engine that a question needs, and close the other: hooks interfere."""
        # Feature maps are those of the first layer, weighted by its gradient.
        if question.feature_maps or not (self._more_layers or question.perturbs):
            self._close_cam()
            return Plan()
        if len(question.methods) > 1 or question.evidence != FOR:
            raise UsageError(
                "several layers, and the methods scorecam and ablationcam, show only the evidence "
                "for a class; omit `counterfactual`."
            )
        settings, method = self._settings, question.methods[0]
        if settings.device in ACCELERATORS:
            raise UsageError(
                f"several layers, and the methods scorecam and ablationcam, need torch, which does "
                f"not compute on {settings.device}; use `device=auto` or `device=cpu`."
            )
        key = method, self.batch_size
        if self._cam is None or self._cam_key != key:
            self._release()
            self._cam = CAMEngine(
                self.loaded,
                self.layers,
                method,
                precision=settings.precision,
                batch=self.batch_size,
                progress=self._progress,
            )
            self._cam_key = key
        self._progress.begin(parts=len(question.classes) * len(self.layers))
        return Plan(self._cam)

    def _release(self) -> None:
        """Remove all hooks from the network."""
        self._close_cam()
        self._core.engines.release()

    def _close_cam(self) -> None:
        cam, self._cam = self._cam, None
        if cam:
            cam.close()

    def close(self) -> None:
        """Close the engines. May be called twice."""
        self._core.close()


def _engine_name(settings: NetworkSettings) -> str:
    """Return the engine that the settings name, or else the plain one."""
    if settings.device in ACCELERATORS or settings.precision == "int8":
        return "openvino"
    return "hook" if settings.engine == "auto" else settings.engine

"""Many images explained at once: stills, and the frames of a video."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from live_cam.engines.faults import FAILURES, free_memory, known_fault, reason
from live_cam.errors import EngineError, OutOfMemoryError, first_line
from live_cam.explain.batch_size import room_for
from live_cam.explain.loading import cpu_may_step_in, load_network, share_threads
from live_cam.explain.respondent import Respondent, perturbs
from live_cam.network.target_layer import get_layer
from live_cam.runtime.closing import Closing
from live_cam.runtime.timing import StageTimer
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines import Engine
    from live_cam.explain.loading import Loaded
    from live_cam.explanation import Explanation
    from live_cam.geometry import Region
    from live_cam.network.classifier import Classifier
    from live_cam.question import Question
    from live_cam.settings import NetworkSettings

Result = TypeVar("Result")


class BatchExplainer(Closing):
    """Explains images by the network that the settings name, as many at once as there is room.

    Attributes:
        batch_size: How many are explained at once: halved where memory runs out.
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
        """Take the settings; nothing is loaded yet.

        Args:
            settings: Which network, weights, layer, device and precision.
            notify: Called with what the user must know, one sentence a call.
            batch: How many images to explain at once; None: by the device and its memory.
            more_layers: Target layers beside the settings' own: the maps of all are averaged.
            progress: Told what share of an image that takes long is done, in [0, 1].
            loaded: A network that is ready, or None to load the settings'.
        """
        self.batch_size = batch or 1
        self._automatic = batch is None
        self._settings = settings
        self._notify = notify
        self._more_layers = more_layers
        self._progress = progress
        self._given = loaded
        self._loaded: Loaded | None = None
        self._respondent: Respondent | None = None

    def load(self) -> None:
        """Choose the device, load the network and open the engine on it.

        Raises:
            UsageError: A wrong name or file; the message says which.
            WeightsError: The weights cannot be had.
            EngineError: The engine that was asked for is not installed or cannot run the network.
        """
        share_threads(self._settings.threads, spare=0)
        try:
            loaded = self._given or load_network(self._settings, self._notify, self._notify)
        except EngineError as error:
            if not cpu_may_step_in(self._settings):
                raise
            self._notify(f"Going on with the CPU: {error}")
            self._settings = replace(self._settings, device="cpu", precision="auto")
            loaded = load_network(self._settings, self._notify, self._notify)
        self._loaded = loaded
        for layer in self._more_layers:
            get_layer(loaded.classifier.module, layer)
        self._respondent = Respondent(loaded, self._settings, self._more_layers, self._progress)
        self._respondent.engine()  # what cannot be had is said now
        if self._automatic:
            height, width = loaded.classifier.input_size
            self.batch_size = room_for(height * width, loaded.device)

    @property
    def classifier(self) -> Classifier:
        """The network, once loaded."""
        return self._ready[0].classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the network's classes, once loaded."""
        return self.classifier.labels

    @property
    def loaded(self) -> Loaded:
        """The network with what belongs to it, once loaded."""
        return self._ready[0]

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the target layers, once loaded."""
        return self._ready[1].layers

    @property
    def engine(self) -> Engine:
        """What computes gradients and scores, once loaded."""
        return self._ready[1].engine()

    @property
    def _ready(self) -> tuple[Loaded, Respondent]:
        if self._loaded is None or self._respondent is None:
            raise RuntimeError("a BatchExplainer explains only between load() and close()")
        return self._loaded, self._respondent

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Make images into the network's input.

        Args:
            images: N of H×W×3, BGR, each of any size.

        Returns:
            N×3×H×W float32, normalised, on the network's device.
        """
        return torch.cat([self._ready[0].preprocess(image) for image in images])

    def explain(self, images: Sequence[NDArray[np.uint8]], question: Question) -> list[Explanation]:
        """Say what the network sees in each image and which part of it made it say so.

        Every `batch_size` of them take one forward pass and one batched gradient. A method that
        perturbs images takes one image after another, and `batch_size` of its changed ones.
        Where the device or engine fails, the plain engine on the CPU goes on with them.

        Args:
            images: N of H×W×3, BGR, each of any size.
            question: What is asked of each.

        Returns:
            N explanations, each image's map scaled by itself; their `frame_index` is the place in
            `images`.

        Raises:
            UsageError: A class does not exist.
            NonFiniteError: The network's scores or gradients are not finite.
            EngineError: There is not even memory for one image at once.
            RuntimeError: Called before `load` or after `close`.
        """
        found: list[Explanation] = []
        while len(found) < len(images):
            count = 1 if perturbs(question) else self.batch_size
            batch = images[len(found) : len(found) + count]
            try:
                explained = self._explained(batch, question, first=len(found))
            except EngineError as error:
                self._move_to_cpu(error)
                continue
            found += explained or ()
        return found

    def scores(self, x: Tensor) -> Tensor:
        """Give the scores of images alone, without explaining them.

        Args:
            x: N×3×H×W float32, normalised, as `prepare` returns them, at least 1.

        Returns:
            N×C float32 logits, in the CPU's memory.

        Raises:
            EngineError: There is not even memory for one image at once.
            RuntimeError: Called before `load` or after `close`.
        """
        found: list[Tensor] = []
        rest = x
        while len(rest):
            batch = rest[: self.batch_size]
            scored = self._where_it_fits(len(batch), partial(self._scored, batch))
            if scored is not None:
                found.append(scored)
                rest = rest[len(batch) :]
        return torch.cat(found)

    def guided(self, image: NDArray[np.uint8], said: Explanation) -> NDArray[np.float32]:
        """Return Guided Grad-CAM of an image (Selvaraju et al. 2017, figure 1).

        Args:
            image: H×W×3, BGR.
            said: What was explained of it; of its heatmap counts what is above 0.

        Returns:
            h×w×3 float32, of either sign, in the size of the network's input; red, green and blue.

        Raises:
            UsageError: The network has no ReLU.
            NonFiniteError: The network's scores or gradients are not finite.
            RuntimeError: Called before `load` or after `close`.
        """
        cam = torch.from_numpy(said.heatmap).clamp_min(0)[None]
        found = self._ready[1].guided(self.prepare([image]), said.class_index, cam)
        return np.asarray(found[0].permute(1, 2, 0).cpu().numpy())

    def _scored(self, x: Tensor) -> Tensor:
        return self.engine.scores(x).cpu()

    def _explained(
        self, images: Sequence[NDArray[np.uint8]], question: Question, first: int
    ) -> list[Explanation] | None:
        """Explain a batch; None where there was no memory for it, and the next one is smaller."""
        respondent = self._ready[1]
        at_once = self.batch_size if perturbs(question) else len(images)
        timer = StageTimer()

        def explain() -> list[Explanation]:
            with timer.stage("total"):
                with timer.stage("preprocess"):
                    x = self.prepare(images)
                found = respondent.ask(x, question, timer, self.batch_size)
                return [
                    found.explanation(place, self._region(image), timer, index=first + place)
                    for place, image in enumerate(images)
                ]

        return self._where_it_fits(at_once, explain)

    def _where_it_fits(self, count: int, run: Callable[[], Result]) -> Result | None:
        """Run a batch; None where there was no memory for it, and the next one is smaller.

        Raises:
            EngineError: There is not even memory for one image, or the device or engine failed.
        """
        device = self.loaded.device
        try:
            return run()
        except FAILURES as error:
            fault = known_fault(error, self.classifier.name, str(device))
            if fault is None and self._ready[1].engine_name == "openvino":
                fault = EngineError(f"OpenVINO has failed ({reason(error)}).")
            if fault is None:
                raise
            if count == 1 and isinstance(fault, OutOfMemoryError):
                raise OutOfMemoryError(
                    f"{device} has no memory for even one image at once "
                    f"({first_line(error)}); use --device cpu, or a smaller network with --model."
                ) from error
            if not isinstance(fault, OutOfMemoryError):
                raise fault from error
        # Only here is what the failed attempt held let go of.
        self.batch_size = count // 2
        free_memory(str(device))
        return None

    def _move_to_cpu(self, fault: EngineError) -> None:
        """Go on with the plain engine on the CPU, for the rest of the images.

        Raises:
            EngineError: The fault, where that is what has failed.
        """
        loaded, respondent = self._ready
        device, model = str(loaded.device), self._settings.model
        if device == "cpu" and respondent.engine_name == "hook":
            raise fault
        if loaded.classifier.name == EMBEDDED_MODEL:
            model = EMBEDDED_MODEL  # where it stepped in, too
        self._notify(f"Going on with the plain engine on the CPU: {fault}")
        del loaded, respondent
        with suppress(*FAILURES):
            self.close()
        free_memory(device)
        self._settings = replace(
            self._settings, model=model, device="cpu", precision="auto", engine="hook"
        )
        self.load()

    def _region(self, image: NDArray[np.uint8]) -> Region:
        height, width = image.shape[:2]
        return self._ready[0].preprocess.region(width, height)

    def close(self) -> None:
        """Close what explains. May be called twice."""
        respondent, self._respondent, self._loaded = self._respondent, None, None
        if respondent:
            respondent.close()

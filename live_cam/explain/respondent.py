"""Who answers questions about images: an engine, or a method or layers that no engine knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.cam.gradcam import CAM
from live_cam.cam.guided import guided_backpropagation, guided_gradcam
from live_cam.cam.opening import open_cam
from live_cam.engines import Engine, open_engine
from live_cam.errors import UsageError
from live_cam.explain.findings import ask, ask_each
from live_cam.network.precision import Precision
from live_cam.question import FOR
from live_cam.runtime.closing import Closing
from live_cam.settings import ACCELERATORS, METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from live_cam.explain.findings import Findings
    from live_cam.explain.loading import Loaded
    from live_cam.question import Question
    from live_cam.runtime.timing import StageTimer
    from live_cam.settings import NetworkSettings


class Respondent(Closing):
    """Opens what a question needs, and has it answer.

    One thing is open at a time: the hooks of two would see each other's passes.

    Attributes:
        layers: Dotted names of the target layers.
    """

    def __init__(
        self,
        loaded: Loaded,
        settings: NetworkSettings,
        more_layers: tuple[str, ...] = (),
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Take the network; nothing is opened yet.

        Args:
            loaded: The network.
            settings: By which engine, and how precisely.
            more_layers: Target layers beside the network's own: the maps of all are averaged.
            progress: Told what share of an answer that takes long is done, in [0, 1].
        """
        self.layers = (loaded.classifier.layer, *more_layers)
        self._loaded = loaded
        self._settings = settings
        self._progress = _Progress(progress)
        self._open: Engine | CAM | None = None
        self._key: tuple[object, ...] = ()

    def ask(self, x: Tensor, question: Question, timer: StageTimer, batch: int) -> Findings:
        """Answer a question of a batch of images.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on its device.
            question: What is asked of each image.
            timer: Is told how long it took.
            batch: How many changed images a method that perturbs them may look at at once.

        Raises:
            UsageError: A class does not exist, or nothing answers such a question.
            NonFiniteError: The network's scores or gradients are not finite.
            EngineError: The engine cannot be had.
        """
        labels = self._loaded.classifier.labels
        if not self._beyond_engines(question):
            return ask(self.engine(), x, question, labels, timer)
        if len(question.methods) > 1 or question.evidence != FOR:
            raise UsageError(
                "several layers, and the methods scorecam and ablationcam, show what speaks for a "
                "class and nothing else; leave --counterfactual out."
            )
        self._progress.begin(parts=len(question.classes) * len(self.layers))
        return ask_each(self._cam(question.methods[0], batch), x, question, labels, timer)

    def guided(self, x: Tensor, class_index: int, cam: Tensor) -> Tensor:
        """Multiply a map by guided backpropagation, which needs the tape below the layer, too.

        Args:
            x: 1×3×H×W float32, as above.
            class_index: Which class.
            cam: 1×h×w float32, at least 0: what speaks for it.

        Returns:
            1×3×H×W float32, of either sign.

        Raises:
            UsageError: The network has no ReLU.
            NonFiniteError: The scores or gradients are not finite.
        """
        self.close()  # its hook cuts the tape
        gradients = guided_backpropagation(self._loaded.classifier.module, x, class_index)
        return guided_gradcam(gradients, cam.to(gradients.device))

    def _beyond_engines(self, question: Question) -> bool:
        if question.feature_maps:
            return False  # they are those of the first layer, weighed by its gradient
        return len(self.layers) > 1 or perturbs(question)

    @property
    def engine_name(self) -> str:
        """Which engine answers where one does: the plain one, unless another was asked for."""
        settings = self._settings
        if settings.device in ACCELERATORS or settings.precision == "int8":
            return "openvino"
        return "hook" if settings.engine == "auto" else settings.engine

    def engine(self) -> Engine:
        """Return the engine, open."""
        if isinstance(self._open, Engine):
            return self._open
        self.close()
        settings = self._settings
        self._open = engine = open_engine(
            self.engine_name,
            self._loaded.classifier,
            precision=settings.precision,
            device=self._loaded.device,
            accelerator=settings.device if settings.device in ACCELERATORS else "cpu",
        )
        return engine

    def _cam(self, method: str, batch: int) -> CAM:
        key = method, batch
        if isinstance(self._open, CAM) and self._key == key:
            return self._open
        self.close()
        if self._settings.device in ACCELERATORS:
            raise UsageError(
                f"several layers, and the methods scorecam and ablationcam, need torch, which does "
                f"not compute on {self._settings.device}; use --device auto or cpu."
            )
        cam = open_cam(
            self._loaded.classifier.module,
            self.layers,
            method,
            precision=Precision(self._settings.precision, self._loaded.device),
            batch=batch,
            progress=self._progress,
        )
        cam.__enter__()
        self._open, self._key = cam, key
        return cam

    def close(self) -> None:
        """Close what is open. May be called twice, and opened again by the next question."""
        opened, self._open = self._open, None
        if opened:
            opened.close()


def perturbs(question: Question) -> bool:
    """Whether its method asks the network about changed images, for each feature map anew."""
    return question.methods[0] not in METHODS


class _Progress:
    """Makes one share of the parts that an answer has: one for each class and layer."""

    def __init__(self, tell: Callable[[float], None] | None) -> None:
        self._tell = tell
        self._parts = 1
        self._finished = 0

    def begin(self, parts: int) -> None:
        self._parts, self._finished = parts, 0

    def __call__(self, done: int, of: int) -> None:
        if self._tell:
            self._tell((self._finished + done / of) / self._parts)
        self._finished += done == of

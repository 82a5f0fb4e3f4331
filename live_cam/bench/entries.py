"""Which of the project's engines take part on this machine, opened and tried on a frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.bench.contest import Answer, Contestant
from live_cam.engines import available_engines, open_engine
from live_cam.engines.openvino import openvino_devices
from live_cam.errors import LiveCamError
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from torch import Tensor

    from live_cam.engines import Engine
    from live_cam.network.classifier import Classifier

TRUTH: Final = "hook fp32"
"""The entry that all maps are compared with: float32 autograd on the network as it is."""

_HALVES: Final = ("bf16", "fp16")
_ACCELERATED: Final = {"gpu": ("fp32", "fp16"), "npu": ("fp16",)}
"""What makes sense on OpenVINO's devices beside the CPU; an NPU has no float32."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine in a precision, on a device."""

    engine: str
    """`hook`, `torch` or `openvino`."""
    precision: str
    """`fp32`, `fp16`, `bf16` or `int8`."""
    accelerator: str = "cpu"
    """For `openvino`: `cpu`, `gpu` or `npu`."""

    @property
    def name(self) -> str:
        """As the tables call it: `torch bf16`, `openvino gpu fp16`."""
        accelerator = "" if self.accelerator == "cpu" else f" {self.accelerator}"
        return f"{self.engine}{accelerator} {self.precision}"


class Opened(Closing):
    """Engines that are ready to take part.

    Attributes:
        contestants: Those that opened and explained the first frame, the truth first.
        engines: The same ones' engines, by the contestant's name.
        missing: Why each of the others did not, by its name.
    """

    def __init__(
        self,
        classifier: Classifier,
        entries: Sequence[Entry],
        device: torch.device,
        x: Tensor,
        notify: Callable[[str], None],
    ) -> None:
        """Open the engines, which takes minutes where one quantises the network.

        Args:
            classifier: The network, on the device.
            entries: What to open.
            device: Where the network is.
            x: A frame, 1×3×H×W float32, normalised.
            notify: Called with what is being opened.

        Raises:
            LiveCamError: The plain engine, which is the truth, cannot explain the network.
        """
        self.contestants: list[Contestant] = []
        self.engines: dict[str, Engine] = {}
        self.missing: dict[str, str] = {}
        self._stack = ExitStack()
        try:
            for entry in entries:
                first = " (the first time takes minutes)" if entry.precision == "int8" else ""
                notify(f"Opening {entry.name}{first} …")
                try:
                    self._open(entry, classifier, device, x)
                except LiveCamError as error:
                    if entry.name == TRUTH:
                        raise
                    self.missing[entry.name] = str(error)
        except BaseException:
            self.close()
            raise

    def _open(self, entry: Entry, classifier: Classifier, device: torch.device, x: Tensor) -> None:
        engine = open_engine(
            entry.engine,
            classifier,
            precision=entry.precision,
            device=device,
            accelerator=entry.accelerator,
        )
        try:
            engine.explain(x)
        except BaseException:
            engine.close()
            raise
        self._stack.enter_context(engine)
        self.engines[entry.name] = engine
        self.contestants.append(contestant_of(engine, entry.name))

    def close(self) -> None:
        """Close the engines. May be called twice."""
        self._stack.close()


def contestant_of(engine: Engine, name: str) -> Contestant:
    """Return an engine as a contestant; it stays the caller's to close."""

    def explain(x: Tensor) -> Answer:
        result = engine.explain(x)
        # A copy, since engines may overwrite what they returned.
        best = result.logits[0].softmax(0).topk(min(2, result.logits.shape[1])).values.tolist()
        lead = best[0] - best[1] if len(best) > 1 else 1.0
        return Answer(result.cam[0].cpu().numpy().copy(), int(result.class_index[0]), lead)

    return Contestant(name, explain, engine.exact, engine.precision, engine.device)


def forward_alone(engine: Engine, name: str) -> Contestant:
    """Return an engine's bare forward pass as a contestant, whose maps are empty."""

    def explain(x: Tensor) -> Answer:
        return Answer(np.zeros((1, 1), np.float32), int(engine.logits(x).argmax()))

    return Contestant(f"{name}, forward alone", explain, False, engine.precision, engine.device)


def entries(device: torch.device, rates: Mapping[str, float], *, int8: bool = True) -> list[Entry]:
    """Return what is worth measuring on a device, the truth first.

    Args:
        device: Where the network is.
        rates: The device's `Limits.rates`: a half precision that it multiplies no faster in than
            in float32 is left out, and would take forever on an old processor.
        int8: Whether to include int8, for which the network is quantised once.
    """
    rough = ("int8",) if int8 else ()
    halves = tuple(each for each in _HALVES if rates.get(each, 0.0) > rates.get("fp32", 0.0))
    found = [Entry("hook", "fp32")]
    for name in available_engines(device):
        if name != "openvino":
            precisions = ("fp32", *halves) if name == "torch" else _plain_halves(device, halves)
            found += [Entry(name, each) for each in precisions]
            continue
        for accelerator in openvino_devices():
            precisions = _ACCELERATED.get(accelerator, ("fp32", *halves, *rough))
            found += [Entry(name, each, accelerator) for each in precisions]
    return found


def _plain_halves(device: torch.device, halves: tuple[str, ...]) -> tuple[str, ...]:
    """Return the half precisions that the plain engine is run in: on a GPU, its default's."""
    return () if device.type == "cpu" else halves

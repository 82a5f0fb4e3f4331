"""The project's engines that run on this machine, opened and tried on a frame."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.bench.contest import Contestant, Submission
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

REFERENCE: Final = "hook fp32"
"""The entry that all CAMs are compared with: float32 autograd on the unchanged network."""

_HALVES: Final = ("bf16", "fp16")
_ACCELERATED: Final = {"gpu": ("fp32", "fp16"), "npu": ("fp16",)}
"""The precisions to measure on OpenVINO's accelerators; an NPU has no float32."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine with a precision and a device."""

    engine: str
    """`hook`, `torch` or `openvino`."""
    precision: str
    """`fp32`, `fp16`, `bf16` or `int8`."""
    accelerator: str = "cpu"
    """For `openvino`: `cpu`, `gpu` or `npu`."""

    @property
    def name(self) -> str:
        """The name in the tables: `torch bf16`, `openvino gpu fp16`."""
        accelerator = "" if self.accelerator == "cpu" else f" {self.accelerator}"
        return f"{self.engine}{accelerator} {self.precision}"


class OpenEntries(Closing):
    """Entries whose engines are open.

    Attributes:
        contestants: The entries that explained the first frame, in the given order.
        engines: Their engines by name.
        missing: Why each other entry failed, by name.
    """

    def __init__(
        self,
        classifier: Classifier,
        entries: Sequence[Entry],
        device: torch.device,
        x: Tensor,
        notify: Callable[[str], None],
    ) -> None:
        """Open the engines, which takes minutes if the network has to be quantised.

        Args:
            classifier: The network, on the device.
            entries: The entries to open.
            device: The network's device.
            x: A frame, 1×3×H×W float32, normalised.
            notify: Called with a sentence before each engine is opened.

        Raises:
            LiveCamError: The reference, the plain engine, cannot explain the network.
        """
        self.contestants: list[Contestant] = []
        self.engines: dict[str, Engine] = {}
        self.missing: dict[str, str] = {}
        self._stack = ExitStack()
        try:
            for entry in entries:
                note = " (takes minutes the first time)" if entry.precision == "int8" else ""
                notify(f"Opening {entry.name}{note} …")
                try:
                    self._open(entry, classifier, device, x)
                except LiveCamError as error:
                    if entry.name == REFERENCE:
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
    """Return an engine as a contestant; the caller closes it."""

    def explain(x: Tensor) -> Submission:
        result = engine.explain(x)
        # A copy, since engines may overwrite what they returned.
        best = result.logits[0].softmax(0).topk(min(2, result.logits.shape[1])).values.tolist()
        lead = best[0] - best[1] if len(best) > 1 else 1.0
        return Submission(result.cam[0].cpu().numpy().copy(), int(result.class_index[0]), lead)

    return Contestant(name, explain, engine.exact, engine.precision, engine.device)


def forward_alone(engine: Engine, name: str) -> Contestant:
    """Return an engine's forward pass without gradients as a contestant; its CAMs are empty."""

    def explain(x: Tensor) -> Submission:
        return Submission(np.zeros((1, 1), np.float32), int(engine.logits(x).argmax()))

    return Contestant(f"{name}, forward alone", explain, False, engine.precision, engine.device)


def entries(device: torch.device, rates: Mapping[str, float], *, int8: bool = True) -> list[Entry]:
    """Return the entries to measure on a device, the reference first.

    Args:
        device: The network's device.
        rates: The device's `MachineLimits.rates`. A half precision that is no faster than float32
            is left out; on an old processor it would take very long.
        int8: Whether to include int8, for which the network is quantised once.
    """
    quantised = ("int8",) if int8 else ()
    halves = tuple(
        precision for precision in _HALVES if rates.get(precision, 0.0) > rates.get("fp32", 0.0)
    )
    selected = [Entry("hook", "fp32")]
    for name in available_engines(device):
        if name != "openvino":
            precisions = ("fp32", *halves) if name == "torch" else _plain_halves(device, halves)
            selected += [Entry(name, precision) for precision in precisions]
            continue
        for accelerator in openvino_devices():
            precisions = _ACCELERATED.get(accelerator, ("fp32", *halves, *quantised))
            selected += [Entry(name, precision, accelerator) for precision in precisions]
    return selected


def _plain_halves(device: torch.device, halves: tuple[str, ...]) -> tuple[str, ...]:
    """Return the half precisions to measure on the plain engine: those of a GPU's default."""
    return () if device.type == "cpu" else halves

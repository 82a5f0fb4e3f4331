"""The engines that may take over from the plain one, and their opening in the background."""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from live_cam.engines import open_engine
from live_cam.engines.faults import FAILURES
from live_cam.engines.openvino import openvino_devices
from live_cam.errors import DeviceError, EngineError, LiveCamError, first_line
from live_cam.runtime.closing import Closing
from live_cam.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from live_cam.engines.engine import Engine
    from live_cam.network.classifier import Classifier
    from live_cam.network.cut import Cut

_CALIBRATION_FRAMES = 16
_EXACT_ACCELERATORS = ("cpu", "gpu")
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may take over once it is open."""

    title: str
    """Its name for the user: `openvino int8`."""
    open: Callable[[Sequence[NDArray[np.uint8]], threading.Event], Engine]
    """Opens it. Called with the user's first frames and an event that aborts the opening."""
    chosen: bool = False
    """Whether the user named it, in which case it need not be the fastest."""
    frames: int = 0
    """The number of the user's frames that it needs first."""


def candidates(
    classifier: Classifier,
    halves: Cut,
    *,
    engine: str,
    precision: str,
    device: torch.device,
    accelerator: str | None,
) -> list[Candidate]:
    """Return the engines to try in addition to the plain one, ending with the one that was named.

    Args:
        classifier: The network, on `device`.
        halves: The same, cut at its target layer.
        engine: One of `settings.ENGINES` except `hook`.
        precision: One of `settings.PRECISIONS`.
        device: The network's device.
        accelerator: The OpenVINO device that the user named, or None.

    Raises:
        EngineError: OpenVINO was named and is not installed.
        DeviceError: OpenVINO does not find the accelerator that was named.
    """
    opening = partial(_open, classifier, halves, precision, device)
    wants_openvino = engine == "openvino" or precision == "int8" or accelerator is not None
    torch_engine = Candidate(
        "torch", partial(opening, "torch", "cpu"), chosen=engine == "torch" and not wants_openvino
    )
    if engine == "torch":
        return [torch_engine]
    devices = openvino_devices() if device.type == "cpu" else ()
    # A conversion would keep a single core from the camera for tens of seconds.
    alone = os.cpu_count() == 1
    if wants_openvino:
        return [torch_engine, _chosen(opening, precision, accelerator, devices, device)]
    return [
        torch_engine,
        *(
            Candidate(f"openvino {name}", partial(opening, "openvino", name))
            for name in devices
            if name in _EXACT_ACCELERATORS and not alone
        ),
    ]


def _chosen(
    opening: partial[Engine],
    precision: str,
    accelerator: str | None,
    devices: tuple[str, ...],
    device: torch.device,
) -> Candidate:
    if device.type != "cpu":
        raise DeviceError(
            f"OpenVINO does not compute on {device}; use `device=cpu`, `device=gpu` (Intel's) or "
            "`device=npu`."
        )
    if not devices:
        raise EngineError(
            "OpenVINO, which `engine=openvino` and `precision=int8` need, is not installed; "
            "install it with: pip install 'live-cam[openvino]'"
        )
    if accelerator is not None and accelerator not in devices:
        raise DeviceError(
            f"OpenVINO finds no {accelerator} here, only {', '.join(devices)}; "
            "use `device=auto`, or install Intel's driver for it."
        )
    return Candidate(
        f"openvino {precision}",
        partial(opening, "openvino", accelerator or "cpu"),
        chosen=True,
        frames=_CALIBRATION_FRAMES if precision == "int8" else 0,
    )


def _open(
    classifier: Classifier,
    halves: Cut,
    precision: str,
    device: torch.device,
    name: str,
    accelerator: str,
    frames: Sequence[NDArray[np.uint8]],
    stop: threading.Event,
) -> Engine:
    # Torch computes in float32 until int8 is ready, and if int8 is not available.
    if name == "torch" and precision == "int8":
        precision = "fp32"
    return open_engine(
        name,
        classifier,
        precision=precision,
        device=device,
        accelerator=accelerator,
        halves=halves,
        frames=frames,
        stop=stop,
    )


class CandidateOpener(Closing):
    """Opens candidates in a thread of its own and hands over each engine as soon as it is open."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        reject: Callable[[Candidate, LiveCamError], None],
        *,
        patient: bool = False,
    ) -> None:
        """Start opening.

        Args:
            candidates: In the order in which they are opened.
            reject: Called in the opening thread with a candidate that could not be opened.
            patient: Whether candidates open without waiting for the frames that they need.
        """
        self.candidates = tuple(candidates)
        self._reject = reject
        self._patient = patient
        self._frames: list[NDArray[np.uint8]] = []
        self._opened: queue.Queue[tuple[Candidate, Engine] | None] = queue.Queue()
        self._stop = threading.Event()
        self._worker = Worker("engines", self._open_all)
        if self.candidates:
            self._worker.start()

    def keep(self, image: NDArray[np.uint8]) -> None:
        """Keep a frame for calibration, H×W×3 BGR, if a candidate needs more of them."""
        if len(self._frames) < max(candidate.frames for candidate in self.candidates):
            self._frames.append(image)

    def next(self) -> tuple[Candidate, Engine] | None:
        """Return the next open engine, or None after the last one.

        Raises:
            queue.Empty: No other engine is open yet; a patient opening waits for it briefly.
        """
        try:
            opened = self._opened.get(timeout=_POLL if self._patient else 0.0)
        except queue.Empty:
            self._worker.check()
            raise
        if opened is None:
            self._frames.clear()
        return opened

    @property
    def abandoned(self) -> bool:
        """Whether opening has been abandoned."""
        return self._stop.is_set()

    def abandon(self) -> None:
        """Stop opening, without waiting for the engine that is being opened."""
        self._stop.set()
        self._close_opened()

    def _open_all(self) -> None:
        for candidate in self.candidates:
            while len(self._frames) < candidate.frames and not self._patient:
                if self._stop.wait(_POLL):
                    return
            self._open(candidate)
            if self._stop.is_set():
                self._close_opened()
                return
        self._opened.put(None)

    def _open(self, candidate: Candidate) -> None:
        try:
            self._opened.put((candidate, candidate.open(list(self._frames), self._stop)))
        except (LiveCamError, *FAILURES) as error:
            if not self._stop.is_set():
                self._reject(candidate, _named(error, candidate))

    def _close_opened(self) -> None:
        while True:
            try:
                opened = self._opened.get_nowait()
            except queue.Empty:
                return
            if opened:
                opened[1].close()

    def close(self) -> None:
        """Stop opening, and close the engines that were not handed over. May be called twice."""
        self._stop.set()
        self._worker.join()
        self._close_opened()


def _named(error: Exception, candidate: Candidate) -> LiveCamError:
    if isinstance(error, LiveCamError):
        return error
    return EngineError(f"{candidate.title} cannot be opened ({first_line(error)}).")

"""Loading of the network that the settings name, with its device and preprocessing."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from live_cam.engines.faults import FAILURES, device_fault
from live_cam.errors import WeightsError
from live_cam.network.classifier import Classifier, load_classifier, missing_download
from live_cam.network.precision import select_device
from live_cam.network.preprocess import Preprocessor
from live_cam.settings import ACCELERATORS, EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.geometry import Region
    from live_cam.settings import NetworkSettings


class Preprocess(Protocol):
    """Makes images the network's input: a `Preprocessor`, or a transform of the user's own."""

    def __call__(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """Return 1×3×H×W float32 on the network's device, from H×W×3 uint8, BGR."""

    def region(self, width: int, height: int) -> Region:
        """Return the part of an image of this size that the network receives."""


class Loaded(NamedTuple):
    """A network that is ready to explain images."""

    classifier: Classifier
    preprocess: Preprocess
    device: torch.device


def load_network(
    settings: NetworkSettings, notify: Callable[[str], None], busy: Callable[[str], None]
) -> Loaded:
    """Choose the device and load the network.

    Args:
        settings: The network, weights, layer and device, and how images fit its input.
        notify: Called with each message for the user, one sentence per call.
        busy: Called with the name of a step that takes long.

    Raises:
        UsageError: A name or file is wrong; the message says which.
        WeightsError: The weights are not available.
        EngineError: The device has failed, or has too little memory.
    """
    device = network_device(settings, notify)
    try:
        classifier = _classifier(settings, device, notify, busy)
        preprocess = Preprocessor(
            classifier.input_size, classifier.mean, classifier.std, device, settings.fit
        )
    except FAILURES as error:
        fault = device_fault(error, f"loading {settings.model}", str(device))
        if fault is None:
            raise
        raise fault from error
    return Loaded(classifier, preprocess, device)


def cpu_is_left(settings: NetworkSettings) -> bool:
    """Return whether loading may fall back to the CPU.

    A device that the user named must work: a user of a GPU wants to know at the start that it is
    not used. During a run, any device falls back to the CPU.
    """
    return settings.device == "auto" and network_device(settings).type != "cpu"


def network_device(
    settings: NetworkSettings, notify: Callable[[str], None] | None = None
) -> torch.device:
    """Return torch's device, which is the CPU if OpenVINO computes on one of its own.

    Args:
        settings: The device that the user named.
        notify: Called with the reason why an existing GPU is not used.

    Raises:
        UsageError: There is no such device.
    """
    return select_device("cpu" if settings.device in ACCELERATORS else settings.device, notify)


def _classifier(
    settings: NetworkSettings,
    device: torch.device,
    notify: Callable[[str], None],
    busy: Callable[[str], None],
) -> Classifier:
    download = None if settings.weights else missing_download(settings.model)
    if download:
        busy(f"downloading the weights of {settings.model} ({download})…")
    try:
        return load_classifier(
            settings.model,
            weights=settings.weights,
            labels=settings.labels,
            layer=settings.layer,
            device=device,
        )
    except WeightsError as error:
        if not settings.fallback or settings.weights or settings.layer:
            raise
        notify(f"Using {EMBEDDED_MODEL} instead of {settings.model}: {error}")
        busy(f"loading {EMBEDDED_MODEL} instead of {settings.model}…")
        return load_classifier(EMBEDDED_MODEL, labels=settings.labels, device=device)


def share_threads(wanted: int | None, *, spare: int) -> None:
    """Set the number of cores that the network uses.

    Measured on two cores with VGG-19 (docs/performance.md): if the network uses both, each of its
    parallel parts waits for the core that draws, the window stutters, and hardly more frames are
    explained.

    Args:
        wanted: The number of threads, or None for all cores except the spare ones.
        spare: The number of cores reserved for capture, drawing and recording.
    """
    torch.set_num_threads(wanted or max(1, cores() - spare))


@cache
def cores() -> int:
    """Return torch's default number of threads, from before it was set."""
    return torch.get_num_threads()

"""The network that the settings name, on its device, with what makes images into its input."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.engines.faults import FAILURES, device_fault
from live_cam.errors import WeightsError
from live_cam.network.classifier import Classifier, load_classifier, missing_download
from live_cam.network.precision import select_device
from live_cam.network.preprocess import Preprocessor
from live_cam.settings import ACCELERATORS, EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_cam.settings import NetworkSettings


class Loaded(NamedTuple):
    """A network that is ready to be asked."""

    classifier: Classifier
    preprocess: Preprocessor
    device: torch.device


def load_network(
    settings: NetworkSettings, notify: Callable[[str], None], busy: Callable[[str], None]
) -> Loaded:
    """Choose the device and load the network.

    Args:
        settings: Which network, weights, layer and device, and what of an image it sees.
        notify: Called with what the user must know, one sentence a call.
        busy: Told what takes a while.

    Raises:
        UsageError: A wrong name or file; the message says which.
        WeightsError: The weights cannot be had.
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
    """Whether, where the network cannot be loaded on its device, another one is left.

    One that the user named must work: who asked for a GPU wants to know at the start that it is
    not used. In the middle of a run the CPU steps in whoever chose the device.
    """
    return settings.device == "auto" and network_device(settings).type != "cpu"


def network_device(
    settings: NetworkSettings, notify: Callable[[str], None] | None = None
) -> torch.device:
    """Return where torch has the network: on the CPU, where OpenVINO computes on another device.

    Args:
        settings: Which device.
        notify: Called with why a GPU that is here is not used.

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
    """Set how many of the processor's cores the network takes.

    Measured on two cores with VGG-19 (docs/performance.md): where the network takes both, each of
    its parallel parts waits for the core that draws, the window stutters, and hardly more frames
    are explained.

    Args:
        wanted: How many; None: all but the spare ones.
        spare: How many are left to those who capture, draw and record meanwhile.
    """
    torch.set_num_threads(wanted or max(1, cores() - spare))


@cache
def cores() -> int:
    """Return how many threads torch takes by itself, asked before it is told another number."""
    return torch.get_num_threads()

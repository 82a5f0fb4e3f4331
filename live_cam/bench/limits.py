"""What a machine can do at all, measured, and what that leaves possible for a network.

The model is the roofline (Williams, Waterman and Patterson, "Roofline: An Insightful Visual
Performance Model for Multicore Architectures", 2009), layer by layer: a layer takes no less time
than its arithmetic at the machine's best rate, nor less than one reading of its weights at the
memory's bandwidth, and layers come one after the other. At batch 1 the first bounds VGG-19's
convolutions, the second its classifier.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from live_cam.network.precision import compute_float32_exactly, synchronize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    Product: TypeAlias = Callable[
        [torch.device, torch.dtype, int], tuple[Callable[[], object], int]
    ]

_DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BYTES: Final = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
_SECONDS = 0.25
"""For each measurement."""
_SMALLEST = 256
_GROWTH = 8
"""How many times as long a product of matrices with sides twice as long takes."""
_PATIENCE = 0.25
"""Seconds that a single product may take."""
_SMALL_MACHINE = 4 * 2**30
"""Bytes of memory below which less of it is read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device was seen to do at its best."""

    rates: Mapping[str, float]
    """Operations per second of a matrix product, a multiplication and an addition being two;
    by precision, without those that torch cannot multiply in there."""
    bandwidth: float
    """Bytes per second, reading memory from its beginning to its end."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The work of a layer for one image."""

    name: str
    flops: int
    """A multiplication and an addition are two."""
    weights: int
    """How many numbers it has to read."""


def measure_limits(device: torch.device) -> Limits:
    """Measure a device, in a few seconds.

    The rate is that of the fastest way torch has to a matrix product, since its libraries differ:
    `torch.mm` for one, and a convolution, which is a matrix product too (on an AMD processor the
    convolution of oneDNN is twice as fast as the product of MKL). On CUDA, float32 is what the
    engines take it for, not TF32.

    Args:
        device: What to measure; nothing else should be running there.
    """
    compute_float32_exactly(device)
    rates = {}
    with torch.inference_mode():
        for precision, dtype in _DTYPES.items():
            found = [_rate(product, device, dtype) for product in (_matrix_product, _convolution)]
            if any(found):
                rates[precision] = max(found)
        if int8 := _rate(_int8_product, device, torch.int8):
            rates["int8"] = int8
        return Limits(rates, _bandwidth(device))


def layers(module: nn.Module, x: Tensor) -> list[Layer]:
    """Return the layers of a network that compute with weights or multiply matrices.

    The count is torch's own. On CPUs it leaves out attention's products of tokens with tokens.

    Args:
        module: The network, in `eval()`.
        x: An image, 1×3×H×W float32, on the network's device.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    # torch does not count the one operation that attention is when no gradient is wanted.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    root = type(module).__name__
    totals = {name: sum(found.values()) for name, found in counter.get_flop_counts().items()}
    flops = {
        name: totals.get(f"{root}.{name}" if name else root, 0)
        for name, _ in module.named_modules()
    }
    return _own_layers(module, "", flops)


def time_limit(work: Sequence[Layer], limits: Limits, precision: str = "fp32") -> float | None:
    """Return the seconds that a device needs for one explanation at least.

    Counted is one forward pass: what is left out (reading and writing activations, pooling, the
    gradient of the layers above the target) only adds to it. It is a lower limit but for one
    thing: an algorithm that needs fewer multiplications than the definition of a convolution
    (Winograd's) could undercut it.

    Args:
        work: The network's `layers`.
        limits: The device's.
        precision: The number format of arithmetic and weights alike.

    Returns:
        None where the device was not measured in that precision.
    """
    rate = limits.rates.get(precision)
    if rate is None:
        return None
    size = _BYTES[precision]
    return sum(max(layer.flops / rate, layer.weights * size / limits.bandwidth) for layer in work)


def _own_layers(module: nn.Module, name: str, flops: Mapping[str, int]) -> list[Layer]:
    found = []
    # Attention multiplies by its projection's weights itself, without calling that layer.
    weights = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    own = flops[name]
    for child_name, child in module.named_children():
        path = f"{name}.{child_name}" if name else child_name
        own -= flops[path]
        if flops[path]:
            found += _own_layers(child, path, flops)
        elif flops[name]:
            weights += sum(parameter.numel() for parameter in child.parameters())
    return [*found, Layer(name, own, weights)] if own or weights else found


def _rate(product: Product, device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second; 0 where torch cannot do it there.

    A processor without instructions for a number format may take minutes for what others do in
    no time, so that the product grows only as long as it stays quick.
    """
    side, largest = _SMALLEST, 2048 if device.type == "cpu" else 8192
    try:
        run, operations = product(device, dtype, side)
        while side < largest and _GROWTH * _best_seconds(run, device, 0.0) < _PATIENCE:
            side *= 2
            run, operations = product(device, dtype, side)
        return operations / _best_seconds(run, device, _SECONDS)
    except (RuntimeError, TypeError, AttributeError):
        return 0.0


def _matrix_product(
    device: torch.device, dtype: torch.dtype, side: int
) -> tuple[Callable[[], object], int]:
    one, other = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    return lambda: one @ other, 2 * side**3


def _convolution(
    device: torch.device, dtype: torch.dtype, side: int
) -> tuple[Callable[[], object], int]:
    """A convolution of about as many operations as the product of square matrices."""
    channels = side // 8
    width = max(8, round((8 * side**3 / (9 * channels**2)) ** 0.5 / 8))
    images = torch.rand(1, channels, width + 2, width + 2, device=device).to(dtype)
    kernels = torch.rand(channels, channels, 3, 3, device=device).to(dtype)
    images, kernels = (tensor.to(memory_format=torch.channels_last) for tensor in (images, kernels))
    return lambda: functional.conv2d(images, kernels), 2 * channels**2 * 9 * width**2


def _int8_product(
    device: torch.device, dtype: torch.dtype, side: int
) -> tuple[Callable[[], object], int]:
    one, other = (torch.randint(-127, 128, (side, side), device=device).to(dtype) for _ in range(2))
    # torch has no public product of int8 matrices. Its fast one wants the second by columns.
    product = torch._int_mm
    return lambda: product(one, other.t()), 2 * side**3


def _bandwidth(device: torch.device) -> float:
    numbers = torch.ones(_read_bytes(device) // 4, device=device)
    return numbers.numel() * 4 / _best_seconds(numbers.sum, device, _SECONDS)


def _read_bytes(device: torch.device) -> int:
    """More than any cache holds."""
    if device.type != "cpu":
        return 2**30
    small = hasattr(os, "sysconf") and (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") < _SMALL_MACHINE
    )
    return 2**28 if small else 2**29


def _best_seconds(run: Callable[[], object], device: torch.device, spent: float) -> float:
    """The shortest of some runs, that many seconds of them: a disturbance only makes it longer."""
    run()
    synchronize(device)
    times: list[float] = []
    while not times or sum(times) < spent:
        start = time.perf_counter()
        run()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)

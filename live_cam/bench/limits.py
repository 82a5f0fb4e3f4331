"""The measured limits of a machine, and the least time they allow for a network.

This is the roofline model (Williams, Waterman and Patterson, "Roofline: An Insightful Visual
Performance Model for Multicore Architectures", 2009), applied layer by layer: a layer takes at
least the time of its arithmetic at the machine's best rate, and at least the time to read its
weights once at the memory's bandwidth; the layers run one after the other. At batch 1, arithmetic
bounds VGG-19's convolutions, and bandwidth bounds its classifier.
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
"""The duration of each measurement."""
_SMALLEST = 256
_GROWTH = 8
"""The factor by which the time of a matrix product grows when its sides double."""
_PATIENCE = 0.25
"""The longest time of a single product, in seconds."""
_SMALL_MACHINE = 4 * 2**30
"""The memory size, in bytes, below which the bandwidth is measured on a smaller block."""


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """The best measured performance of a device."""

    rates: Mapping[str, float]
    """Operations per second of a matrix product by precision; a multiplication and an addition
    count as two. Precisions that torch cannot multiply in on the device are left out."""
    bandwidth: float
    """Bytes per second of sequential memory reads."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The work of a layer for one image."""

    name: str
    flops: int
    """Operations; a multiplication and an addition count as two."""
    weights: int
    """The number of parameters to read."""


def measure_limits(device: torch.device) -> MachineLimits:
    """Measure a device in a few seconds.

    The rate is that of torch's fastest matrix product, because its libraries differ: `torch.mm`,
    or a convolution, which is a matrix product, too (on an AMD processor, oneDNN's convolution is
    twice as fast as MKL's product). On CUDA, float32 excludes TF32, as in the engines.

    Args:
        device: The device to measure; it should be idle.
    """
    compute_float32_exactly(device)
    rates = {}
    with torch.inference_mode():
        for precision, dtype in _DTYPES.items():
            best = max(_rate(product, device, dtype) for product in (_matrix_product, _convolution))
            if best:
                rates[precision] = best
        if int8 := _rate(_int8_product, device, torch.int8):
            rates["int8"] = int8
        return MachineLimits(rates, _bandwidth(device))


def layers(module: nn.Module, x: Tensor) -> list[Layer]:
    """Return the layers of a network that have weights or multiply matrices.

    Operations are counted by torch, which on CPUs leaves out attention's products of tokens with
    tokens.

    Args:
        module: The network, in `eval()`.
        x: An image, 1×3×H×W float32, on the network's device.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    # Without gradients, attention runs as one fused operation, which torch does not count.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    root = type(module).__name__
    totals = {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}
    flops = {
        name: totals.get(f"{root}.{name}" if name else root, 0)
        for name, _ in module.named_modules()
    }
    return _own_layers(module, "", flops)


def time_limit(
    work: Sequence[Layer], limits: MachineLimits, precision: str = "fp32"
) -> float | None:
    """Return the least time that a device needs for one explanation, in seconds.

    It covers one forward pass; everything left out (reading and writing activations, pooling, the
    gradient of the layers above the target) only adds to it. Only an algorithm with fewer
    multiplications than the definition of a convolution, such as Winograd's, could be faster.

    Args:
        work: The network's `layers`.
        limits: The device's limits.
        precision: The number format of arithmetic and weights.

    Returns:
        None if the device was not measured in that precision.
    """
    rate = limits.rates.get(precision)
    if rate is None:
        return None
    size = _BYTES[precision]
    return sum(max(layer.flops / rate, layer.weights * size / limits.bandwidth) for layer in work)


def _own_layers(module: nn.Module, name: str, flops: Mapping[str, int]) -> list[Layer]:
    inner = []
    # Attention uses its projection's weights directly, without calling that layer.
    weights = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    own = flops[name]
    for child_name, child in module.named_children():
        path = f"{name}.{child_name}" if name else child_name
        own -= flops[path]
        if flops[path]:
            inner += _own_layers(child, path, flops)
        elif flops[name]:
            weights += sum(parameter.numel() for parameter in child.parameters())
    return [*inner, Layer(name, own, weights)] if own or weights else inner


def _rate(product: Product, device: torch.device, dtype: torch.dtype) -> float:
    """Return operations per second, or 0 if torch cannot compute the product on the device.

    The product grows only while it stays quick: a processor without instructions for a number
    format may need minutes for a large one.
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
    """A convolution with about as many operations as the product of square matrices."""
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
    # torch has no public product of int8 matrices; this one expects the second by columns.
    product = torch._int_mm
    return lambda: product(one, other.t()), 2 * side**3


def _bandwidth(device: torch.device) -> float:
    numbers = torch.ones(_read_bytes(device) // 4, device=device)
    return numbers.numel() * 4 / _best_seconds(numbers.sum, device, _SECONDS)


def _read_bytes(device: torch.device) -> int:
    """Return the size of a block larger than any cache."""
    if device.type != "cpu":
        return 2**30
    small = hasattr(os, "sysconf") and (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") < _SMALL_MACHINE
    )
    return 2**28 if small else 2**29


def _best_seconds(run: Callable[[], object], device: torch.device, spent: float) -> float:
    """Return the shortest run out of `spent` seconds of runs: disturbances only add time."""
    run()
    synchronize(device)
    times: list[float] = []
    while not times or sum(times) < spent:
        start = time.perf_counter()
        run()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)

"""Device, number format and gradient scaling of a network."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import torch

from live_cam.errors import DeviceError, NonFiniteError, UsageError, shortened
from live_cam.settings import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_AUTOMATIC = {"cuda": "fp16", "mps": "fp16", "xpu": "bf16"}
_FIRST_SCALE = 2.0**14
_SCALE_STEP = 2.0**4
_MOST_DIGITS = 3


def select_device(name: str = "auto", notify: Callable[[str], None] | None = None) -> torch.device:
    """Return the device of this name, after checking that this machine has it.

    Args:
        name: `auto` (CUDA, else XPU, else MPS, else the CPU), or `cpu`, `cuda`, `cuda:N`, `mps`
            or `xpu`.
        notify: Called with the reason if `auto` finds a CUDA driver but cannot use it.

    Raises:
        DeviceError: This machine does not have the device, or this torch cannot use it.
        UsageError: There is no such device.
    """
    if name == "auto":
        name = next((kind for kind in ("cuda", "xpu", "mps") if _count(kind)), "cpu")
        problem = cuda_problem() if name == "cpu" else None
        if problem and notify:
            notify(f"Falling back to the CPU: {problem}.")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps", "xpu") or (number and not _is_index(number)):
        raise UsageError(f"there is no device {shortened(name)!r}; choose {', '.join(DEVICES)}.")
    if kind != "cpu" and int(number or 0) >= _count(kind):
        raise DeviceError(f"the device {name} is not available: {_why_absent(kind)}.")
    return torch.device("cpu") if kind == "cpu" else torch.device(kind, int(number or 0))


def _is_index(number: str) -> bool:
    return number.isdecimal() and len(number) <= _MOST_DIGITS


def _count(kind: str) -> int:
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    if kind == "cuda" and cuda_problem():
        return 0
    backend = torch.cuda if kind == "cuda" else torch.xpu
    return backend.device_count() if backend.is_available() else 0


@cache
def cuda_problem() -> str | None:
    """Return why this torch's CUDA does not work here, or None if it works or is not built in.

    torch only warns about it, for example about an outdated driver, and only on the first query.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return None
    for warning in caught:
        _, prefix, reason = str(warning.message).partition("CUDA initialization:")
        if prefix:
            number = re.search(r"Error \d+: [^(]*", reason)
            sentence, _, _ = (number.group() if number else reason).strip().partition(". ")
            return f"CUDA does not work here ({sentence.strip()})"
    return None


def _why_absent(kind: str) -> str:
    problem = cuda_problem() if kind == "cuda" else None
    if problem:
        return f"{problem}; fix that or use `device=auto`"
    count = _count(kind)
    if count:
        return f"there are {count}, numbered from {kind}:0; `device=auto` takes the first"
    if kind == "cuda" and torch.version.cuda is None:
        return "this torch was built without CUDA; install a CUDA build or use `device=auto`"
    names = {"cuda": "NVIDIA GPU with a driver", "mps": "Apple GPU", "xpu": "Intel GPU"}
    return f"torch finds no {names[kind]}; use `device=auto` or `device=cpu`"


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all queued work, so that timings are correct."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def compute_float32_exactly(device: torch.device) -> None:
    """Turn TensorFloat-32 off for the whole process if the device has it (CUDA).

    By default, cuDNN's convolutions keep only 10 of float32's 23 mantissa bits. On an H200, the
    maps of VGG-19 are then off by up to 2 % of their maximum.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False


class Precision:
    """The number format of the forward and backward passes, and the scale of the gradients.

    float16 has no numbers below 6e-8, and the gradients of a logit are often smaller. So the logit
    is multiplied by a scale before the backward pass and the gradient divided by it afterwards, in
    float32 (Micikevicius et al., "Mixed Precision Training", 2018, section 3.2). A scale that
    overflows to infinity is lowered immediately and stays low.

    float32 means full float32: choosing it for a CUDA device turns TensorFloat-32 off for the
    process.

    Attributes:
        name: `fp32`, `fp16` or `bf16`.
        dtype: The torch dtype of that name.
        scale: The factor of the logit in a backward pass; 1 except for `fp16`.
    """

    def __init__(self, name: str = "auto", device: torch.device | None = None) -> None:
        """Choose the format.

        Args:
            name: `auto` (float16 on CUDA and MPS, bfloat16 on XPU, float32 on a CPU), `fp32`,
                `fp16` or `bf16`.
            device: The network's device, the CPU by default.

        Raises:
            UsageError: There is no such format.
        """
        self.device = device or torch.device("cpu")
        if name == "auto":
            name = _AUTOMATIC.get(self.device.type, "fp32")
        if name not in _DTYPES:
            raise UsageError(f"there is no precision {name!r}; choose auto, {', '.join(_DTYPES)}.")
        self.name = name
        self.dtype = _DTYPES[name]
        self._first_scale = _FIRST_SCALE if name == "fp16" else 1.0
        self.scale = self._first_scale
        if name == "fp32":
            compute_float32_exactly(self.device)

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context in which torch computes in this format wherever that is safe."""
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32
        )

    def gradient(self, logit: Tensor, activation: Tensor) -> Tensor:
        """Return the gradient of a scalar logit with respect to an activation, in float32.

        Raises:
            NonFiniteError: The logit or its gradient is not finite at any scale.
            UsageError: The logit does not depend on the activation.
        """
        return self.layer_gradients(logit, [activation])[0]

    def layer_gradients(self, logit: Tensor, activations: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradients with respect to several layers' activations, in one backward pass.

        Raises:
            NonFiniteError: The logit or a gradient is not finite at any scale.
            UsageError: The logit does not depend on one of the activations.
        """
        finite_logit = torch.isfinite(logit)
        while True:
            gradients = self._at_scale(logit, activations)
            finite = torch.stack([torch.isfinite(gradient).all() for gradient in gradients]).all()
            if bool(finite_logit & finite):
                return gradients
            self.lower_scale(hopeless=not bool(finite_logit))

    def class_gradients(self, logits: Tensor, activation: Tensor) -> Tensor:
        """Return the gradients of several logits per image, in one batched backward pass.

        Args:
            logits: N×Q, with a tape.
            activation: A tensor whose first dimension is N.

        Returns:
            Q×N×…, float32.

        Raises:
            NonFiniteError: A logit or gradient is not finite at any scale.
            UsageError: The logits do not depend on the activation.
        """
        number, count = logits.shape
        finite_logits = torch.isfinite(logits).all()
        while True:
            unit = torch.eye(count, device=logits.device) * self.scale
            directions = unit[:, None, :].expand(count, number, count)
            with _tape_errors():
                (gradients,) = torch.autograd.grad(
                    logits, activation, directions, retain_graph=True, is_grads_batched=True
                )
            gradients = gradients.float() / self.scale
            if bool(finite_logits & torch.isfinite(gradients).all()):
                return gradients
            self.lower_scale(hopeless=not bool(finite_logits))

    def gradient_at_scale(self, logit: Tensor, activation: Tensor) -> Tensor:
        """Return the gradient at the current scale, without checking that it is finite.

        Nothing here waits for the device, so it can be part of a CUDA graph.

        Raises:
            UsageError: The logit does not depend on the activation.
        """
        return self._at_scale(logit, [activation])[0]

    def _at_scale(self, logit: Tensor, activations: Sequence[Tensor]) -> list[Tensor]:
        with torch.enable_grad(), _tape_errors():
            gradients = torch.autograd.grad(
                logit.float() * self.scale, activations, retain_graph=self.scale > 1.0
            )
        return [gradient.float() / self.scale for gradient in gradients]

    def lower_scale(self, *, hopeless: bool = False) -> None:
        """Lower the scale after a gradient that was not finite.

        Args:
            hopeless: Whether no scale can help because the logits themselves are not finite.

        Raises:
            NonFiniteError: No scale can help, or the scale is already the lowest.
        """
        if hopeless or self.scale <= 1.0:
            # A failure at every scale says nothing about the right scale for the next frame.
            self.scale = self._first_scale
            raise self._not_finite()
        self.scale /= _SCALE_STEP

    def check_finite(self, *tensors: Tensor) -> None:
        """Check that no value is NaN or infinite.

        Args:
            tensors: Logits, activations, gradients or maps, at least one, on one device.

        Raises:
            NonFiniteError: A value is.
        """
        if not bool(torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all()):
            raise self._not_finite()

    def _not_finite(self) -> NonFiniteError:
        remedy = "check the weights"
        if self.dtype is not torch.float32:
            remedy = f"use `precision=fp32`, or {remedy}"
        return NonFiniteError(
            f"the network's logits or gradients are not finite in {self.name}; {remedy}."
        )


@contextmanager
def _tape_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error)
        if "not have been used in the graph" in reason or "does not require grad" in reason:
            raise UsageError(
                "the logits do not depend on the target layer; "
                "choose one that leads to the logits with `layer`."
            ) from error
        raise

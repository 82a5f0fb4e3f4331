"""Device, number format and gradient scaling: where and how precisely the network computes."""

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
    """Return the device of that name, after checking that it is here.

    Args:
        name: `auto` (CUDA, else XPU, else MPS, else the CPU), or `cpu`, `cuda`, `cuda:N`, `mps`
            or `xpu`.
        notify: Called with why `auto` takes no GPU though CUDA's driver is here.

    Raises:
        DeviceError: The device is not in this machine, or this torch cannot use it.
        UsageError: There is no device of such a name.
    """
    if name == "auto":
        name = next((kind for kind in ("cuda", "xpu", "mps") if _count(kind)), "cpu")
        problem = cuda_problem() if name == "cpu" else None
        if problem and notify:
            notify(f"Going on with the CPU: {problem}.")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps", "xpu") or (number and not _is_index(number)):
        raise UsageError(f"there is no device {shortened(name)!r}; choose {', '.join(DEVICES)}.")
    if kind != "cpu" and int(number or 0) >= _count(kind):
        raise DeviceError(f"the device {name} is not here: {_why_absent(kind)}.")
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
    """Return why CUDA, which torch was built with, does not work here; None: it does, or is not.

    torch only warns of it, and only when it is first asked: of a driver that is too old for it,
    for one.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return None
    for each in caught:
        _, found, reason = str(each.message).partition("CUDA initialization:")
        if found:
            number = re.search(r"Error \d+: [^(]*", reason)
            sentence, _, _ = (number.group() if number else reason).strip().partition(". ")
            return f"CUDA does not work here ({sentence.strip()})"
    return None


def _why_absent(kind: str) -> str:
    problem = cuda_problem() if kind == "cuda" else None
    if problem:
        return f"{problem}; mend that or use --device auto"
    count = _count(kind)
    if count:
        return f"there are {count}, numbered from {kind}:0; --device auto takes the first"
    if kind == "cuda" and torch.version.cuda is None:
        return "this torch was built without CUDA; install a CUDA build or use --device auto"
    names = {"cuda": "NVIDIA GPU with a driver", "mps": "Apple GPU", "xpu": "Intel GPU"}
    return f"torch finds no {names[kind]}; use --device auto or --device cpu"


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that was queued on it, so that a clock means it."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def compute_float32_exactly(device: torch.device) -> None:
    """Turn TensorFloat-32 off, for the whole process, if the device has it: CUDA.

    By default cuDNN's convolutions keep 10 of float32's 23 bits. Seen on an H200: the maps of
    VGG-19 are then off by up to 2 % of their maximum.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False


class Precision:
    """The number format of the forward and backward passes, and the scale of the gradients.

    float16 has no numbers below 6e-8, and gradients of one score are often smaller, so that the
    score is multiplied before the backward pass and the gradient divided after it, in float32
    (Micikevicius et al., "Mixed Precision Training", 2018, section 3.2). A scale that is too
    large overflows to infinity, is lowered at once and stays low.

    float32 is all of it: choosing it for a CUDA device turns TensorFloat-32 off for the process.

    Attributes:
        name: `fp32`, `fp16` or `bf16`.
        dtype: The torch dtype of that name.
        scale: What the score is multiplied with before a backward pass; 1 except for `fp16`.
    """

    def __init__(self, name: str = "auto", device: torch.device | None = None) -> None:
        """Choose the format.

        Args:
            name: `auto` (float16 on CUDA and MPS, bfloat16 on XPU, float32 on a CPU), `fp32`,
                `fp16` or `bf16`.
            device: Where the network is; None is the CPU.

        Raises:
            UsageError: There is no format of such a name.
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
        """Return a context in which torch computes in this format where that is safe."""
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32
        )

    def gradient(self, score: Tensor, activation: Tensor) -> Tensor:
        """Return the gradient of a scalar score with respect to an activation, in float32.

        Raises:
            NonFiniteError: The score or its gradient is not finite whatever the scale.
            UsageError: The score does not depend on the activation.
        """
        return self.gradient_by_each(score, [activation])[0]

    def gradient_by_each(self, score: Tensor, activations: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient with respect to each of several activations, by one backward pass.

        Raises:
            NonFiniteError: The score or a gradient is not finite whatever the scale.
            UsageError: The score does not depend on one of the activations.
        """
        finite_score = torch.isfinite(score)
        while True:
            gradients = self._at_scale(score, activations)
            finite = torch.stack([torch.isfinite(each).all() for each in gradients]).all()
            if bool(finite_score & finite):
                return gradients
            self.lower_scale(hopeless=not bool(finite_score))

    def gradients(self, scores: Tensor, activation: Tensor) -> Tensor:
        """Return the gradients of several scores of each image, by one batched backward pass.

        Args:
            scores: N×Q, with a tape.
            activation: Whose first dimension is N.

        Returns:
            Q×N×…, float32.

        Raises:
            NonFiniteError: A score or gradient is not finite whatever the scale.
            UsageError: The scores do not depend on the activation.
        """
        number, count = scores.shape
        finite_scores = torch.isfinite(scores).all()
        while True:
            each = torch.eye(count, device=scores.device) * self.scale
            directions = each[:, None, :].expand(count, number, count)
            with _tape_errors():
                (gradients,) = torch.autograd.grad(
                    scores, activation, directions, retain_graph=True, is_grads_batched=True
                )
            gradients = gradients.float() / self.scale
            if bool(finite_scores & torch.isfinite(gradients).all()):
                return gradients
            self.lower_scale(hopeless=not bool(finite_scores))

    def gradient_at_scale(self, score: Tensor, activation: Tensor) -> Tensor:
        """Return the gradient as `gradient` does, but at the present scale and unchecked.

        Nothing here waits for the device, so that it can be part of a CUDA graph.

        Raises:
            UsageError: The score does not depend on the activation.
        """
        return self._at_scale(score, [activation])[0]

    def _at_scale(self, score: Tensor, activations: Sequence[Tensor]) -> list[Tensor]:
        with torch.enable_grad(), _tape_errors():
            gradients = torch.autograd.grad(
                score.float() * self.scale, activations, retain_graph=self.scale > 1.0
            )
        return [gradient.float() / self.scale for gradient in gradients]

    def lower_scale(self, *, hopeless: bool = False) -> None:
        """Lower the scale after a gradient that was not finite.

        Args:
            hopeless: Whether no scale can help, since the scores themselves are not finite.

        Raises:
            NonFiniteError: No scale can help, or the lowest one is in use.
        """
        if hopeless or self.scale <= 1.0:
            # What no scale can help says nothing about the scale of what comes after it.
            self.scale = self._first_scale
            raise self._not_finite()
        self.scale /= _SCALE_STEP

    def check_finite(self, *tensors: Tensor) -> None:
        """Make sure that no number is NaN or infinite.

        Args:
            tensors: Scores, activations, gradients or maps, at least one, on one device.

        Raises:
            NonFiniteError: A number is.
        """
        if not bool(torch.stack([torch.isfinite(each).all() for each in tensors]).all()):
            raise self._not_finite()

    def _not_finite(self) -> NonFiniteError:
        remedy = "check the weights"
        if self.dtype is not torch.float32:
            remedy = f"use --precision fp32, or {remedy}"
        return NonFiniteError(
            f"the network's scores or gradients are not finite in {self.name}; {remedy}."
        )


@contextmanager
def _tape_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error)
        if "not have been used in the graph" in reason or "does not require grad" in reason:
            raise UsageError(
                "the class scores do not depend on the target layer; "
                "choose one on the way to the scores with --layer."
            ) from error
        raise

"""Times ways to explain an image against each other, under the same conditions.

A machine's speed drifts: it heats up, its clock changes, other programs run. Contestants measured
one after the other would be measured under different conditions. Therefore, every round takes one
frame through all contestants in a new random order, and contestants are compared by the ratio of
their times within a round.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from live_cam.network.precision import synchronize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor


CLEAR_LEAD: Final = 0.1
"""The top class's lead in probability below which rounding may decide the top class."""


class Submission(NamedTuple):
    """A contestant's result for one frame."""

    cam: NDArray[np.float32]
    """h×w, at least 0, at the target layer's size; each contestant has its own scale."""
    class_index: int
    """The top class, which the CAM explains."""
    lead: float = 0.0
    """The top probability minus the second highest; used only for the reference."""


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """One way to explain a frame."""

    name: str
    """The name in the tables, unique in a contest: `openvino cpu int8`, `torchcam`."""
    explain: Callable[[Tensor], Submission]
    """Maps 1×3×H×W float32 to the CAM of the top class, in CPU memory."""
    exact: bool = False
    """Whether it promises the CAM of float32 autograd, scale included."""
    precision: str = "fp32"
    """The number format of the computation: `fp32`, `fp16`, `bf16` or `int8`."""
    device: str = "cpu"
    """The device of the computation: `cpu`, `cuda:0`, or OpenVINO's `gpu` or `npu`."""
    ours: bool = True
    """Whether it is one of this project's engines."""


class Quartiles(NamedTuple):
    """The quartiles of some measurements."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class ContestResult:
    """A contestant's results."""

    contestant: Contestant
    seconds: Quartiles
    """The time of one explanation, in seconds."""
    speed: float | None
    """The speed relative to the baseline: the median over the rounds of the baseline's time
    divided by the contestant's. None without a baseline."""
    correlation: float | None
    """Pearson's correlation of the CAM with the reference's, the median over the frames with the
    same class. None if there is no such frame, or if every CAM is constant."""
    agreement: float
    """The share of frames with the reference's class, in [0, 1]."""
    clear_agreement: float | None
    """The same among the frames whose class leads by more than `CLEAR_LEAD` in the reference, or
    None if there are none."""
    deviation: float | None
    """The largest difference to the reference's CAM over all frames, as a share of that CAM's
    maximum. None unless the contestant is `exact`."""


def contest(
    contestants: Sequence[Contestant],
    inputs: Sequence[Tensor],
    *,
    reference: str,
    baseline: str | None = None,
    device: torch.device | None = None,
    warm_up: int = 2,
    seed: int = 0,
    lead_in: int = 1,
    progress: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[ContestResult]:
    """Let every contestant explain every frame.

    Args:
        contestants: The contestants.
        inputs: The frames, each 1×3×H×W float32, normalised, on the device.
        reference: The name of the contestant whose CAMs the others are compared with.
        baseline: The name of the contestant whose time the others are compared with.
        device: The device to synchronise before the clock is read; None is the CPU.
        warm_up: Uncounted rounds at the start: caches fill, libraries choose their kernels.
        seed: The seed of the random order.
        lead_in: Uncounted explanations of the frame before each counted one. As in live use, the
            engine then has its weights in the caches, and the threads of other contestants, which
            keep spinning for a while after their work, have left the cores.
        progress: Called after each round's explanation, warm-up included.
        clock: Returns the time in seconds.

    Returns:
        One outcome per contestant, in their order.

    Raises:
        ValueError: There are no frames, two contestants share a name, or the reference or the
            baseline is not among them.
    """
    names = [contestant.name for contestant in contestants]
    if len(set(names)) < len(names) or not inputs:
        raise ValueError(f"a contest needs frames and names that differ, got {names}")
    if reference not in names or baseline not in (None, *names):
        raise ValueError(f"{reference!r} and {baseline!r} must be among {names}")
    device = device or torch.device("cpu")
    order = random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    submissions: dict[str, list[Submission]] = {name: [] for name in names}
    for number in range(-warm_up, len(inputs)):
        for contestant in order.sample(contestants, len(contestants)):
            x = inputs[number % len(inputs)]
            for _ in range(lead_in):
                contestant.explain(x)
            submission, elapsed = _timed(contestant, x, device, clock)
            if number >= 0:
                seconds[contestant.name].append(elapsed)
                submissions[contestant.name].append(submission)
            progress()
    return [
        ContestResult(
            contestant,
            quartiles(seconds[contestant.name]),
            _speed(seconds[contestant.name], seconds[baseline] if baseline else None),
            *_compare(submissions[contestant.name], submissions[reference], contestant.exact),
        )
        for contestant in contestants
    ]


def _timed(
    contestant: Contestant, x: Tensor, device: torch.device, clock: Callable[[], float]
) -> tuple[Submission, float]:
    synchronize(device)
    start = clock()
    submission = contestant.explain(x)
    synchronize(device)
    return submission, clock() - start


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the quartiles of one or more values, interpolated linearly."""
    lower, middle, upper = np.quantile(np.asarray(values, dtype=np.float64), (0.25, 0.5, 0.75))
    return Quartiles(float(lower), float(middle), float(upper))


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float | None:
    """Return Pearson's correlation of two maps of the same size, or None if one is constant."""
    first, second = (np.asarray(cam, dtype=np.float64).ravel() for cam in (one, other))
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale > 0 else None


def _speed(own: Sequence[float], baseline: Sequence[float] | None) -> float | None:
    if baseline is None:
        return None
    return quartiles([theirs / mine for mine, theirs in zip(own, baseline, strict=True)]).median


def _compare(
    own: Sequence[Submission], reference: Sequence[Submission], exact: bool
) -> tuple[float | None, float, float | None, float | None]:
    """Return correlation, agreement, clear agreement and deviation, as in `ContestResult`."""
    pairs = list(zip(own, reference, strict=True))
    agree = [mine.class_index == theirs.class_index for mine, theirs in pairs]
    clear = [
        same for same, theirs in zip(agree, reference, strict=True) if theirs.lead > CLEAR_LEAD
    ]
    comparable = [
        (mine.cam, theirs.cam)
        for same, (mine, theirs) in zip(agree, pairs, strict=True)
        if same and mine.cam.shape == theirs.cam.shape
    ]
    correlations = [
        value for mine, theirs in comparable if (value := correlation(mine, theirs)) is not None
    ]
    deviations = [
        float(np.abs(mine - theirs).max() / max(float(theirs.max()), 1e-30))
        for mine, theirs in comparable
    ]
    return (
        quartiles(correlations).median if correlations else None,
        sum(agree) / len(agree),
        sum(clear) / len(clear) if clear else None,
        max(deviations) if exact and deviations else None,
    )

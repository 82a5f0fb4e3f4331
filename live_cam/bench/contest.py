"""Runs ways to explain an image against each other, under the same conditions for all.

A machine's speed drifts: it heats up, its clock changes, others use it. Measured one after the
other, the last contestant would be measured on another machine than the first. So every round
takes one frame through all of them, in an order that is randomised anew, and contestants are
compared by the ratio of their times within a round.
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
"""Of the best probability before the second: below it, rounding may decide which class wins."""


class Answer(NamedTuple):
    """What a contestant says of one frame."""

    cam: NDArray[np.float32]
    """h×w, at least 0, at the target layer's own size; the scale is the contestant's own."""
    class_index: int
    """The network's top class, whose map it is."""
    lead: float = 0.0
    """By how much its probability is above the second best; only the truth's is looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """One way to explain a frame."""

    name: str
    """As the tables call it: `openvino cpu int8`, `torchcam`. No other contestant's."""
    explain: Callable[[Tensor], Answer]
    """From 1×3×H×W float32 to the map of the top class, in the CPU's memory."""
    exact: bool = False
    """Whether it promises the map of float32 and autograd, scale included."""
    precision: str = "fp32"
    """The number format that it computes in: `fp32`, `fp16`, `bf16` or `int8`."""
    device: str = "cpu"
    """Where it computes: `cpu`, `cuda:0`, or OpenVINO's `gpu` or `npu`."""
    ours: bool = True
    """Whether it is one of this project's engines."""


class Quartiles(NamedTuple):
    """The middle half of some measurements, and their middle."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How a contestant did."""

    contestant: Contestant
    seconds: Quartiles
    """For one explanation."""
    speed: float | None
    """How many times as fast as the yardstick: the median over the frames of the yardstick's time
    divided by its own in the same round. None without a yardstick."""
    correlation: float | None
    """Pearson's, of its map with the truth's, the median over the frames on which both name the
    same class: the map of another class shows something else. None where there is no such frame,
    or where every map is constant."""
    agreement: float
    """The share of frames on which it names the truth's class, in [0, 1]."""
    clear_agreement: float | None
    """The same, of those frames on which the truth's class leads by more than `CLEAR_LEAD`; None
    where there are none."""
    deviation: float | None
    """Of the contestants that are `exact`: the largest difference between its map and the
    truth's, as a share of the truth's maximum; over all frames."""


def contest(
    contestants: Sequence[Contestant],
    inputs: Sequence[Tensor],
    *,
    truth: str,
    yardstick: str | None = None,
    device: torch.device | None = None,
    warm_up: int = 2,
    seed: int = 0,
    lead_in: int = 1,
    progress: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Outcome]:
    """Let every contestant explain every frame.

    Args:
        contestants: Who takes part.
        inputs: The frames, each 1×3×H×W float32, normalised, on the device.
        truth: The name of the contestant whose maps the others' are compared with.
        yardstick: The name of the contestant whose time the others' are compared with.
        device: Waited for before the clock is read; None is the CPU.
        warm_up: Rounds before those that count: caches fill, libraries choose their kernels.
        seed: Of the order in which they take turns.
        lead_in: Explanations of the same frame before each one that counts. As in live use, an
            engine then finds its own weights in the caches, and nobody else's threads, which go
            on spinning for a while after their work, on the cores.
        progress: Called after each explanation, warming up included.
        clock: Gives the time in seconds.

    Returns:
        An outcome for each contestant, in their order.

    Raises:
        ValueError: There are no frames, two contestants share a name, or the truth or the
            yardstick takes no part.
    """
    names = [contestant.name for contestant in contestants]
    if len(set(names)) < len(names) or not inputs:
        raise ValueError(f"a contest needs frames and names that differ, got {names}")
    if truth not in names or yardstick not in (None, *names):
        raise ValueError(f"{truth!r} and {yardstick!r} must be among {names}")
    device = device or torch.device("cpu")
    order = random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    answers: dict[str, list[Answer]] = {name: [] for name in names}
    for number in range(-warm_up, len(inputs)):
        for contestant in order.sample(contestants, len(contestants)):
            x = inputs[number % len(inputs)]
            for _ in range(lead_in):
                contestant.explain(x)
            synchronize(device)
            start = clock()
            answer = contestant.explain(x)
            synchronize(device)
            elapsed = clock() - start
            if number >= 0:
                seconds[contestant.name].append(elapsed)
                answers[contestant.name].append(answer)
            progress()
    return [
        Outcome(
            contestant,
            quartiles(seconds[contestant.name]),
            _speed(seconds[contestant.name], seconds[yardstick] if yardstick else None),
            *_compare(answers[contestant.name], answers[truth], contestant.exact),
        )
        for contestant in contestants
    ]


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the quartiles of at least one value, interpolated linearly between neighbours."""
    lower, middle, upper = np.quantile(np.asarray(values, dtype=np.float64), (0.25, 0.5, 0.75))
    return Quartiles(float(lower), float(middle), float(upper))


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float | None:
    """Return Pearson's correlation of two maps of the same size; None where one is constant."""
    first, second = (np.asarray(cam, dtype=np.float64).ravel() for cam in (one, other))
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale > 0 else None


def _speed(own: Sequence[float], yardstick: Sequence[float] | None) -> float | None:
    if yardstick is None:
        return None
    return quartiles([theirs / mine for mine, theirs in zip(own, yardstick, strict=True)]).median


def _compare(
    own: Sequence[Answer], truth: Sequence[Answer], exact: bool
) -> tuple[float | None, float, float | None, float | None]:
    agreeing = [
        (mine.cam, true.cam)
        for mine, true in zip(own, truth, strict=True)
        if mine.class_index == true.class_index and mine.cam.shape == true.cam.shape
    ]
    pairs = zip(own, truth, strict=True)
    agreement = sum(mine.class_index == true.class_index for mine, true in pairs) / len(truth)
    clear = [
        mine.class_index == true.class_index
        for mine, true in zip(own, truth, strict=True)
        if true.lead > CLEAR_LEAD
    ]
    correlations = [
        found for mine, true in agreeing if (found := correlation(mine, true)) is not None
    ]
    deviations = [
        float(np.abs(mine - true).max() / max(float(true.max()), 1e-30)) for mine, true in agreeing
    ]
    return (
        quartiles(correlations).median if correlations else None,
        agreement,
        sum(clear) / len(clear) if clear else None,
        max(deviations) if exact and deviations else None,
    )

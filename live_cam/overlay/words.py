"""What is written on the image, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from live_cam.explanation import Check, Explanation, Heatmap
    from live_cam.overlay.status import Status


def headline(explanation: Explanation) -> str:
    """Write what the network says in a line.

    Args:
        explanation: What it says.

    Returns:
        For example `tabby 82 %`, or `tabby 82 % → 11 % without the hot spot`.
    """
    check = explanation.check
    if check is None:
        return f"{explanation.label} {percent(explanation.probability)}"
    fall = f"{percent(check.before)} → {percent(check.without)}"
    return f"{explanation.label} {fall} without the hot spot"


def map_title(heatmap: Heatmap) -> str:
    """Write what a map beside the heatmap shows.

    Args:
        heatmap: The map.

    Returns:
        For example `layercam`, or `#132 +0.42`, a feature map's number and weight.
    """
    return heatmap.title if heatmap.weight is None else f"{heatmap.title} {heatmap.weight:+.2f}"


def label_text(
    explanation: Explanation, check: Check | None, status: Status
) -> tuple[str, tuple[float, ...], tuple[tuple[str, bool], ...]]:
    """Write a label's probability and what is to be known of it.

    Args:
        explanation: What the network says.
        check: What of it remains without the hot spot; None: that is not written.
        status: What is said about the run.

    Returns:
        The probability in words; the same as shares of a bar, in [0, 1]; and the lines below, each
        with whether it is read with the label.
    """
    scores: tuple[float, ...] = (explanation.probability,)
    lines = []
    if check:
        scores = check.before, check.without
        lines += [("without the hot spot", True), (_without(check), False)]
    lines += [(note, False) for note in _notes(explanation, status)]
    shares = tuple(round(max(0.0, min(1.0, score)), 2) for score in scores)
    return " → ".join(map(percent, scores)), shares, tuple(lines)


def _without(check: Check) -> str:
    """Write what else is to be known of a check."""
    parts = [f"hot spot alone {percent(check.alone)}"]
    if check.instead.class_index != check.class_index:
        parts.insert(0, f"{check.instead.label} {percent(check.instead.probability)} instead")
    return " · ".join(parts)


def _notes(explanation: Explanation, status: Status) -> list[str]:
    """Write what must be known to read the label and the heatmap right, a line each."""
    chosen = ["locked"] if status.locked else []
    best = explanation.top[0] if explanation.top and status.locked else None
    # One that is not locked becomes the top class in a moment; a line for so long would flicker.
    if best and best.class_index != explanation.class_index:
        chosen.append(f"top: {best.label} {percent(best.probability)}")
    lines = [" · ".join(chosen)] if chosen else []
    shown = explanation.maps[0]
    if status.caption or not shown.plain:
        lines.append(status.caption or shown.title)
    if status.pointing and status.pointing.rounds:
        hits, rounds = status.pointing
        lines.append(f"peak in your box {hits} of {rounds} times: {percent(hits / rounds)}")
    return lines


def entries(explanation: Explanation) -> tuple[tuple[str, str, float], ...]:
    """Return the most probable classes, best first: label, and probability in words and as it is.

    Args:
        explanation: What the network says.
    """
    return tuple(
        (each.label, percent(each.probability), round(each.probability, 2))
        for each in explanation.top
    )


def percent(probability: float) -> str:
    """Write a probability.

    Args:
        probability: In [0, 1].

    Returns:
        It in whole percent; what is more than nothing is never written as 0.
    """
    return "<1 %" if 0 < probability < 0.005 else f"{100 * probability:.0f} %"


def clock(seconds: float) -> str:
    """Write a duration.

    Args:
        seconds: At least 0.

    Returns:
        Minutes and seconds: `mm:ss`.
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def rates(status: Status) -> str:
    """Write how fast the run is; what is not known yet is left out.

    Args:
        status: The run's figures.

    Returns:
        For example `30 fps shown · 6.1 explanations/s · 0.15 s old`.
    """
    parts = []
    if status.shown_fps is not None:
        parts.append(f"{_rate(status.shown_fps)} fps shown")
    if status.explained_fps is not None:
        parts.append(f"{_rate(status.explained_fps)} explanations/s")
    if status.age is not None:
        parts.append(f"{status.age:.2f} s old" + (", image unchanged" if status.still else ""))
    if status.saved and status.still:
        parts.append(f"{status.saved} explanations skipped")
    return " · ".join(parts)


def engine(status: Status) -> str:
    """Write what computes the explanations.

    Args:
        status: The run's figures.

    Returns:
        For example `vgg19 · features.35 · cpu fp32`.
    """
    return " · ".join(part for part in (status.network, status.engine) if part)


def _rate(per_second: float) -> str:
    return f"{per_second:.1f}" if per_second < 9.95 else f"{per_second:.0f}"

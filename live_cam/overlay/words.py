"""The texts on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from live_cam.explanation import Check, Explanation, Heatmap
    from live_cam.overlay.status import Status


def headline(explanation: Explanation) -> str:
    """Return an explanation in a line: `tabby 82 %`, `tabby 82 % → 11 % without the hot spot`."""
    check = explanation.check
    if check is None:
        return f"{explanation.label} {percent(explanation.probability)}"
    drop = f"{percent(check.before)} → {percent(check.without)}"
    return f"{explanation.label} {drop} without the hot spot"


def map_title(heatmap: Heatmap) -> str:
    """Return a map's title: `layercam`, or a feature map's number and weight, `#132 +0.42`."""
    return heatmap.title if heatmap.weight is None else f"{heatmap.title} {heatmap.weight:+.2f}"


def label_text(
    explanation: Explanation, check: Check | None, status: Status
) -> tuple[str, tuple[float, ...], tuple[tuple[str, bool], ...]]:
    """Return the texts of the label's card.

    Args:
        explanation: The explanation.
        check: Its faithfulness check, or None to leave it out.
        status: What else is shown.

    Returns:
        The probability as text; the same as shares of a bar, in [0, 1]; and further lines, each
        with whether it is as prominent as the label.
    """
    probabilities: tuple[float, ...] = (explanation.probability,)
    lines = []
    if check:
        probabilities = check.before, check.without
        lines += [("without the hot spot", True), (_without(check), False)]
    lines += [(note, False) for note in _notes(explanation, status)]
    shares = tuple(round(max(0.0, min(1.0, each)), 2) for each in probabilities)
    return " → ".join(map(percent, probabilities)), shares, tuple(lines)


def _without(check: Check) -> str:
    """Return the rest of a check: the new top class, and the hot spot alone."""
    parts = [f"hot spot alone {percent(check.alone)}"]
    if check.instead.class_index != check.class_index:
        parts.insert(0, f"{check.instead.label} {percent(check.instead.probability)} instead")
    return " · ".join(parts)


def _notes(explanation: Explanation, status: Status) -> list[str]:
    """Return notes on the label and the heatmap, one per line."""
    chosen = ["locked"] if status.locked else []
    best = explanation.top[0] if explanation.top and status.locked else None
    # An explained class that is not locked is about to follow the top class: a note would flicker.
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
    """Return the most probable classes, best first: label, probability as text and in [0, 1]."""
    return tuple(
        (each.label, percent(each.probability), round(each.probability, 2))
        for each in explanation.top
    )


def percent(probability: float) -> str:
    """Return a probability in whole percent. A probability above 0 never reads as 0 %.

    Args:
        probability: In [0, 1].
    """
    return "<1 %" if 0 < probability < 0.005 else f"{100 * probability:.0f} %"


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, `mm:ss`.

    Args:
        seconds: At least 0.
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def rates(status: Status) -> str:
    """Return the known figures of speed: `30 fps shown · 6.1 explanations/s · 0.15 s old`."""
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
    """Return network, layer and engine: `vgg19 · features.35 · torch cpu fp32`."""
    return " · ".join(part for part in (status.network, status.engine) if part)


def _rate(per_second: float) -> str:
    return f"{per_second:.1f}" if per_second < 9.95 else f"{per_second:.0f}"

"""What the network says of an image, in words and numbers: the JSON file beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from live_cam.overlay import peak
from live_cam.overlay.heatmap import evidence_box
from live_cam.record.prediction_log import json_number, prediction_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from live_cam.explanation import Explanation
    from live_cam.question import Question


def write_record(
    path: Path,
    source: Path,
    size: tuple[int, int],
    explanations: Sequence[Explanation],
    network: tuple[str, Sequence[str]],
    question: Question,
) -> None:
    """Write an object with what is known of the first class, and a list of the others.

    It holds `file`, `size` ([width, height] in pixels), `network`, `layer`
    (several are joined by ` + `), `method`, `evidence`
    (`for`, or `against` where the heatmap is signed), `top` (as in the log of predictions),
    `region` (which part of the image the network saw: left, top, width and height, in shares),
    and of the explained class `class_index`, `label`, `score` (in [0, 1]), `strength` (what the
    heatmap's largest value was before it was scaled to 1), `peak` ([x, y] in pixels) and `box`
    ([x, y, width, height] around where the evidence lies, or null where there is none). `others`
    has the same of each other class that was asked for.

    Args:
        path: The file.
        source: The image.
        size: Its width and height in pixels.
        explanations: One for each class.
        network: Its name, and its target layers'.
        question: What it was asked.
    """
    first, *others = explanations
    name, layers = network
    record = {
        "file": str(source),
        "size": list(size),
        "network": name,
        "layer": " + ".join(layers),
        "method": question.methods[0],
        "evidence": question.evidence,
        **_explained(first, *size),
        "top": [prediction_record(each) for each in first.top],
        "region": [json_number(share) for share in first.seen],
        "others": [_explained(each, *size) for each in others],
    }
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    # What is no text in a name becomes an escape of JSON, which stands for it.
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _explained(said: Explanation, width: int, height: int) -> dict[str, Any]:
    box = evidence_box(said.heatmap, width, height, said.region)
    return {
        **prediction_record(said),
        "strength": json_number(said.maps[0].strength),
        "peak": list(peak(said.heatmap, width, height, region=said.region)),
        "box": None if box is None else list(box),
    }

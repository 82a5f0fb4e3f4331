"""The JSON file beside an image: its classes, their probabilities and where the evidence lies."""

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
    """Write one JSON object about an image.

    It holds `file`, `size` ([width, height] in pixels), `network`, `layer` (several are joined by
    ` + `), `method`, `evidence` (`for`, or `against` for a signed heatmap), `top` (as in the
    prediction log) and `region` (the part of the image that the network saw: left, top, width and
    height as fractions of the image). For the first class it also holds `class_index`, `label`,
    `score` (the probability, in [0, 1]), `strength` (the CAM's maximum before scaling to 1),
    `peak` ([x, y] in pixels) and `box` ([x, y, width, height] around the evidence, or null if
    there is none). `others` lists the same keys for each further class.

    Args:
        path: The file to write.
        source: The image file.
        size: The image's width and height in pixels.
        explanations: One per class.
        network: The network's name and the names of its target layers.
        question: The question that the explanations answer.
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
        "top": [prediction_record(prediction) for prediction in first.top],
        "region": [json_number(share) for share in first.seen],
        "others": [_explained(other, *size) for other in others],
    }
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    # File names may hold lone surrogates, which UTF-8 cannot encode; JSON can escape them.
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _explained(explanation: Explanation, width: int, height: int) -> dict[str, Any]:
    heatmap, region = explanation.heatmap, explanation.region
    box = evidence_box(heatmap, width, height, region)
    return {
        **prediction_record(explanation),
        "strength": json_number(explanation.maps[0].strength),
        "peak": list(peak(heatmap, width, height, region=region)),
        "box": None if box is None else list(box),
    }

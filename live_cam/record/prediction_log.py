"""The log of explanations: one JSON object per line."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from live_cam.record.destinations import recording_error
from live_cam.record.output_file import OutputFile
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from pathlib import Path

    from live_cam.explanation import Explanation, Prediction


class PredictionLog(Closing):
    """Writes each explanation immediately to a JSON Lines file, so that a crash loses none.

    A power failure loses the last second or two.

    Each line has `frame` (index), `timestamp` (seconds), `class_index`, `label`, `score` (the
    probability, in [0, 1]), `top` (objects with `class_index`, `label` and `score`, best first),
    `peak` ([x, y] in pixels of the frame) and `seconds` (each stage's duration, by its name).
    Numbers that are not finite are written as null, because JSON cannot express them.

    Attributes:
        path: The file.
        count: The number of explanations in it.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Create the file. If nothing is logged, closing removes it.

        Args:
            path: The file, usually with the ending `.jsonl`.
            overwrite: Whether an existing file may be replaced.

        Raises:
            UsageError: The file exists and `overwrite` is not set, its folder is missing, or it
                cannot be created.
        """
        self.path = path
        self.count = 0
        self._file = OutputFile(path, overwrite=overwrite)

    def write(self, explanation: Explanation, peak: tuple[int, int]) -> None:
        """Append one explanation.

        Args:
            explanation: The explanation. Its heatmaps are not written.
            peak: The position of the heatmap's maximum, (x, y) in pixels of the frame.

        Raises:
            RecordingError: The line cannot be written. The lines before it stay complete.
            ValueError: The log is closed.
        """
        if self._file.closed:
            raise ValueError(f"the log {self.path} is closed.")
        line = json.dumps(_record(explanation, peak), allow_nan=False) + "\n"
        try:
            self._file.write(line.encode())
        except OSError as error:
            kept = f"the first {self.count} lines are complete" if self.count else None
            raise recording_error(self.path, error, kept) from error
        self._file.commit()
        self.count += 1

    def close(self) -> None:
        """Close the file. Idempotent.

        Raises:
            RecordingError: The disk did not keep everything.
        """
        try:
            self._file.close()
        except OSError as error:
            raise recording_error(self.path, error) from error


def _record(explanation: Explanation, peak: tuple[int, int]) -> dict[str, Any]:
    x, y = peak
    return {
        "frame": int(explanation.frame_index),
        "timestamp": json_number(explanation.timestamp),
        **prediction_record(explanation),
        "top": [prediction_record(prediction) for prediction in explanation.top],
        "peak": [int(x), int(y)],
        "seconds": {stage: json_number(took) for stage, took in explanation.seconds.items()},
    }


def prediction_record(prediction: Explanation | Prediction) -> dict[str, Any]:
    """Return a class and its probability as a JSON object."""
    return {
        "class_index": int(prediction.class_index),
        "label": str(prediction.label),
        "score": json_number(prediction.probability),
    }


def json_number(value: float) -> float | None:
    """Return a number for JSON: None if it is not finite, which JSON cannot express."""
    number = float(value)
    return number if math.isfinite(number) else None

"""The same answers with less memory: one image and one class at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from live_cam.cam.gradcam import CAMResult, Evidence

if TYPE_CHECKING:
    from torch import Tensor

    from live_cam.engines.engine import Engine
    from live_cam.runtime.timing import StageTimer


def explain_each(
    engine: Engine, x: Tensor, class_index: int | None, timer: StageTimer | None
) -> CAMResult:
    """Explain a batch as `Engine` does, by one pass for each image."""
    results = []
    for index in range(len(x)):
        result = engine(x[index : index + 1], class_index, timer)
        results.append([part.clone() for part in result])  # the next call may overwrite them
    return CAMResult(*map(torch.cat, zip(*results, strict=True)))


def evidence_of_each(
    engine: Engine, x: Tensor, wanted: Tensor, timer: StageTimer | None
) -> Evidence:
    """Give evidence as `Engine.evidence` does, by one pass for each image and class."""
    images = []
    for index in range(len(x)):
        image = x[index : index + 1]
        parts = [
            Evidence(*(part.clone() for part in engine.evidence(image, one, timer)))
            for one in wanted[:, None]
        ]
        gradients = torch.cat([part.gradients for part in parts], dim=1)
        classes = torch.cat([part.classes for part in parts], dim=1)
        images.append(parts[0]._replace(gradients=gradients, classes=classes))
    return Evidence(*map(torch.cat, zip(*images, strict=True)))

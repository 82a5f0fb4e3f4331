"""Post-training quantisation, run in a child process so that the live loop continues.

Run as `python -m live_cam.engines.quantise FLOAT.xml IMAGES.npy INT8.xml`.
"""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from live_cam.engines.child import end_with_parent

if TYPE_CHECKING:
    import openvino


def quantise(source: Path, images: Path, target: Path) -> None:
    """Quantise a trunk's convolutions to int8 and save it.

    NNCF quantises with symmetric weights, asymmetric activations and fast bias correction.
    Depthwise convolutions, whose channels have very different ranges, stay in float, and so does
    the first convolution of a network that has any: they cost little time and cause most of the
    error (Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018,
    section 3.1, on depthwise layers).

    Args:
        source: The float32 model, `.xml` with its `.bin` beside it.
        images: M×3×H×W float32 inputs, `.npy`.
        target: The int8 model to write, `.xml`.
    """
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    model = openvino.Core().read_model(source)
    inputs = np.load(images, mmap_mode="r")
    quantised = nncf.quantize(
        model,
        nncf.Dataset(inputs, lambda image: np.array(image[None])),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=_sensitive(model), validate=False),
    )
    openvino.save_model(quantised, target, compress_to_fp16=False)


def _sensitive(model: openvino.Model) -> list[str]:
    operations = model.get_ordered_ops()
    depthwise = [node for node in operations if node.get_type_name() == "GroupConvolution"]
    first = [node for node in operations if node.get_type_name() == "Convolution"][:1]
    return [node.get_friendly_name() for node in (*depthwise, *(first if depthwise else []))]


if __name__ == "__main__":
    end_with_parent()
    warnings.simplefilter("ignore")
    with redirect_stdout(sys.stderr):  # NNCF's progress bars
        quantise(*map(Path, sys.argv[1:4]))

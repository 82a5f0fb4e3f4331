"""The VGG-19 that recognises colours, through the whole program.

It catches swapped BGR and RGB, wrong normalisation, and heatmaps that are flipped or shifted.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.networks import COLOUR_LABELS, COLOURS
from tests.support.program import live_cam, read_log, read_video, write_video

# The centre of the patch, as shares of width and height.
PLACES = ((0.2, 0.25), (0.8, 0.25), (0.5, 0.5), (0.2, 0.75), (0.8, 0.75))
SIDE = 0.2


def patch_box(width: int, height: int, place: tuple[float, float]) -> tuple[int, int, int, int]:
    side = round(SIDE * height)
    left, top = round(place[0] * width - side / 2), round(place[1] * height - side / 2)
    return left, top, left + side, top + side


def patch(width: int, height: int, colour: str, place: tuple[float, float]) -> NDArray[np.uint8]:
    image = np.full((height, width, 3), 128, np.uint8)
    left, top, right, bottom = patch_box(width, height, place)
    image[top:bottom, left:right] = COLOURS[colour]
    return image


@pytest.mark.parametrize(
    ("size", "mirror", "engine"),
    [
        ((640, 480), False, "hook"),
        ((640, 480), True, "hook"),
        ((640, 360), False, "hook"),
        ((640, 360), True, "torch"),
    ],
    ids=["4:3", "4:3 mirrored", "16:9", "16:9 mirrored"],
)
def test_every_colour_is_recognised_and_located(
    tmp_path: Path, colour_weights: Path, size: tuple[int, int], mirror: bool, engine: str
) -> None:
    width, height = size
    cases = list(product(COLOURS, PLACES))
    clip = write_video(tmp_path / "clip.mp4", [patch(*size, *case) for case in cases])
    done = live_cam(
        *("run", "--source", clip, "--weights", colour_weights, "--headless", "--every-frame"),
        *("--no-bars", "--engine", engine),
        *("--predictions", tmp_path / "p.jsonl", "--record", tmp_path / "out.mp4"),
        *(["--mirror"] if mirror else []),
    )
    assert done.returncode == 0, done.stderr
    log = read_log(tmp_path / "p.jsonl")
    assert [entry["frame"] for entry in log] == list(range(len(cases)))
    recorded = read_video(tmp_path / "out.mp4")
    assert len(recorded) == len(cases)
    for (colour, place), entry, (_, drawn) in zip(cases, log, recorded, strict=True):
        assert entry["label"] == COLOUR_LABELS[colour]
        assert entry["score"] > 0.99
        left, top, right, bottom = patch_box(width, height, place)
        if mirror:
            left, right = width - right, width - left
        x, y = entry["peak"]
        assert left <= x < right, (colour, place, entry["peak"])
        assert top <= y < bottom, (colour, place, entry["peak"])
        assert_hot_on_the_patch(drawn, (left, top, right, bottom), COLOURS[colour])


def assert_hot_on_the_patch(
    drawn: NDArray[np.uint8], box: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    """The patch is blended with jet's hot end (dark red), the background with its cold end."""
    left, top, right, bottom = box
    centre = drawn[(top + bottom) // 2 - 2 :, (left + right) // 2 - 2 :][:4, :4].mean(axis=(0, 1))
    hot = 0.55 * np.array(colour) + 0.45 * np.array((0, 0, 128))
    # Jet is dark red at 1 and full red a little below.
    assert np.abs(centre - hot)[:2].max() < 40, (centre, hot)
    assert hot[2] - 25 < centre[2] < hot[2] + 70

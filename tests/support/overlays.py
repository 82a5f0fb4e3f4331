"""Explanations, statuses and images for the overlay to draw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from live_cam.explanation import Check, Explanation, Prediction
from live_cam.frame import Frame
from live_cam.overlay import Overlay
from live_cam.overlay.status import Status
from live_cam.question import VERSUS
from tests.support.explanations import explanation as explained
from tests.support.explanations import with_map, with_target

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = [(640, 480), (1280, 720), (1920, 1080), (320, 240), (480, 640), (333, 251), (1001, 563)]
TINY = [(1, 1), (2, 3), (17, 400), (400, 17), (64, 48), (120, 90)]
LONG = "hen-of-the-woods, hen of the woods, Polyporus frondosus, Grifola frondosa"
KEYS = (
    ("q", "quit (or Esc)"),
    ("space", "freeze the image"),
    ("s", "save a snapshot"),
    ("r", "start or stop a recording"),
    ("m", "mirror the image"),
    ("+", "stronger heatmap"),
    ("-", "weaker heatmap"),
    ("h", "show or hide the keys"),
)
PLAIN = Status(
    network="vgg19 · features.35",
    engine="cpu fp32",
    source="camera 0 · 1280×720 MJPG at 30 fps",
    shown_fps=30.2,
    explained_fps=6.13,
    age=0.153,
)
BUSY = replace(
    PLAIN,
    recording=754.2,
    frozen=True,
    notice="waiting for camera 0…",
    confirmation="saved live-cam-20261123-101500.png",
)


def explain(
    heatmap: NDArray[np.float32], label: str = "tabby", probability: float = 0.82
) -> Explanation:
    return explained(heatmap, Prediction(281, label, probability))


def one_hot(rows: int, columns: int, row: int, column: int) -> NDArray[np.float32]:
    heatmap = np.zeros((rows, columns), np.float32)
    heatmap[row, column] = 1
    return heatmap


def blob(row: float, column: float, height: float = 0.9) -> NDArray[np.float32]:
    y, x = np.mgrid[:14, :14]
    return np.asarray(height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 6), np.float32)


def grey(width: int, height: int, value: int = 0) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def noise(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


TABBY = explain(blob(5, 8))
RIVALLED = replace(with_target(TABBY, probability=0.034), top=(Prediction(967, "espresso", 0.94),))
CHECKED = replace(
    with_map(
        explain(blob(5, 8), "Egyptian cat", 0.82),
        title="gradcam · Egyptian cat or espresso",
        evidence=VERSUS,
    ),
    check=Check(281, 0.82, 0.11, 0.64, Prediction(967, "espresso", 0.65), 0),
)
STATES = {
    "plain": (TABBY, PLAIN),
    "busy": (TABBY, BUSY),
    "loading": (None, replace(PLAIN, explained_fps=None, age=None, notice="loading vgg19…")),
    "help": (TABBY, replace(BUSY, keys=KEYS)),
    "rival": (RIVALLED, PLAIN),
    "checked": (CHECKED, replace(PLAIN, locked=True)),
    "long": (explain(blob(5, 8), LONG, 0.9996), replace(BUSY, source=LONG, confirmation=LONG)),
    "nothing": (None, Status()),
}


def draw(
    image: NDArray[np.uint8],
    explanation: Explanation | None,
    status: Status,
    overlay: Overlay | None = None,
) -> NDArray[np.uint8]:
    return (overlay or Overlay()).draw(Frame(image, 0, 0.0), explanation, status).image


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the relative luminance of sRGB pixels, as WCAG defines it."""
    share = pixels[..., ::-1] / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the contrast ratios of two luminances, as WCAG defines them: 1 to 21."""
    return np.asarray((np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05))

"""The map lies where the network looked: on a dot, for every fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from live_cam.cam.gradcam import GradCAM
from live_cam.explanation import Explanation, Prediction
from live_cam.frame import Frame
from live_cam.geometry import WHOLE, Rectangle, Region, fitted
from live_cam.look import Look
from live_cam.network.preprocess import Preprocessor
from live_cam.overlay import Overlay, peak, to_frame
from live_cam.overlay.heatmap import evidence_box
from live_cam.overlay.status import Status
from live_cam.resizing import enlarged, enlargement
from live_cam.settings import FITS
from live_cam.temporal.smoothing import Smoother
from live_cam.temporal.tracking import Tracker
from tests.support.explanations import explanation, with_map

SIDE = 112
SIZES = [(640, 480), (1280, 720), (480, 640), (333, 251), (224, 224), (1001, 300)]
PLACES = [(0.5, 0.5), (0.42, 0.1), (0.55, 0.93), (0.62, 0.3)]


def prepare(fit: str) -> Preprocessor:
    return Preprocessor((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), fit=fit)


def red_network() -> nn.Module:
    """A network whose one feature map is how red each pixel of its input is."""
    redness = nn.Conv2d(3, 1, 1)
    redness.weight.data = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
    nn.init.constant_(redness.bias, -1.0)  # type: ignore[arg-type]
    last = nn.Linear(1, 1)
    last.weight.data.fill_(1.0)
    return nn.Sequential(redness, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


def dotted(width: int, height: int, x: int, y: int) -> np.ndarray[tuple[int, ...], np.dtype]:
    image = np.full((height, width, 3), 128, np.uint8)
    radius = max(width, height) // 60
    image[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1] = (0, 0, 255)
    return image


def explain(fit: str, frame: Frame) -> Explanation:
    preprocess = prepare(fit)
    with GradCAM(red_network(), "1") as cam:
        result = cam(preprocess(frame.image))
    heatmap = (result.cam[0] / result.cam.max().clamp_min(1e-30)).numpy()
    height, width = frame.image.shape[:2]
    region = preprocess.region(width, height)
    dot = Prediction(0, "dot", 1.0)
    return explanation(
        heatmap, dot, frame.index, frame.timestamp, top=(), region=region, seen=region
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("fit", FITS)
def test_the_heat_of_a_dot_is_on_the_dot(
    fit: str, width: int, height: int, place: tuple[float, float]
) -> None:
    seen = fitted(fit, width, height, 1.0)
    x, y = round(place[0] * width), round(place[1] * height)
    frame = Frame(dotted(width, height, x, y), 0, 0.0)
    result = explain(fit, frame)
    if not seen.contains(x, y):
        assert result.heatmap.max() == 0
        return
    laid = to_frame(result.heatmap, width, height, region=result.region)
    hot = laid > 0.5
    rows, columns = np.nonzero(hot)
    pixel = max(seen.width, seen.height) / SIDE  # of the input, in pixels of the frame
    assert abs(columns.mean() - x) <= pixel
    assert abs(rows.mean() - y) <= pixel
    left, top = peak(result.heatmap, width, height, region=result.region)
    radius = max(width, height) // 60 + 1
    assert abs(left - x) <= radius + pixel
    assert abs(top - y) <= radius + pixel
    assert laid[top, left] == pytest.approx(1.0)

    if height < 300:
        return  # there the cards lie over the dots
    drawn = Overlay().draw(frame, result, Status(look=Look(bars=False, view="heatmap"))).image
    assert drawn[y, x, 2] > drawn[y, x, 0], "red where the dot is"
    across = min(width - 1, max(seen.x, 0) + 3)
    assert drawn[height // 2 + 40, across, 0] > drawn[height // 2 + 40, across, 2], "blue elsewhere"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_blended_outside_the_crop(width: int, height: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = explain("crop", Frame(image, 0, 0.0))
    status = Status(look=Look(view="overlay", bars=False))
    drawn = Overlay().draw(Frame(image, 0, 0.0), result, status).image
    x, y, across, down = fitted("crop", width, height, 1.0)
    line = 4 * max(1, round(min(width, height) / 240)) + 1
    outside = np.ones((height, width), bool)
    outside[max(0, y - line) : y + down + line, max(0, x - line) : x + across + line] = False
    outside[: height // 3] = outside[-height // 5 :] = False  # the cards
    assert (drawn[outside] == image[outside]).all()
    inside = (
        drawn[height // 2, x + 1 : x + across - 1] != image[height // 2, x + 1 : x + across - 1]
    )
    assert inside.mean() > 0.5
    if (across, down) != (width, height):
        assert outside.any() or height > width


def test_the_borders_of_a_padded_frame_are_the_mean_colour() -> None:
    x = prepare("pad")(np.full((90, 160, 3), 255, np.uint8))
    assert float(x[0, :, 56, 56].min()) == pytest.approx(1.0)
    assert float(x[0, :, :20].abs().max()) < 0.01
    assert float(x[0, :, -20:].abs().max()) < 0.01


def test_a_crop_is_the_middle_of_the_frame() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, 35:125] = 255
    assert float(prepare("crop")(image).min()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("squash", Rectangle(0, 0, 1280, 720)),
        ("crop", Rectangle(280, 0, 720, 720)),
        ("pad", Rectangle(0, -280, 1280, 1280)),
    ],
)
def test_the_region_that_the_network_sees(fit: str, expected: Rectangle) -> None:
    assert fitted(fit, 1280, 720, 1.0) == expected


def test_an_unknown_fit_is_rejected() -> None:
    with pytest.raises(ValueError, match="expected squash, crop or pad, got 'stretch'"):
        fitted("stretch", 10, 10, 1.0)


@pytest.mark.parametrize("cells", [1, 2, 7, 14])
@pytest.mark.parametrize("pixels", [5, 99, 640])
def test_the_matrix_enlarges_as_opencv_does(cells: int, pixels: int) -> None:
    heatmap = np.random.default_rng(1).random((cells, cells), np.float32)
    matrix = enlargement(cells, pixels)
    np.testing.assert_allclose(
        matrix @ heatmap @ matrix.T, enlarged(heatmap, pixels, pixels), atol=1e-5
    )


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_carried_map_lies_where_it_came_from(fit: str) -> None:
    width, height = 640, 360
    rng = np.random.default_rng(2)
    texture = np.kron(rng.integers(90, 160, (45, 80, 3), dtype=np.uint8), np.ones((8, 8, 1)))
    first = texture.astype(np.uint8)
    first[170:191, 310:331] = (0, 0, 255)
    second = np.roll(first, 32, axis=1)
    result = explain(fit, Frame(first, 0, 0.0))
    tracker = Tracker()
    tracker.follow(Frame(first, 0, 0.0), result)
    carried = tracker.follow(Frame(second, 1, 0.1), result)
    assert carried is not None
    assert carried.region == WHOLE
    assert carried.seen == result.seen != Region(0, 0, 1, 1)
    x, y = peak(carried.heatmap, width, height, region=carried.region)
    assert abs(x - 352) < 16
    assert abs(y - 180) < 16


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("fit", FITS)
def test_smoothed_the_heat_of_a_dot_is_on_the_dot(
    fit: str, width: int, height: int, place: tuple[float, float]
) -> None:
    x, y = round(place[0] * width), round(place[1] * height)
    frame = Frame(dotted(width, height, x, y), 0, 0.0)
    found = explain(fit, frame)
    if found.heatmap.max() == 0:
        return
    result = Smoother(1.0).smooth(frame, found)
    assert result is not None
    assert (result.region, result.seen) == (WHOLE, found.seen)
    coarse = max(width, height) / 80  # two pixels of the thumbnail
    assert np.hypot(*np.subtract(peak(result.heatmap, width, height), (x, y))) <= (
        max(width, height) / 60 + coarse
    )
    box = evidence_box(result.heatmap, width, height, result.region, result.seen)
    assert box is not None
    assert box.contains(x, y)
    assert max(box.width, box.height) <= 2 * max(width, height) / 60 + 4 * coarse


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("fit", FITS)
def test_the_box_ends_where_the_network_saw_nothing(fit: str, width: int, height: int) -> None:
    """Also once the map has been laid over the whole frame, smoothed or carried along."""
    frame = Frame(np.zeros((height, width, 3), np.uint8), 0, 0.0)
    everywhere = with_map(explain(fit, frame), values=np.ones((14, 14), np.float32))
    for result in (everywhere, Smoother(1.0).smooth(frame, everywhere)):
        assert result is not None
        box = evidence_box(result.heatmap, width, height, result.region, result.seen)
        assert box is not None
        expected = fitted(fit, width, height, 1.0)
        pixels = expected.x, expected.y, expected.width, expected.height
        inside = (
            *np.clip(pixels[:2], 0, None),
            min(pixels[2], width),
            min(pixels[3], height),
        )
        assert tuple(box) == pytest.approx(inside, abs=max(width, height) / 120)

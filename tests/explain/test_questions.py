"""Questions with a known answer: two colours, or two photos, in one image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.explain.explainer import Explainer
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.live.schedule import NewestFirst, Shown
from live_cam.overlay import peak, to_frame
from live_cam.question import AGAINST, VERSUS, Question
from live_cam.runtime.opencv import cv2
from live_cam.settings import METHODS, Method, Settings
from tests.support.networks import COLOUR_CLASSES, COLOUR_LABELS, COLOURS
from tests.support.sources import FakeSource

WIDTH, HEIGHT = 640, 480
RED, GREEN, BLUE = COLOUR_CLASSES.values()
PHOTOS = "coffee", "chelsea"
CUP, CAT = "espresso", ("tabby", "tiger cat", "Egyptian cat")


def two_colours() -> NDArray[np.uint8]:
    """A large red patch on the left, a smaller green one on the right."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    image[150:330, 80:260] = COLOURS["red"]
    image[180:300, 420:540] = COLOURS["green"]
    return image


@pytest.fixture(scope="module")
def colours(colour_weights: Path) -> Iterator[Explainer]:
    with Explainer(Settings(weights=colour_weights, engine="hook", check=3), print) as explainer:
        explainer.load()
        yield explainer


@pytest.fixture(scope="module")
def objects() -> Iterator[Explainer]:
    settings = Settings(model="efficientnet_lite0", engine="hook")
    with Explainer(settings, print) as explainer:
        explainer.load()
        yield explainer


def explain(explainer: Explainer, image: NDArray[np.uint8], question: Question) -> Explanation:
    explainer.question = question
    explanation = explainer.explain(Frame(image, 0, 0.0))
    while explanation.label != explanation.top[0].label and question.classes == (-1,):
        explanation = explainer.explain(
            Frame(image, explanation.frame_index + 1, explanation.timestamp + 1.0)
        )
    return explanation


def half(heatmap: NDArray[np.float32]) -> str:
    """On which side of the image a map is hottest."""
    x, _ = peak(heatmap, WIDTH, HEIGHT)
    return "left" if x < WIDTH // 2 else "right"


@pytest.mark.parametrize("method", [each for each in METHODS if each != "eigencam"])
def test_locking_a_class_moves_the_heat_to_its_colour(colours: Explainer, method: Method) -> None:
    image = two_colours()
    assert explain(colours, image, Question()).label == COLOUR_LABELS["red"]
    for index, side in ((RED, "left"), (GREEN, "right")):
        explanation = explain(colours, image, Question((index,), (method,)))
        assert explanation.class_index == index
        assert half(explanation.heatmap) == side
        assert explanation.top[0].class_index == RED, "the probabilities do not change"


def test_eigencam_ignores_the_class(colours: Explainer) -> None:
    maps = [
        explain(colours, two_colours(), Question((index,), ("eigencam",))).heatmap
        for index in (RED, GREEN)
    ]
    np.testing.assert_array_equal(maps[0], maps[1])


def test_several_classes_and_methods_from_one_question(colours: Explainer) -> None:
    explanation = explain(colours, two_colours(), Question((GREEN, RED, BLUE), feature_maps=3))
    assert (explanation.label, half(explanation.heatmap)) == (COLOUR_LABELS["green"], "right")
    _, red, blue, *maps = explanation.maps
    assert [each.label for each in explanation.split_by_class()] == [
        COLOUR_LABELS[name] for name in ("green", "red", "blue")
    ]
    assert red.target == explanation.top[0]
    assert blue.target.probability == pytest.approx(0, abs=1e-3)
    assert half(red.values) == "left"
    assert blue.values.max() == 0, "there is no evidence for a missing colour"
    assert maps[0].title == f"#{list(COLOUR_CLASSES.values()).index(GREEN)}"
    assert maps[0].weight == 1.0
    assert half(maps[0].values) == "right"

    grid = explain(colours, two_colours(), Question((RED,), METHODS))
    assert [each.title for each in grid.maps] == list(METHODS)
    for method, each in zip(METHODS, grid.maps, strict=True):
        alone = explain(colours, two_colours(), Question((RED,), (method,)))
        np.testing.assert_allclose(each.values, alone.heatmap, atol=1e-5)


def test_a_class_in_the_question_by_name_and_rank_is_shown_once(colours: Explainer) -> None:
    explanation = explain(colours, two_colours(), Question((RED, -1, -2, -3)))
    shown = [each.class_index for each in explanation.split_by_class()]
    assert len(shown) == len(explanation.maps)
    assert len(set(shown)) == len(shown)


def test_the_counterfactual_is_where_the_other_colour_is(colours: Explainer) -> None:
    explanation = explain(colours, two_colours(), Question((RED,), evidence=VERSUS))
    laid = to_frame(explanation.heatmap, WIDTH, HEIGHT, signed=True)
    assert explanation.maps[0].signed
    assert COLOUR_LABELS["red"] in explanation.maps[0].title
    assert COLOUR_LABELS["green"] in explanation.maps[0].title
    assert laid[240, 170] > 0.5
    assert laid[240, 480] < -0.3
    against = explain(colours, two_colours(), Question((RED,), evidence=AGAINST))
    assert against.maps[0].signed
    assert to_frame(against.heatmap, WIDTH, HEIGHT, signed=True)[240, 170] > 0.5


def test_a_check_predicts_the_other_colour_without_the_hottest_region(colours: Explainer) -> None:
    image = two_colours()
    question = Question(check=True)
    explain(colours, image, question)
    waiting = colours.incomplete
    assert waiting, "the check joins the next frame"
    explanation = colours.explain(Frame(image, 1, 0.1))
    waiting = colours.incomplete
    assert not waiting
    assert explanation.check is not None
    assert explanation.check.before > 0.9
    assert explanation.check.without < 0.1
    assert explanation.check.alone > 0.9
    assert explanation.check.instead.label == COLOUR_LABELS["green"]

    indices = [colours.explain(Frame(image, index, index / 10)).check for index in range(2, 10)]
    assert [each.frame_index for each in indices if each] == [0, 0, 3, 3, 3, 6, 6, 6]
    assert explain(colours, image, Question()).check is None


def test_randomised_weights_change_the_map_until_they_are_switched_off(
    colours: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live_cam.explain.session._RANDOMISE_INTERVAL", 0.0)
    image = two_colours()
    before = explain(colours, image, Question((RED,)))
    question = Question((RED,), randomised=True)
    explanation = explain(colours, image, question)
    assert explanation.randomised == (1, 19)
    while colours.incomplete:
        explanation = colours.explain(Frame(image, 1, 0.1))
    assert explanation.randomised == (19, 19)
    assert np.abs(explanation.heatmap - before.heatmap).max() > 0.5
    after = explain(colours, image, Question((RED,)))
    assert after.randomised is None
    np.testing.assert_array_equal(after.heatmap, before.heatmap)


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam", "xgradcam"])
def test_two_photos_side_by_side(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], method: Method
) -> None:
    cup, cat = (
        cv2.resize(photos[name][:, left : left + width], (WIDTH // 2, HEIGHT))
        for name, left, width in (("coffee", 100, 400), ("chelsea", 80, 330))
    )
    image = np.hstack([cup, cat]).astype(np.uint8)
    top = explain(objects, image, Question())
    names = {each.label: each.class_index for each in top.top}
    assert CUP in names, names
    feline = next(index for name, index in names.items() if name in CAT)
    for index, side in ((names[CUP], "left"), (feline, "right")):
        explanation = explain(objects, image, Question((index,), (method,)))
        assert half(explanation.heatmap) == side


def test_the_label_follows_a_cut_to_a_still_image(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A still image is explained again only to change the label."""
    cup, cat = (np.asarray(cv2.resize(photos[name], (WIDTH, HEIGHT)), np.uint8) for name in PHOTOS)
    objects.question = Question()
    monkeypatch.setattr(objects, "load", lambda: None)  # it is

    def paint(index: int) -> NDArray[np.uint8]:
        # Each of the first ones shows something new, so that it is explained.
        return np.roll(cup, 8 * index, axis=1) if index < 20 else cat

    source = FakeSource([index / 10 for index in range(40)], live=True, paint=paint)
    explained: list[str] = []
    schedule = NewestFirst(
        source, objects, lambda _frame, explanation: explained.append(explanation.label)
    )
    shown: list[Shown] = []
    limit = time.monotonic() + 30
    while not schedule.ended and time.monotonic() < limit:
        following = schedule.next(0.01)
        if following is not None:
            shown.append(following)
            schedule.load()
    saved = schedule.saved
    schedule.close()
    assert saved >= 10
    assert explained[0] == CUP
    assert shown[-1].explanation is not None
    assert shown[-1].explanation.label in CAT, explained


def test_other_weights_change_the_label_immediately(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a frozen image no time passes in which another class could lead."""
    monkeypatch.setattr("live_cam.explain.session._RANDOMISE_INTERVAL", 0.0)
    frame = Frame(np.asarray(cv2.resize(photos["coffee"], (WIDTH, HEIGHT)), np.uint8), 0, 5.0)
    for randomised in (False, True, False):
        objects.question = Question(randomised=randomised)
        explanation = objects.explain(frame)
        while objects.incomplete:
            explanation = objects.explain(frame)
        assert explanation.label == explanation.top[0].label
        assert (explanation.label == CUP) is not randomised

"""Questions to networks with a known answer: two colours, or two photos, on screen at once."""

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
from live_cam.settings import METHODS, Settings
from tests.networks import COLOUR_CLASSES, COLOUR_LABELS, COLOURS
from tests.sources import FakeSource

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


def ask(explainer: Explainer, image: NDArray[np.uint8], question: Question) -> Explanation:
    explainer.question = question
    said = explainer.explain(Frame(image, 0, 0.0))
    while said.label != said.top[0].label and question.classes == (-1,):
        said = explainer.explain(Frame(image, said.frame_index + 1, said.timestamp + 1.0))
    return said


def half(heatmap: NDArray[np.float32]) -> str:
    """On which side of the image a map is hottest."""
    x, _ = peak(heatmap, WIDTH, HEIGHT)
    return "left" if x < WIDTH // 2 else "right"


@pytest.mark.parametrize("method", [each for each in METHODS if each != "eigencam"])
def test_locking_a_class_moves_the_heat_to_its_colour(colours: Explainer, method: str) -> None:
    image = two_colours()
    assert ask(colours, image, Question()).label == COLOUR_LABELS["red"]
    for index, side in ((RED, "left"), (GREEN, "right")):
        said = ask(colours, image, Question((index,), (method,)))
        assert said.class_index == index
        assert half(said.heatmap) == side
        assert said.top[0].class_index == RED, "the probabilities stay what they are"


def test_eigencam_knows_no_class(colours: Explainer) -> None:
    maps = [
        ask(colours, two_colours(), Question((index,), ("eigencam",))).heatmap
        for index in (RED, GREEN)
    ]
    np.testing.assert_array_equal(maps[0], maps[1])


def test_several_classes_and_methods_from_one_question(colours: Explainer) -> None:
    said = ask(colours, two_colours(), Question((GREEN, RED, BLUE), feature_maps=3))
    assert (said.label, half(said.heatmap)) == (COLOUR_LABELS["green"], "right")
    _, red, blue, *maps = said.maps
    assert [each.label for each in said.split_by_class()] == [
        COLOUR_LABELS[name] for name in ("green", "red", "blue")
    ]
    assert red.target == said.top[0]
    assert blue.target.probability == pytest.approx(0, abs=1e-3)
    assert half(red.values) == "left"
    assert blue.values.max() == 0, "nothing speaks for what is not there"
    assert maps[0].title == f"#{list(COLOUR_CLASSES.values()).index(GREEN)}"
    assert maps[0].weight == 1.0
    assert half(maps[0].values) == "right"

    grid = ask(colours, two_colours(), Question((RED,), METHODS))
    assert [each.title for each in grid.maps] == list(METHODS)
    for method, each in zip(METHODS, grid.maps, strict=True):
        alone = ask(colours, two_colours(), Question((RED,), (method,)))
        np.testing.assert_allclose(each.values, alone.heatmap, atol=1e-5)


def test_a_class_that_is_asked_for_by_name_and_rank_is_shown_once(colours: Explainer) -> None:
    said = ask(colours, two_colours(), Question((RED, -1, -2, -3)))
    shown = [each.class_index for each in said.split_by_class()]
    assert len(shown) == len(said.maps)
    assert len(set(shown)) == len(shown)


def test_the_counterfactual_is_where_the_other_colour_is(colours: Explainer) -> None:
    said = ask(colours, two_colours(), Question((RED,), evidence=VERSUS))
    laid = to_frame(said.heatmap, WIDTH, HEIGHT, signed=True)
    assert said.maps[0].signed
    assert COLOUR_LABELS["red"] in said.maps[0].title
    assert COLOUR_LABELS["green"] in said.maps[0].title
    assert laid[240, 170] > 0.5
    assert laid[240, 480] < -0.3
    against = ask(colours, two_colours(), Question((RED,), evidence=AGAINST))
    assert against.maps[0].signed
    assert to_frame(against.heatmap, WIDTH, HEIGHT, signed=True)[240, 170] > 0.5


def test_without_the_hot_spot_it_says_the_other_colour(colours: Explainer) -> None:
    image = two_colours()
    question = Question(check=True)
    ask(colours, image, question)
    waiting = colours.unanswered
    assert waiting, "the check travels with the next frame"
    said = colours.explain(Frame(image, 1, 0.1))
    waiting = colours.unanswered
    assert not waiting
    assert said.check is not None
    assert said.check.before > 0.9
    assert said.check.without < 0.1
    assert said.check.alone > 0.9
    assert said.check.instead.label == COLOUR_LABELS["green"]

    indices = [colours.explain(Frame(image, index, index / 10)).check for index in range(2, 10)]
    assert [each.frame_index for each in indices if each] == [0, 0, 3, 3, 3, 6, 6, 6]
    assert ask(colours, image, Question()).check is None


def test_randomised_weights_forget_and_come_back(
    colours: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live_cam.explain.session._RANDOMISE_INTERVAL", 0.0)
    image = two_colours()
    before = ask(colours, image, Question((RED,)))
    question = Question((RED,), randomised=True)
    said = ask(colours, image, question)
    assert said.randomised == (1, 19)
    while colours.unanswered:
        said = colours.explain(Frame(image, 1, 0.1))
    assert said.randomised == (19, 19)
    assert np.abs(said.heatmap - before.heatmap).max() > 0.5
    after = ask(colours, image, Question((RED,)))
    assert after.randomised is None
    np.testing.assert_array_equal(after.heatmap, before.heatmap)


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam", "xgradcam"])
def test_two_photos_side_by_side(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], method: str
) -> None:
    cup, cat = (
        cv2.resize(photos[name][:, left : left + width], (WIDTH // 2, HEIGHT))
        for name, left, width in (("coffee", 100, 400), ("chelsea", 80, 330))
    )
    image = np.hstack([cup, cat]).astype(np.uint8)
    top = ask(objects, image, Question())
    names = {each.label: each.class_index for each in top.top}
    assert CUP in names, names
    feline = next(index for name, index in names.items() if name in CAT)
    for index, side in ((names[CUP], "left"), (feline, "right")):
        said = ask(objects, image, Question((index,), (method,)))
        assert half(said.heatmap) == side


def test_the_label_follows_a_cut_to_a_image_that_stands_still(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands still is not explained again, but for the label to change."""
    cup, cat = (np.asarray(cv2.resize(photos[name], (WIDTH, HEIGHT)), np.uint8) for name in PHOTOS)
    objects.question = Question()
    monkeypatch.setattr(objects, "load", lambda: None)  # it is

    def paint(index: int) -> NDArray[np.uint8]:
        # Each of the first ones shows something new, so that it is explained.
        return np.roll(cup, 8 * index, axis=1) if index < 20 else cat

    source = FakeSource([index / 10 for index in range(40)], live=True, paint=paint)
    explained: list[str] = []
    schedule = NewestFirst(source, objects, lambda _frame, said: explained.append(said.label))
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


def test_another_network_is_believed_at_once(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a frozen image no time passes in which its top class could lead."""
    monkeypatch.setattr("live_cam.explain.session._RANDOMISE_INTERVAL", 0.0)
    frame = Frame(np.asarray(cv2.resize(photos["coffee"], (WIDTH, HEIGHT)), np.uint8), 0, 5.0)
    for randomised in (False, True, False):
        objects.question = Question(randomised=randomised)
        said = objects.explain(frame)
        while objects.unanswered:
            said = objects.explain(frame)
        assert said.label == said.top[0].label
        assert (said.label == CUP) is not randomised

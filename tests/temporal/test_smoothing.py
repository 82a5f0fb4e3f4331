"""Calm images: noise does not flicker, change shows at once, and weak evidence looks weak."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from benchmark.flicker import cut_delay, flicker, noisy, watch
from benchmark.pan import LATENCY, MOTIONS, Motion, photo_pan
from benchmark.pan import RATE as PAN_RATE
from benchmark.pan import SIZE as PAN_SIZE
from numpy.typing import NDArray

from live_cam.explain.explainer import Explainer
from live_cam.explanation import Explanation, Heatmap, Prediction
from live_cam.frame import Frame
from live_cam.geometry import Region
from live_cam.live.pipeline import LivePipeline
from live_cam.live.schedule import Shown
from live_cam.overlay import Drawn, peak
from live_cam.overlay.status import Status
from live_cam.question import Question
from live_cam.runtime.opencv import cv2
from live_cam.settings import DEFAULT_SMOOTHING, Settings
from live_cam.temporal.smoothing import Calm
from live_cam.temporal.stabiliser import Stabiliser
from live_cam.temporal.tracking import Tracker
from tests.networks import COLOUR_LABELS, COLOURS
from tests.sources import FakeSource
from tests.support.explanations import explanation, with_map

SIZE = WIDTH, HEIGHT = 640, 480
GREY = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
RATES = (4.0, 10.0, 30.0)
WEAK = 0.4
"""Of full colour: in the colormap jet all below it is blue or cyan."""


def heat(x: int, y: int) -> NDArray[np.float32]:
    """A spot at a cell of 14×14."""
    cells = np.arange(14)
    spot = np.exp(-((cells[:, None] - y) ** 2 + (cells[None] - x) ** 2) / 8)
    return np.asarray(spot, np.float32)


def said(
    heatmap: NDArray[np.float32],
    index: int = 0,
    *,
    probability: float = 1.0,
    class_index: int = 0,
    strength: float = 1.0,
    rate: float = 10.0,
) -> Explanation:
    """What a network says of frame number `index`."""
    target = Prediction(class_index, f"class {class_index}", probability)
    return with_map(explanation(heatmap, target, index, index / rate), strength=strength)


def frame(index: int = 0, image: NDArray[np.uint8] = GREY, rate: float = 10.0) -> Frame:
    return Frame(image, index, index / rate)


def calmed(calm: Calm, explanation: Explanation) -> Explanation:
    found = calm.steady(frame(explanation.frame_index), explanation)
    assert found is not None
    return found


def drawn_peak(explanation: Explanation) -> tuple[float, float]:
    """Where the map is highest, in cells of 14×14."""
    x, y = peak(explanation.heatmap, WIDTH, HEIGHT)
    return (x + 0.5) * 14 / WIDTH - 0.5, (y + 0.5) * 14 / HEIGHT - 0.5


class TestMaps:
    def test_what_is_drawn_is_what_was_found(self) -> None:
        found = calmed(Calm(1.0), said(heat(3, 9)))
        assert found.heatmap.shape == frame().thumbnail.shape[:2]
        assert found.heatmap.dtype == np.float32
        assert drawn_peak(found) == pytest.approx((3, 9), abs=0.2)
        assert found.heatmap.max() == pytest.approx(1.0)
        assert found.heatmap.min() >= 0

    def test_nothing_to_smooth_yet_and_nothing_new(self) -> None:
        calm, explanation = Calm(1.0), said(heat(3, 9))
        assert calm.steady(frame(0), None) is None
        first = calm.steady(frame(0), explanation)
        assert calm.steady(frame(1), explanation) is first

    def test_noise_is_smoothed_to_its_mean(self) -> None:
        generator = np.random.default_rng(0)
        base = 0.8 * heat(3, 9)
        raw = [
            (base * generator.normal(1.0, 0.05, base.shape)).astype(np.float32) for _ in range(60)
        ]
        calm = Calm(1.0)
        shown = [calmed(calm, said(each, index)).heatmap for index, each in enumerate(raw)]
        change = np.mean([np.abs(b - a).mean() for a, b in pairwise(raw[30:])])
        kept = np.mean([np.abs(b - a).mean() for a, b in pairwise(shown[30:])])
        assert kept < change / 10
        clean = calmed(Calm(1.0), said(base)).heatmap
        np.testing.assert_allclose(shown[-1], clean, atol=0.05)

    @pytest.mark.parametrize("rate", RATES)
    def test_another_place_shows_at_once(self, rate: float) -> None:
        calm = Calm(1.0)
        for index in range(10):
            calmed(calm, said(heat(3, 9), index, rate=rate))
        found = calmed(calm, said(heat(11, 2), 10, rate=rate))
        assert drawn_peak(found) == pytest.approx((11, 2), abs=0.2)

    def test_a_slow_change_is_followed(self) -> None:
        """Half a cell a second: each step alone would count as noise."""
        calm = Calm(1.0)
        for index in range(100):
            x = 2 + index / 20
            cells = np.arange(14)
            spot = np.exp(-((cells[:, None] - 7) ** 2 + (cells[None] - x) ** 2) / 8)
            found = calmed(calm, said(spot.astype(np.float32), index))
        assert drawn_peak(found)[0] == pytest.approx(x, abs=1.0)

    def test_signed_maps_keep_their_signs(self) -> None:
        calm = Calm(1.0)
        both = heat(3, 9) - 0.5 * heat(11, 2)
        for index in range(5):
            explained = with_map(said(both, index), signed=True, kind="gradcam against")
            found = calmed(calm, explained)
        assert found.heatmap.max() == pytest.approx(1.0, abs=0.01)
        assert found.heatmap.min() == pytest.approx(-0.5, abs=0.05)

    @pytest.mark.parametrize("region", [Region(0.2, 0.0, 0.6, 1.0), Region(0.0, -0.2, 1.0, 1.4)])
    def test_a_map_of_a_part_stays_in_its_place(self, region: Region) -> None:
        explanation = replace(said(heat(3, 9)), region=region, seen=region)
        found = calmed(Calm(1.0), explanation)
        expected = peak(explanation.heatmap, WIDTH, HEIGHT, region=region)
        assert peak(found.heatmap, WIDTH, HEIGHT) == pytest.approx(expected, abs=6)
        assert found.seen == region, "nothing is blended outside"

    @pytest.mark.parametrize("size", [(1, 1), (2, 300), (15, 16)])
    def test_small_images_and_one_that_changes_its_size(self, size: tuple[int, int]) -> None:
        calm = Calm(1.0, Tracker())
        small = np.zeros((size[1], size[0], 3), np.uint8)
        for index, image in enumerate((small, GREY, small)):
            found = calm.steady(frame(index, image), said(heat(3, 9), index))
            assert found is not None
            assert np.isfinite(found.heatmap).all()
            assert found.heatmap.max() > 0

    def test_no_evidence_at_all(self) -> None:
        nothing = said(np.zeros((14, 14), np.float32), strength=1e-30)
        calm = Calm(1.0)
        assert calmed(calm, nothing).heatmap.max() == 0
        assert calmed(calm, said(heat(3, 9), 1)).heatmap.max() == pytest.approx(1.0)


class TestMotion:
    def test_a_cut_shows_at_once_though_the_maps_are_alike(
        self, photos: dict[str, NDArray[np.uint8]]
    ) -> None:
        first, second = (
            np.asarray(cv2.resize(photos[name], SIZE), np.uint8) for name in ("coffee", "rocket")
        )
        new = np.asarray((0.9 * heat(3, 9) + 0.1).astype(np.float32))
        found = {}
        for cut in (False, True):
            calm = Calm(1.0, Tracker())
            for index in range(5):
                calm.steady(frame(index, first), said(heat(3, 9), index))
            found[cut] = calm.steady(frame(5, second if cut else first), said(new, 5))
        exact = calmed(Calm(1.0), said(new))
        still, cut_to = found[False], found[True]
        assert still is not None
        assert cut_to is not None
        np.testing.assert_array_equal(cut_to.heatmap, exact.heatmap)
        assert np.abs(still.heatmap - exact.heatmap).mean() > 0.01, "without one it is smoothed"

    @pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: motion.name)
    def test_smoothing_does_not_lag_behind_what_moves(self, motion: Motion) -> None:
        pan, explanation = photo_pan(motion), None
        stabilisers = {each: Stabiliser(each, track=True) for each in (0.0, DEFAULT_SMOOTHING)}
        distances: dict[float, list[float]] = {each: [] for each in stabilisers}
        for index in range(36):
            if index >= LATENCY and index % LATENCY == 0:
                explanation = pan.explanation(index - LATENCY)
            shown = pan.frame(index)
            for smoothing, stabiliser in stabilisers.items():
                drawn = stabiliser.stabilise(shown, explanation)
                if drawn is not None:
                    off = np.subtract(peak(drawn.heatmap, *PAN_SIZE), pan.place(index))
                    distances[smoothing].append(float(np.hypot(*off)))
        plain, smooth = (float(np.median(each)) for each in distances.values())
        assert smooth <= plain + 4

    def test_it_does_not_guess_how_the_image_moved_long_ago(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the tracker has forgotten is not smoothed with what came before."""
        monkeypatch.setattr("live_cam.temporal.tracking._REMEMBERED", 8)
        pan = photo_pan(Motion(name="pan", object_speed=(250.0, 0.0), background_speed=(250.0, 0)))
        monkeypatch.setattr(Tracker, "__init__", _with_short_memory(Tracker.__init__))
        tracker = Tracker()
        for index in range(30):
            tracker.see(pan.frame(index))
        assert not tracker.remembers(10)
        assert tracker.remembers(25)
        field = tracker.motion(25, 29)
        assert field is not None
        assert np.median(field[..., 0]) == pytest.approx(
            -250 * 4 / PAN_RATE * 160 / PAN_SIZE[0], abs=0.5
        )

    def test_another_beginning(self) -> None:
        calm = Calm(1.0, Tracker())
        for index in range(5, 9):
            calmed(calm, said(heat(3, 9), index))
        new = np.asarray(heat(3, 9) + 0.05 * heat(11, 2))
        found = calmed(calm, said(new, 0))
        np.testing.assert_array_equal(found.heatmap, calmed(Calm(1.0), said(new)).heatmap)


def _with_short_memory(begin: Callable[[Tracker], None]) -> Callable[[Tracker], None]:
    def begun(self: Tracker) -> None:
        begin(self)
        self._steps = type(self._steps)(maxlen=8)

    return begun


class TestRest:
    def small_change(self) -> tuple[Calm, Explanation, Explanation]:
        calm = Calm(1.0)
        for index in range(5):
            calmed(calm, said(heat(3, 9), index, probability=0.8))
        new = said(np.asarray(heat(3, 9) * 0.9), 5, probability=0.7)
        return calm, new, calmed(calm, new)

    def test_what_stands_still_comes_to_rest_on_the_newest_explanation(self) -> None:
        calm, new, first = self.small_change()
        assert first.probability > 0.78
        scores = [first.probability]
        for index in range(6, 200):
            calm.settle(1 / 30)
            found = calm.steady(frame(index), new)
            assert found is not None
            scores.append(found.probability)
        assert all(after <= before for before, after in pairwise(scores))
        assert scores[-1] == pytest.approx(0.7, abs=1e-6)
        assert found is not None
        assert found.heatmap.max() == pytest.approx(0.9 * first.heatmap.max() / 0.99, abs=0.01)
        calm.settle(1.0)
        assert calm.steady(frame(200), new) is found, "the same object: nothing to draw anew"

    def test_a_second_is_counted_once(self) -> None:
        """Whether the image rested or not, the next explanation finds it at the same place."""
        end = said(np.asarray(heat(3, 9)), 20, probability=0.8)
        calm, _, _ = self.small_change()
        straight = calmed(calm, end)
        calm, new, _ = self.small_change()
        calm.settle(1.5)
        rested = calm.steady(frame(19), new)
        assert rested is not None
        after = calmed(calm, end)
        assert rested.probability < 0.73
        assert abs(after.probability - rested.probability) < 0.01
        assert straight.probability > 0.78

    def test_a_frozen_image_is_at_rest_at_once(self) -> None:
        calm, new, _ = self.small_change()
        frozen = calm.settle(math.inf)
        assert frozen is not None
        assert frozen.probability == new.probability
        assert calm.settle(math.inf) is calm.steady(frame(5), new) is frozen
        live = calmed(calm, said(heat(3, 9), 100, probability=0.72))
        assert live.probability == pytest.approx(0.7, abs=0.001), "that time is not counted"
        assert calmed(calm, said(heat(3, 9), 105, probability=0.8)).probability > 0.72, (
            "the time after it is"
        )

    def test_before_the_first_explanation(self) -> None:
        calm = Calm(1.0)
        assert calm.settle(1e9) is None
        assert calmed(calm, said(heat(3, 9))).probability == 1.0


class TestEvidence:
    def test_weak_after_strong_looks_weak(self) -> None:
        calm = Calm(1.0)
        for index in range(30):
            calmed(calm, said(heat(3, 9), index, probability=0.9))
        found = calmed(calm, said(heat(11, 2), 30, probability=0.05, strength=0.15))
        assert drawn_peak(found) == pytest.approx((11, 2), abs=0.2)
        assert found.heatmap.max() < 0.25

    def test_weak_at_the_start_looks_weak(self) -> None:
        assert calmed(Calm(1.0), said(heat(3, 9), probability=0.05)).heatmap.max() < WEAK
        assert calmed(Calm(1.0), said(heat(3, 9), probability=0.9)).heatmap.max() > 0.9

    def test_nothing_never_becomes_certainty(self) -> None:
        """Not even where there has been nothing else for minutes."""
        calm = Calm(1.0)
        calmed(calm, said(heat(3, 9), 0, probability=0.9))
        for index in range(1, 4000):
            found = calmed(calm, said(heat(3, 9), index, probability=0.05, strength=0.15))
        assert found.heatmap.max() < WEAK

    def test_what_the_network_is_sure_of_comes_to_full_colour(self) -> None:
        calm = Calm(1.0)
        calmed(calm, said(heat(3, 9), 0, probability=0.95))
        for index in range(1, 300):
            found = calmed(calm, said(heat(11, 2), index, probability=0.9, strength=0.4))
        assert found.heatmap.max() > 0.8

    def test_the_peak_is_never_cut_off(self) -> None:
        calm = Calm(1.0)
        for index in range(30):
            strength = 1.0 + index / 10
            found = calmed(calm, said(heat(3, 9), index, probability=0.9, strength=strength))
            assert (found.heatmap >= 1.0).sum() <= 4
            assert found.heatmap.max() > 0.9

    def test_another_network_is_measured_anew(self) -> None:
        """Randomised weights may make maps a million times as strong, or as weak."""
        calm = Calm(1.0)
        for index, (strength, randomised) in enumerate([(1.0, None), (1e6, (1, 19)), (1.0, None)]):
            explained = said(heat(3 + 3 * index, 9), index, strength=strength)
            found = calmed(calm, replace(explained, randomised=randomised))
            assert found.heatmap.max() == pytest.approx(1.0, abs=0.01)
            assert drawn_peak(found) == pytest.approx((3 + 3 * index, 9), abs=0.2)

    def test_each_method_has_its_own_measure(self) -> None:
        calm = Calm(1.0)
        calmed(calm, said(heat(3, 9), 0, strength=100.0))
        found = calmed(calm, with_map(said(heat(3, 9), 1), kind="hirescam for"))
        assert found.heatmap.max() == pytest.approx(1.0)


class TestScores:
    def test_noise_is_smoothed(self) -> None:
        calm, generator = Calm(1.0), np.random.default_rng(0)
        scores = generator.normal(0.7, 0.05, 80)
        shown = [
            calmed(calm, said(heat(3, 9), index, probability=float(score))).probability
            for index, score in enumerate(scores)
        ]
        assert np.abs(np.diff(shown[20:])).mean() < np.abs(np.diff(scores[20:])).mean() / 10
        assert shown[-1] == pytest.approx(0.7, abs=0.03)

    @pytest.mark.parametrize("rate", RATES)
    def test_another_class_shows_at_once(self, rate: float) -> None:
        calm = Calm(1.0)
        for index in range(10):
            calmed(calm, said(heat(3, 9), index, probability=0.9, rate=rate))
        found = calmed(calm, said(heat(11, 2), 10, probability=0.8, class_index=1, rate=rate))
        assert found.probability == pytest.approx(0.8, abs=0.01)
        assert found.top[0].label == "class 1"

    def test_a_locked_class_that_is_not_among_the_best(self) -> None:
        calm = Calm(1.0)
        best = tuple(Prediction(index, f"class {index}", 0.2) for index in range(1, 6))
        for index in range(3):
            found = calmed(calm, replace(said(heat(3, 9), index, probability=1e-6), top=best))
        assert found.probability == pytest.approx(1e-6)
        assert {each.class_index for each in found.top} == {1, 2, 3, 4, 5}


class TestOthers:
    def beside(self, subjects: list[int], index: int) -> Explanation:
        explained = said(heat(7, 7), index)
        beside = tuple(
            Heatmap(
                heat(each, each),
                explained.target,
                f"#{each}",
                "feature map",
                feature_map=each,
                weight=0.1,
            )
            for each in subjects
        )
        return replace(explained, maps=(*explained.maps, *beside))

    def test_maps_that_change_places_are_not_mixed(self) -> None:
        calm = Calm(1.0)
        for index, subjects in enumerate([[2, 5, 9], [5, 2, 9], [9, 12], [2, 5, 9]]):
            found = calmed(calm, self.beside(subjects, index))
            assert [each.subject for each in found.maps[1:]] == subjects
            for each in found.maps[1:]:
                shown = replace(found, maps=(each,))
                assert drawn_peak(shown) == pytest.approx((each.subject,) * 2, abs=0.2)

    def test_others_that_come_and_go(self) -> None:
        calm = Calm(1.0)
        for index, subjects in enumerate([[], [2, 5], [], [5]]):
            assert len(calmed(calm, self.beside(subjects, index)).maps) == 1 + len(subjects)

    def test_their_numbers_do_not_flicker_either(self) -> None:
        calm, generator = Calm(1.0), np.random.default_rng(0)
        shown = []
        for index in range(40):
            weight, probability = 0.5 + generator.normal(0, 0.02), 0.3 + generator.normal(0, 0.02)
            explained = said(heat(7, 7), index, probability=0.6)
            maps = (
                *explained.maps,
                Heatmap(
                    heat(2, 2), explained.target, "#2", "feature map", feature_map=2, weight=weight
                ),
                Heatmap(heat(5, 5), Prediction(5, "class 5", probability)),
            )
            found = calmed(calm, replace(explained, maps=maps))
            shown.append((found.maps[1].weight, found.maps[2].target.probability))
        numbers = np.array(shown[10:], float)
        assert np.abs(np.diff(numbers, axis=0)).max() < 0.01
        assert numbers[-1] == pytest.approx((0.5, 0.3), abs=0.02)


class TestStabiliser:
    def test_without_smoothing_and_tracking_it_does_nothing(self) -> None:
        pan, stabiliser = photo_pan(MOTIONS[0]), Stabiliser(0.0, track=False)
        explanation = pan.explanation(0)
        for index in range(4):
            assert stabiliser.stabilise(pan.frame(index), explanation) is explanation
        assert stabiliser.stabilise(pan.frame(4), None) is None

    def test_where_each_frame_has_its_own_explanation_nothing_is_carried(self) -> None:
        pan, stabiliser = photo_pan(MOTIONS[0]), Stabiliser(0.0, track=True, carry=False)
        explanation = pan.explanation(0)
        for index in range(4):
            assert stabiliser.stabilise(pan.frame(index), explanation) is explanation

    def test_smoothed_there_what_came_before_follows_the_motion(self) -> None:
        pan = photo_pan(Motion(name="pan", object_speed=(60.0, 0.0), background_speed=(60.0, 0.0)))
        off = {}
        for track in (True, False):
            stabiliser = Stabiliser(DEFAULT_SMOOTHING, track=track, carry=False)
            for index in range(45):
                drawn = stabiliser.stabilise(pan.frame(index), pan.explanation(index))
            assert drawn is not None
            off[track] = np.hypot(*np.subtract(peak(drawn.heatmap, *PAN_SIZE), pan.place(44)))
        assert off[True] < 10
        assert off[False] > 2 * off[True]


# ---- through real networks ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def objects() -> Iterator[Explainer]:
    settings = Settings(model="efficientnet_lite0", engine="hook")
    with Explainer(settings, print) as explainer:
        explainer.load()
        yield explainer


@pytest.fixture(scope="module")
def colours(colour_weights: Path) -> Iterator[Explainer]:
    with Explainer(Settings(weights=colour_weights, engine="hook"), print) as explainer:
        explainer.load()
        yield explainer


def photo(photos: dict[str, NDArray[np.uint8]], name: str) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(photos[name], SIZE), np.uint8)


def patch(colour: str, left: int) -> NDArray[np.uint8]:
    image = np.array(GREY)
    image[150:330, left : left + 180] = COLOURS[colour]
    return image


def assert_calm(explain: Callable[[Frame], Explanation], scene: NDArray[np.uint8]) -> None:
    frames = [noisy(scene, seed) for seed in range(16)]
    plain = [seen.drawn for seen in watch(explain, frames, 10.0, smoothing=0.0)]
    unsmoothed = flicker(plain, scene)
    assert unsmoothed > 0, "the noise must matter"
    for rate in RATES:
        seen = watch(lambda frame: replace(plain[frame.index], timestamp=frame.timestamp),
                     frames, rate)  # fmt: skip
        assert flicker([each.drawn for each in seen], scene) <= unsmoothed / 5, rate
        assert seen[-1].drawn.label == plain[-1].label


@pytest.mark.parametrize("name", ["chelsea", "coffee", "motorcycle_left"])
def test_on_a_still_scene_the_image_does_not_flicker(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], name: str
) -> None:
    objects.question = Question()
    assert_calm(objects.explain, photo(photos, name))


def test_on_a_still_colour_the_image_does_not_flicker(colours: Explainer) -> None:
    assert_calm(colours.explain, patch("red", 80))


@pytest.mark.parametrize("track", [True, False])
@pytest.mark.parametrize("rate", RATES)
def test_a_cut_to_another_object_shows_within_300_ms(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], rate: float, track: bool
) -> None:
    objects.question = Question()
    cut = 6
    for names in (("coffee", "chelsea"), ("coffee", "motorcycle_left")):
        before, after = (photo(photos, name) for name in names)
        frames = [noisy(before, seed) for seed in range(cut)]
        frames += [noisy(after, 100 + seed) for seed in range(10)]
        seen = watch(objects.explain, frames, rate, track=track)
        assert seen[cut - 1].drawn.label != seen[-1].drawn.label
        delay = cut_delay(seen, cut, rate, SIZE)
        assert delay is not None
        assert max(delay) <= 0.3, names


@pytest.mark.parametrize("rate", RATES)
def test_a_cut_to_another_colour_shows_within_300_ms(colours: Explainer, rate: float) -> None:
    cut, left = 2, 400
    frames = [noisy(patch("red", 80), seed) for seed in range(cut)]
    frames += [noisy(patch("green", left), 100 + seed) for seed in range(6)]
    drawn = [each.drawn for each in watch(colours.explain, frames, rate)]
    assert {each.label for each in drawn[:cut]} == {COLOUR_LABELS["red"]}
    in_time = min(6, int(0.3 * rate))  # the last one that is out after 300 ms, counted from 1
    for each in drawn[cut + in_time - 1 :]:
        assert each.label == COLOUR_LABELS["green"]
        # The layer's cells are as wide as 46 pixels, and the patch is flat.
        assert left - 46 < peak(each.heatmap, *SIZE)[0] < left + 180 + 46


def test_nothing_but_noise_is_not_drawn_as_certainty(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]]
) -> None:
    objects.question = Question()
    cup = [noisy(photo(photos, "coffee"), seed) for seed in range(4)]
    nothing = [noisy(GREY, 100 + seed, sigma=60.0) for seed in range(8)]
    seen = watch(objects.explain, [*cup, *nothing], 10.0)
    assert all(each.found.heatmap.max() == 1.0 for each in seen), "each by itself"
    assert seen[3].drawn.heatmap.max() > 0.9
    assert max(each.drawn.heatmap.max() for each in seen[4:]) < WEAK
    alone = watch(objects.explain, nothing, 10.0)
    assert max(each.drawn.heatmap.max() for each in alone) < WEAK, "and at the start"


def test_a_class_that_is_not_there_looks_weak(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]]
) -> None:
    frames = [noisy(photo(photos, "coffee"), seed) for seed in range(6)]
    stabiliser = Stabiliser(DEFAULT_SMOOTHING, track=True)
    tabby = 281
    highest = []
    for index, image in enumerate(frames):
        objects.question = Question((tabby,)) if index >= 3 else Question()
        shown = Frame(image, index, index / 10)
        drawn = stabiliser.stabilise(shown, objects.explain(shown))
        assert drawn is not None
        highest.append(float(drawn.heatmap.max()))
    assert min(highest[:3]) > 0.9
    assert max(highest[3:]) < 0.2


def test_without_smoothing_all_is_what_the_network_said_of_each_frame(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    """On this image the noise decides between two classes; smoothed, the label stays."""
    frames = [noisy(photo(photos, "rocket"), seed) for seed in range(12)]
    labels = {}
    for smooth in (0.0, None):
        settings = Settings(model="efficientnet_lite0", engine="hook", smooth=smooth)
        with Explainer(settings, print) as explainer:
            explainer.load()
            seen = watch(explainer.explain, frames, 10.0, settings.smoothing)
        if smooth == 0.0:
            assert all(each.drawn is each.found for each in seen)
            assert all(each.drawn.label == each.found.top[0].label for each in seen)
        labels[smooth] = [each.drawn.label for each in seen]
    assert len(set(labels[0.0])) > 1, "the noise must matter"
    assert len(set(labels[None])) == 1


class Watch:
    """Notes what the live loop found and what it drew."""

    def __init__(self, pipeline: LivePipeline) -> None:
        self.found: list[Explanation] = []
        self.drawn: list[Explanation] = []
        self.top: list[tuple[Prediction, ...]] = []
        self._pipeline = pipeline
        self._draw = pipeline._overlay.draw
        pipeline.observer = self
        pipeline._overlay.draw = self.draw  # type: ignore[method-assign]

    def shown(self, shown: Shown) -> None:
        if shown.explanation:
            self.top.append(self._pipeline.controls.top)

    def explained(self, _frame: Frame, explanation: Explanation) -> None:
        self.found.append(explanation)

    def draw(self, frame: Frame, explanation: Explanation | None, status: Status) -> Drawn:
        if explanation:
            self.drawn.append(explanation)
        return self._draw(frame, explanation, status)


@pytest.mark.parametrize("smooth", [0.0, None])
def test_the_live_loop(
    photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch, smooth: float | None
) -> None:
    """Unsmoothed it draws what was found; smoothed it comes to rest when the image does."""
    scene = photo(photos, "coffee")

    def paint(index: int) -> NDArray[np.uint8]:
        return noisy(scene, index, 20.0 if index < 20 else 0.0)

    times = [index / 10 for index in range(75)]
    monkeypatch.setattr(
        "live_cam.live.pipeline.open_source", lambda *_a, **_k: FakeSource(times, paint=paint)
    )
    settings = Settings(
        model="efficientnet_lite0",
        engine="hook",
        headless=True,
        smooth=smooth,
        track=smooth is None,  # so much noise looks like motion
    )
    pipeline = LivePipeline(settings, print)
    seen = Watch(pipeline)
    pipeline.run()
    assert len(seen.found) >= 5
    assert seen.top == [each.top for each in seen.drawn], "keys mean what is shown"
    if smooth == 0.0:
        assert {id(each) for each in seen.drawn} <= {id(each) for each in seen.found}
        return
    last = seen.found[-1]
    # How near it has come depends on when the machine found the time to explain the last frame.
    assert seen.drawn[-1].probability == pytest.approx(last.probability, abs=0.005)
    assert any(abs(each.probability - last.probability) > 0.005 for each in seen.drawn[-60:])
    at_rest = Calm(1.0).steady(frame(0, scene), last)
    assert at_rest is not None
    shape = seen.drawn[-1].heatmap / seen.drawn[-1].heatmap.max()
    np.testing.assert_allclose(shape, at_rest.heatmap / at_rest.heatmap.max(), atol=0.04)

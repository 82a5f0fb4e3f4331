"""Smoothing: noise does not flicker, changes show immediately, weak evidence looks weak."""

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
from live_cam.question import AGAINST, Question
from live_cam.runtime.opencv import cv2
from live_cam.settings import DEFAULT_SMOOTHING, Settings
from live_cam.temporal.smoothing import Smoother
from live_cam.temporal.stabiliser import Stabiliser
from live_cam.temporal.tracking import Tracker
from tests.support.explanations import explanation, with_map
from tests.support.networks import COLOUR_LABELS, COLOURS
from tests.support.sources import FakeSource

SIZE = WIDTH, HEIGHT = 640, 480
GREY = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
RATES = (4.0, 10.0, 30.0)
WEAK = 0.4
"""Share of full colour; in the jet colormap everything below is blue or cyan."""


def heat(x: int, y: int) -> NDArray[np.float32]:
    """A spot at one cell of 14×14."""
    cells = np.arange(14)
    spot = np.exp(-((cells[:, None] - y) ** 2 + (cells[None] - x) ** 2) / 8)
    return np.asarray(spot, np.float32)


def explanation_of(
    heatmap: NDArray[np.float32],
    index: int = 0,
    *,
    probability: float = 1.0,
    class_index: int = 0,
    strength: float = 1.0,
    rate: float = 10.0,
) -> Explanation:
    """An explanation of frame number `index`."""
    target = Prediction(class_index, f"class {class_index}", probability)
    return with_map(explanation(heatmap, target, index, index / rate), strength=strength)


def frame(index: int = 0, image: NDArray[np.uint8] = GREY, rate: float = 10.0) -> Frame:
    return Frame(image, index, index / rate)


def smoothed(smoother: Smoother, explanation: Explanation) -> Explanation:
    result = smoother.smooth(frame(explanation.frame_index), explanation)
    assert result is not None
    return result


def drawn_peak(explanation: Explanation) -> tuple[float, float]:
    """Where the map is highest, in cells of 14×14."""
    x, y = peak(explanation.heatmap, WIDTH, HEIGHT)
    return (x + 0.5) * 14 / WIDTH - 0.5, (y + 0.5) * 14 / HEIGHT - 0.5


class TestMaps:
    def test_the_first_explanation_is_drawn_as_it_is(self) -> None:
        result = smoothed(Smoother(1.0), explanation_of(heat(3, 9)))
        assert result.heatmap.shape == frame().thumbnail.shape[:2]
        assert result.heatmap.dtype == np.float32
        assert drawn_peak(result) == pytest.approx((3, 9), abs=0.2)
        assert result.heatmap.max() == pytest.approx(1.0)
        assert result.heatmap.min() >= 0

    def test_no_explanation_and_no_new_explanation(self) -> None:
        smoother, explanation = Smoother(1.0), explanation_of(heat(3, 9))
        assert smoother.smooth(frame(0), None) is None
        first = smoother.smooth(frame(0), explanation)
        assert smoother.smooth(frame(1), explanation) is first

    def test_noise_is_smoothed_to_its_mean(self) -> None:
        generator = np.random.default_rng(0)
        base = 0.8 * heat(3, 9)
        raw = [
            (base * generator.normal(1.0, 0.05, base.shape)).astype(np.float32) for _ in range(60)
        ]
        smoother = Smoother(1.0)
        shown = [
            smoothed(smoother, explanation_of(each, index)).heatmap
            for index, each in enumerate(raw)
        ]
        change = np.mean([np.abs(b - a).mean() for a, b in pairwise(raw[30:])])
        kept = np.mean([np.abs(b - a).mean() for a, b in pairwise(shown[30:])])
        assert kept < change / 10
        clean = smoothed(Smoother(1.0), explanation_of(base)).heatmap
        np.testing.assert_allclose(shown[-1], clean, atol=0.05)

    @pytest.mark.parametrize("rate", RATES)
    def test_a_new_position_shows_immediately(self, rate: float) -> None:
        smoother = Smoother(1.0)
        for index in range(10):
            smoothed(smoother, explanation_of(heat(3, 9), index, rate=rate))
        result = smoothed(smoother, explanation_of(heat(11, 2), 10, rate=rate))
        assert drawn_peak(result) == pytest.approx((11, 2), abs=0.2)

    def test_a_slow_change_is_followed(self) -> None:
        """Half a cell per second, where each step alone would count as noise."""
        smoother = Smoother(1.0)
        for index in range(100):
            x = 2 + index / 20
            cells = np.arange(14)
            spot = np.exp(-((cells[:, None] - 7) ** 2 + (cells[None] - x) ** 2) / 8)
            result = smoothed(smoother, explanation_of(spot.astype(np.float32), index))
        assert drawn_peak(result)[0] == pytest.approx(x, abs=1.0)

    def test_signed_maps_keep_their_signs(self) -> None:
        smoother = Smoother(1.0)
        both = heat(3, 9) - 0.5 * heat(11, 2)
        for index in range(5):
            explained = with_map(explanation_of(both, index), signed=True, evidence=AGAINST)
            result = smoothed(smoother, explained)
        assert result.heatmap.max() == pytest.approx(1.0, abs=0.01)
        assert result.heatmap.min() == pytest.approx(-0.5, abs=0.05)

    @pytest.mark.parametrize("region", [Region(0.2, 0.0, 0.6, 1.0), Region(0.0, -0.2, 1.0, 1.4)])
    def test_a_map_of_part_of_the_image_stays_in_place(self, region: Region) -> None:
        explanation = replace(explanation_of(heat(3, 9)), region=region, seen=region)
        result = smoothed(Smoother(1.0), explanation)
        expected = peak(explanation.heatmap, WIDTH, HEIGHT, region=region)
        assert peak(result.heatmap, WIDTH, HEIGHT) == pytest.approx(expected, abs=6)
        assert result.seen == region, "nothing is blended outside"

    @pytest.mark.parametrize("size", [(1, 1), (2, 300), (15, 16)])
    def test_small_images_and_changing_sizes(self, size: tuple[int, int]) -> None:
        smoother = Smoother(1.0, Tracker())
        small = np.zeros((size[1], size[0], 3), np.uint8)
        for index, image in enumerate((small, GREY, small)):
            result = smoother.smooth(frame(index, image), explanation_of(heat(3, 9), index))
            assert result is not None
            assert np.isfinite(result.heatmap).all()
            assert result.heatmap.max() > 0

    def test_a_map_without_evidence(self) -> None:
        nothing = explanation_of(np.zeros((14, 14), np.float32), strength=1e-30)
        smoother = Smoother(1.0)
        assert smoothed(smoother, nothing).heatmap.max() == 0
        assert smoothed(smoother, explanation_of(heat(3, 9), 1)).heatmap.max() == pytest.approx(1.0)


class TestMotion:
    def test_a_cut_shows_immediately_even_if_the_maps_are_similar(
        self, photos: dict[str, NDArray[np.uint8]]
    ) -> None:
        first, second = (
            np.asarray(cv2.resize(photos[name], SIZE), np.uint8) for name in ("coffee", "rocket")
        )
        new = np.asarray((0.9 * heat(3, 9) + 0.1).astype(np.float32))
        result = {}
        for cut in (False, True):
            smoother = Smoother(1.0, Tracker())
            for index in range(5):
                smoother.smooth(frame(index, first), explanation_of(heat(3, 9), index))
            result[cut] = smoother.smooth(
                frame(5, second if cut else first), explanation_of(new, 5)
            )
        exact = smoothed(Smoother(1.0), explanation_of(new))
        still, cut_to = result[False], result[True]
        assert still is not None
        assert cut_to is not None
        np.testing.assert_array_equal(cut_to.heatmap, exact.heatmap)
        assert np.abs(still.heatmap - exact.heatmap).mean() > 0.01, "without a cut it is smoothed"

    @pytest.mark.parametrize("motion", MOTIONS, ids=lambda motion: motion.name)
    def test_smoothing_does_not_lag_behind_motion(self, motion: Motion) -> None:
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

    def test_motion_from_long_ago_is_not_guessed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An explanation that the tracker no longer covers is not used for smoothing."""
        monkeypatch.setattr("live_cam.temporal.tracking._MOST_STEPS", 8)
        pan = photo_pan(Motion(name="pan", object_speed=(250.0, 0.0), background_speed=(250.0, 0)))
        monkeypatch.setattr(Tracker, "__init__", _with_short_memory(Tracker.__init__))
        tracker = Tracker()
        for index in range(30):
            tracker.observe(pan.frame(index))
        assert not tracker.covers(10)
        assert tracker.covers(25)
        field = tracker.motion(25, 29)
        assert field is not None
        assert np.median(field[..., 0]) == pytest.approx(
            -250 * 4 / PAN_RATE * 160 / PAN_SIZE[0], abs=0.5
        )

    def test_an_earlier_frame_restarts(self) -> None:
        smoother = Smoother(1.0, Tracker())
        for index in range(5, 9):
            smoothed(smoother, explanation_of(heat(3, 9), index))
        new = np.asarray(heat(3, 9) + 0.05 * heat(11, 2))
        result = smoothed(smoother, explanation_of(new, 0))
        np.testing.assert_array_equal(
            result.heatmap, smoothed(Smoother(1.0), explanation_of(new)).heatmap
        )


def _with_short_memory(begin: Callable[[Tracker], None]) -> Callable[[Tracker], None]:
    def begun(self: Tracker) -> None:
        begin(self)
        self._steps = type(self._steps)(maxlen=8)

    return begun


class TestSettling:
    def small_change(self) -> tuple[Smoother, Explanation, Explanation]:
        smoother = Smoother(1.0)
        for index in range(5):
            smoothed(smoother, explanation_of(heat(3, 9), index, probability=0.8))
        new = explanation_of(np.asarray(heat(3, 9) * 0.9), 5, probability=0.7)
        return smoother, new, smoothed(smoother, new)

    def test_a_still_image_settles_on_the_newest_explanation(self) -> None:
        smoother, new, first = self.small_change()
        assert first.probability > 0.78
        scores = [first.probability]
        for index in range(6, 200):
            smoother.settle(1 / 30)
            result = smoother.smooth(frame(index), new)
            assert result is not None
            scores.append(result.probability)
        assert all(after <= before for before, after in pairwise(scores))
        assert scores[-1] == pytest.approx(0.7, abs=1e-6)
        assert result is not None
        assert result.heatmap.max() == pytest.approx(0.9 * first.heatmap.max() / 0.99, abs=0.01)
        smoother.settle(1.0)
        assert smoother.smooth(frame(200), new) is result, "the same object: nothing new to draw"

    def test_still_time_is_counted_once(self) -> None:
        """Time spent settling does not count again towards the next explanation."""
        end = explanation_of(np.asarray(heat(3, 9)), 20, probability=0.8)
        smoother, _, _ = self.small_change()
        direct = smoothed(smoother, end)
        smoother, new, _ = self.small_change()
        smoother.settle(1.5)
        settled = smoother.smooth(frame(19), new)
        assert settled is not None
        after = smoothed(smoother, end)
        assert settled.probability < 0.73
        assert abs(after.probability - settled.probability) < 0.01
        assert direct.probability > 0.78

    def test_a_frozen_image_settles_immediately(self) -> None:
        smoother, new, _ = self.small_change()
        frozen = smoother.settle(math.inf)
        assert frozen is not None
        assert frozen.probability == new.probability
        assert smoother.settle(math.inf) is smoother.smooth(frame(5), new) is frozen
        live = smoothed(smoother, explanation_of(heat(3, 9), 100, probability=0.72))
        assert live.probability == pytest.approx(0.7, abs=0.001), "the frozen time does not count"
        assert (
            smoothed(smoother, explanation_of(heat(3, 9), 105, probability=0.8)).probability > 0.72
        ), "the time after it does"

    def test_before_the_first_explanation(self) -> None:
        smoother = Smoother(1.0)
        assert smoother.settle(1e9) is None
        assert smoothed(smoother, explanation_of(heat(3, 9))).probability == 1.0


class TestEvidence:
    def test_weak_after_strong_looks_weak(self) -> None:
        smoother = Smoother(1.0)
        for index in range(30):
            smoothed(smoother, explanation_of(heat(3, 9), index, probability=0.9))
        result = smoothed(
            smoother, explanation_of(heat(11, 2), 30, probability=0.05, strength=0.15)
        )
        assert drawn_peak(result) == pytest.approx((11, 2), abs=0.2)
        assert result.heatmap.max() < 0.25

    def test_weak_at_the_start_looks_weak(self) -> None:
        assert (
            smoothed(Smoother(1.0), explanation_of(heat(3, 9), probability=0.05)).heatmap.max()
            < WEAK
        )
        assert (
            smoothed(Smoother(1.0), explanation_of(heat(3, 9), probability=0.9)).heatmap.max() > 0.9
        )

    def test_weak_evidence_never_looks_certain(self) -> None:
        """Not even after minutes of nothing else."""
        smoother = Smoother(1.0)
        smoothed(smoother, explanation_of(heat(3, 9), 0, probability=0.9))
        for index in range(1, 4000):
            result = smoothed(
                smoother, explanation_of(heat(3, 9), index, probability=0.05, strength=0.15)
            )
        assert result.heatmap.max() < WEAK

    def test_certain_evidence_reaches_full_colour(self) -> None:
        smoother = Smoother(1.0)
        smoothed(smoother, explanation_of(heat(3, 9), 0, probability=0.95))
        for index in range(1, 300):
            result = smoothed(
                smoother, explanation_of(heat(11, 2), index, probability=0.9, strength=0.4)
            )
        assert result.heatmap.max() > 0.8

    def test_the_peak_is_never_cut_off(self) -> None:
        smoother = Smoother(1.0)
        for index in range(30):
            strength = 1.0 + index / 10
            result = smoothed(
                smoother, explanation_of(heat(3, 9), index, probability=0.9, strength=strength)
            )
            assert (result.heatmap >= 1.0).sum() <= 4
            assert result.heatmap.max() > 0.9

    def test_another_network_gets_a_new_scale(self) -> None:
        """Randomised weights can make maps a million times stronger or weaker."""
        smoother = Smoother(1.0)
        for index, (strength, randomised) in enumerate([(1.0, None), (1e6, (1, 19)), (1.0, None)]):
            explained = explanation_of(heat(3 + 3 * index, 9), index, strength=strength)
            result = smoothed(smoother, replace(explained, randomised=randomised))
            assert result.heatmap.max() == pytest.approx(1.0, abs=0.01)
            assert drawn_peak(result) == pytest.approx((3 + 3 * index, 9), abs=0.2)

    def test_each_method_has_its_own_scale(self) -> None:
        smoother = Smoother(1.0)
        smoothed(smoother, explanation_of(heat(3, 9), 0, strength=100.0))
        result = smoothed(smoother, with_map(explanation_of(heat(3, 9), 1), method="hirescam"))
        assert result.heatmap.max() == pytest.approx(1.0)


class TestProbabilities:
    def test_noise_is_smoothed(self) -> None:
        smoother, generator = Smoother(1.0), np.random.default_rng(0)
        scores = generator.normal(0.7, 0.05, 80)
        shown = [
            smoothed(
                smoother, explanation_of(heat(3, 9), index, probability=float(score))
            ).probability
            for index, score in enumerate(scores)
        ]
        assert np.abs(np.diff(shown[20:])).mean() < np.abs(np.diff(scores[20:])).mean() / 10
        assert shown[-1] == pytest.approx(0.7, abs=0.03)

    @pytest.mark.parametrize("rate", RATES)
    def test_another_class_shows_immediately(self, rate: float) -> None:
        smoother = Smoother(1.0)
        for index in range(10):
            smoothed(smoother, explanation_of(heat(3, 9), index, probability=0.9, rate=rate))
        result = smoothed(
            smoother, explanation_of(heat(11, 2), 10, probability=0.8, class_index=1, rate=rate)
        )
        assert result.probability == pytest.approx(0.8, abs=0.01)
        assert result.top[0].label == "class 1"

    def test_a_locked_class_outside_the_top_classes(self) -> None:
        smoother = Smoother(1.0)
        best = tuple(Prediction(index, f"class {index}", 0.2) for index in range(1, 6))
        for index in range(3):
            result = smoothed(
                smoother, replace(explanation_of(heat(3, 9), index, probability=1e-6), top=best)
            )
        assert result.probability == pytest.approx(1e-6)
        assert {each.class_index for each in result.top} == {1, 2, 3, 4, 5}


class TestFurtherMaps:
    def beside(self, subjects: list[int], index: int) -> Explanation:
        explained = explanation_of(heat(7, 7), index)
        beside = tuple(
            Heatmap(
                heat(each, each),
                explained.target,
                f"#{each}",
                feature_map=each,
                weight=0.1,
            )
            for each in subjects
        )
        return replace(explained, maps=(*explained.maps, *beside))

    def test_maps_that_swap_places_are_not_mixed(self) -> None:
        smoother = Smoother(1.0)
        for index, subjects in enumerate([[2, 5, 9], [5, 2, 9], [9, 12], [2, 5, 9]]):
            result = smoothed(smoother, self.beside(subjects, index))
            assert [each.subject for each in result.maps[1:]] == subjects
            for each in result.maps[1:]:
                shown = replace(result, maps=(each,))
                assert drawn_peak(shown) == pytest.approx((each.subject,) * 2, abs=0.2)

    def test_maps_may_come_and_go(self) -> None:
        smoother = Smoother(1.0)
        for index, subjects in enumerate([[], [2, 5], [], [5]]):
            assert len(smoothed(smoother, self.beside(subjects, index)).maps) == 1 + len(subjects)

    def test_weights_and_probabilities_do_not_flicker(self) -> None:
        smoother, generator = Smoother(1.0), np.random.default_rng(0)
        shown = []
        for index in range(40):
            weight, probability = 0.5 + generator.normal(0, 0.02), 0.3 + generator.normal(0, 0.02)
            explained = explanation_of(heat(7, 7), index, probability=0.6)
            maps = (
                *explained.maps,
                Heatmap(heat(2, 2), explained.target, "#2", feature_map=2, weight=weight),
                Heatmap(heat(5, 5), Prediction(5, "class 5", probability)),
            )
            result = smoothed(smoother, replace(explained, maps=maps))
            shown.append((result.maps[1].weight, result.maps[2].target.probability))
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

    def test_without_carry_maps_are_not_moved(self) -> None:
        pan, stabiliser = photo_pan(MOTIONS[0]), Stabiliser(0.0, track=True, carry=False)
        explanation = pan.explanation(0)
        for index in range(4):
            assert stabiliser.stabilise(pan.frame(index), explanation) is explanation

    def test_without_carry_the_smoothed_past_still_follows_the_motion(self) -> None:
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


def assert_steady(explain: Callable[[Frame], Explanation], scene: NDArray[np.uint8]) -> None:
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
def test_a_still_scene_does_not_flicker(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]], name: str
) -> None:
    objects.question = Question()
    assert_steady(objects.explain, photo(photos, name))


def test_a_still_colour_does_not_flicker(colours: Explainer) -> None:
    assert_steady(colours.explain, patch("red", 80))


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
    in_time = min(6, int(0.3 * rate))  # the last one within 300 ms, counted from 1
    for each in drawn[cut + in_time - 1 :]:
        assert each.label == COLOUR_LABELS["green"]
        # The layer's cells are 46 pixels wide, and the patch is flat.
        assert left - 46 < peak(each.heatmap, *SIZE)[0] < left + 180 + 46


def test_pure_noise_does_not_look_certain(
    objects: Explainer, photos: dict[str, NDArray[np.uint8]]
) -> None:
    objects.question = Question()
    cup = [noisy(photo(photos, "coffee"), seed) for seed in range(4)]
    nothing = [noisy(GREY, 100 + seed, sigma=60.0) for seed in range(8)]
    seen = watch(objects.explain, [*cup, *nothing], 10.0)
    assert all(each.raw.heatmap.max() == 1.0 for each in seen), "each scaled to its own maximum"
    assert seen[3].drawn.heatmap.max() > 0.9
    assert max(each.drawn.heatmap.max() for each in seen[4:]) < WEAK
    alone = watch(objects.explain, nothing, 10.0)
    assert max(each.drawn.heatmap.max() for each in alone) < WEAK, "also at the start"


def test_an_absent_class_looks_weak(
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


def test_without_smoothing_each_frame_shows_its_own_explanation(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    """On this image noise decides between two classes; with smoothing the label is steady."""
    frames = [noisy(photo(photos, "rocket"), seed) for seed in range(12)]
    labels = {}
    for smooth in (0.0, None):
        settings = Settings(model="efficientnet_lite0", engine="hook", smooth=smooth)
        with Explainer(settings, print) as explainer:
            explainer.load()
            seen = watch(explainer.explain, frames, 10.0, settings.smoothing)
        if smooth == 0.0:
            assert all(each.drawn is each.raw for each in seen)
            assert all(each.drawn.label == each.raw.top[0].label for each in seen)
        labels[smooth] = [each.drawn.label for each in seen]
    assert len(set(labels[0.0])) > 1, "the noise must matter"
    assert len(set(labels[None])) == 1


class Watch:
    """Records the live loop's explanations and what it drew."""

    def __init__(self, pipeline: LivePipeline) -> None:
        self.explanations: list[Explanation] = []
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
        self.explanations.append(explanation)

    def draw(self, frame: Frame, explanation: Explanation | None, status: Status) -> Drawn:
        if explanation:
            self.drawn.append(explanation)
        return self._draw(frame, explanation, status)


@pytest.mark.parametrize("smooth", [0.0, None])
def test_the_live_loop(
    photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch, smooth: float | None
) -> None:
    """Unsmoothed, it draws each explanation; smoothed, it settles once the image is still."""
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
    assert len(seen.explanations) >= 5
    assert seen.top == [each.top for each in seen.drawn], "keys refer to what is shown"
    if smooth == 0.0:
        assert {id(each) for each in seen.drawn} <= {id(each) for each in seen.explanations}
        return
    last = seen.explanations[-1]
    # How close it gets depends on when the machine had time to explain the last frame.
    assert seen.drawn[-1].probability == pytest.approx(last.probability, abs=0.005)
    assert any(abs(each.probability - last.probability) > 0.005 for each in seen.drawn[-60:])
    settled = Smoother(1.0).smooth(frame(0, scene), last)
    assert settled is not None
    shape = seen.drawn[-1].heatmap / seen.drawn[-1].heatmap.max()
    np.testing.assert_allclose(shape, settled.heatmap / settled.heatmap.max(), atol=0.04)

"""The overlay: heat in the right place, and every text legible and in its place."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from live_cam.errors import UsageError
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.look import COLORMAPS, THEMES, Look
from live_cam.overlay import Overlay, blend_heatmap, cards, peak, text, to_frame
from live_cam.overlay.layout import lay_out
from live_cam.overlay.status import Status
from live_cam.overlay.theme import Style
from live_cam.overlay.words import clock, engine, percent, rates
from live_cam.runtime.opencv import cv2
from tests.support.looks import with_look
from tests.support.overlays import (
    BUSY,
    CHECKED,
    LONG,
    PLAIN,
    RIVALLED,
    SIZES,
    STATES,
    TABBY,
    TINY,
    blob,
    contrast,
    draw,
    explain,
    grey,
    luminance,
    noise,
    one_hot,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from live_cam.look import Colormap, ThemeName

STRANGE = [
    "虎斑猫",
    "crème brûlée → ×",
    "مرحبا",
    "🐈",
    "a\n\tb\x00\u200b",
    "\udcff.mp4",
    " ",
    "",
]


class TestToFrame:
    @pytest.mark.parametrize(("width", "height"), SIZES)
    @pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 13), (6, 13), (13, 0), (6, 4), (3, 9)])
    def test_heat_of_one_cell_lies_on_that_cell(
        self, width: int, height: int, row: int, column: int
    ) -> None:
        drawn = to_frame(one_hot(7, 14, row // 2, column), width, height)
        ys, xs = np.nonzero(drawn == drawn.max())
        assert drawn.shape == (height, width)
        assert column * width / 14 - 1 <= xs.mean() <= (column + 1) * width / 14
        assert row // 2 * height / 7 - 1 <= ys.mean() <= (row // 2 + 1) * height / 7

    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_pixel_centres_are_aligned(self, width: int, height: int) -> None:
        drawn = to_frame(one_hot(14, 14, 4, 9), width, height)
        y, x = np.mgrid[:height, :width]
        assert (drawn * x).sum() / drawn.sum() == pytest.approx(9.5 * width / 14 - 0.5, abs=0.5)
        assert (drawn * y).sum() / drawn.sum() == pytest.approx(4.5 * height / 14 - 0.5, abs=0.5)

    def test_is_smooth(self) -> None:
        heatmap = blob(6, 6)
        drawn = to_frame(heatmap, 1280, 720)
        cell = 720 / 14
        steepest = np.abs(np.diff(heatmap, axis=0)).max() / cell
        assert np.abs(np.diff(drawn, axis=0)).max() < 1.5 * steepest
        # No kink either, as linear enlargement has at every cell's centre.
        assert np.abs(np.diff(drawn, n=2, axis=0)).max() < 5 * steepest / cell

    def test_stays_in_range(self) -> None:
        heatmap = np.random.default_rng(0).integers(0, 2, (14, 14)).astype(np.float32)
        drawn = to_frame(heatmap, 640, 480)
        assert drawn.dtype == np.float32
        assert (drawn.min(), drawn.max()) == (0, 1)

    def test_flat_map_stays_flat(self) -> None:
        np.testing.assert_allclose(to_frame(np.full((7, 7), 0.25, np.float32), 99, 31), 0.25, 1e-6)

    @pytest.mark.parametrize(("width", "height"), [(14, 14), (14, 99), (5, 3), (1, 1)])
    def test_returns_a_new_array(self, width: int, height: int) -> None:
        heatmap = blob(3, 3)
        before = heatmap.copy()
        to_frame(heatmap, width, height)[:] = 7
        np.testing.assert_array_equal(heatmap, before)


class TestPeak:
    @pytest.mark.parametrize(("width", "height"), [*SIZES, (7, 5), (1, 1)])
    def test_is_the_maximum_of_the_map_as_drawn(self, width: int, height: int) -> None:
        rng = np.random.default_rng(width)
        for row, column in rng.uniform(-1, 14, (12, 2)):
            heatmap = blob(row, column)
            y, x = divmod(int(to_frame(heatmap, width, height).argmax()), width)
            found = peak(heatmap, width, height)
            assert found == pytest.approx((x, y), abs=1)
            assert peak(heatmap, width, height, mirror=True) == (width - 1 - found[0], found[1])

    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_is_on_the_summit_of_a_rough_map(self, width: int, height: int) -> None:
        rng = np.random.default_rng(height)
        for rows, columns in ((14, 14), (7, 7), (14, 25)):
            heatmap = rng.random((rows, columns), np.float32)
            x, y = peak(heatmap / heatmap.max(), width, height)
            assert to_frame(heatmap / heatmap.max(), width, height)[y, x] == 1

    def test_of_a_map_of_zeros_lies_in_the_image(self) -> None:
        assert peak(np.zeros((14, 14), np.float32), 640, 480) == (0, 0)
        assert peak(np.zeros((14, 14), np.float32), 640, 480, mirror=True) == (639, 0)


class TestBlendHeatmap:
    def test_is_the_weighted_sum(self) -> None:
        image, heatmap = noise(320, 240), blob(5, 8)
        levels = np.rint(255 * to_frame(heatmap, 320, 240)).astype(np.uint8)
        colours = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
        expected = image * 0.7 + colours.astype(float) * 0.3
        blended = blend_heatmap(image, heatmap, 0.3, "turbo")
        assert blended.dtype == np.uint8
        np.testing.assert_allclose(blended, expected, atol=0.51)

    def test_alpha_0_is_the_bare_image(self) -> None:
        image = noise(64, 48)
        blended = blend_heatmap(image, blob(5, 8), 0.0)
        np.testing.assert_array_equal(blended, image)
        assert not np.shares_memory(blended, image)

    def test_alpha_1_is_the_colours_alone(self) -> None:
        heatmap = blob(5, 8)
        np.testing.assert_array_equal(
            blend_heatmap(noise(64, 48), heatmap, 1.0), blend_heatmap(grey(64, 48), heatmap, 1.0)
        )

    def test_map_of_zeros_has_the_coldest_colour_everywhere(self) -> None:
        blended = blend_heatmap(grey(64, 48, 100), np.zeros((14, 14), np.float32), 0.5)
        assert np.unique(blended.reshape(-1, 3), axis=0).tolist() == [[114, 50, 50]]

    @pytest.mark.parametrize("colormap", COLORMAPS)
    def test_every_colormap_shows_the_heat(self, colormap: Colormap) -> None:
        blended = blend_heatmap(grey(64, 48), blob(5, 8), 1.0, colormap)
        assert len(np.unique(blended.reshape(-1, 3), axis=0)) > 50

    def test_does_not_change_its_arguments(self) -> None:
        image, heatmap = noise(64, 48), blob(5, 8)
        image.flags.writeable = heatmap.flags.writeable = False
        before = image.copy(), heatmap.copy()
        blend_heatmap(image, heatmap)
        np.testing.assert_array_equal(image, before[0])
        np.testing.assert_array_equal(heatmap, before[1])

    @pytest.mark.parametrize(
        ("image", "got"),
        [
            (np.zeros((4, 4), np.uint8), "4×4 uint8"),
            (np.zeros((4, 4, 4), np.uint8), "4×4×4 uint8"),
            (np.zeros((4, 4, 3), np.float32), "4×4×3 float32"),
            (np.zeros((0, 4, 3), np.uint8), "0×4×3 uint8"),
        ],
    )
    def test_rejects_an_invalid_image(self, image: NDArray[np.uint8], got: str) -> None:
        with pytest.raises(ValueError, match=rf"expected an image of H×W×3 uint8.*got {got}"):
            blend_heatmap(image, blob(5, 8))

    @pytest.mark.parametrize(
        ("heatmap", "got"),
        [
            (np.zeros((4, 4), np.float64), "4×4 float64"),
            (np.zeros((1, 4, 4), np.float32), "1×4×4 float32"),
            (np.zeros((0, 4), np.float32), "0×4 float32"),
            (np.full((4, 4), np.nan, np.float32), "NaN or infinity"),
        ],
    )
    def test_rejects_an_invalid_heatmap(self, heatmap: NDArray[np.float32], got: str) -> None:
        with pytest.raises(ValueError, match=f"expected a heatmap of .*got {got}"):
            blend_heatmap(grey(8, 8), heatmap)

    @pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan")])
    def test_rejects_alpha_out_of_range(self, alpha: float) -> None:
        with pytest.raises(UsageError, match=f"from 0 to 1; got {alpha}"):
            blend_heatmap(grey(8, 8), blob(5, 8), alpha)

    def test_rejects_an_unknown_colormap(self) -> None:
        with pytest.raises(UsageError, match="no colormap 'rainbow'; choose one of jet, turbo"):
            blend_heatmap(grey(8, 8), blob(5, 8), colormap="rainbow")  # type: ignore[arg-type]


class TestOverlay:
    @pytest.mark.parametrize("mirror", [False, True])
    @pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 13), (13, 0), (13, 13), (4, 9)])
    def test_heat_lies_in_its_place(self, row: int, column: int, *, mirror: bool) -> None:
        status = Status(look=Look(alpha=1.0, colormap="hot", mirror=mirror))
        explanation = explain(one_hot(14, 14, row, column), label="")
        drawn = draw(grey(640, 480), explanation, status)
        ys, xs = np.nonzero(drawn.sum(axis=2) == drawn.sum(axis=2).max())
        shown = 13 - column if mirror else column
        assert shown * 640 / 14 - 1 <= xs.mean() <= (shown + 1) * 640 / 14
        assert row * 480 / 14 - 1 <= ys.mean() <= (row + 1) * 480 / 14

    def test_mirrors_the_image_and_not_the_text(self) -> None:
        image = noise(640, 480)
        image[200:300] = image[200:300, ::-1] // 2  # not a palindrome
        plain = draw(image, TABBY, PLAIN)
        mirrored = draw(image, TABBY, with_look(PLAIN, mirror=True))
        np.testing.assert_array_equal(mirrored[150:350], plain[150:350, ::-1])
        dark = Frame(grey(640, 480), 0, 0.0)
        np.testing.assert_array_equal(
            draw(dark.image, None, PLAIN),
            draw(dark.image, None, with_look(PLAIN, mirror=True)),
        )

    def test_blends_as_blend_heatmap_does(self) -> None:
        image = noise(640, 480)
        drawn = draw(image, TABBY, with_look(PLAIN, alpha=0.3, colormap="magma"))
        expected = blend_heatmap(image, TABBY.heatmap, 0.3, "magma")
        np.testing.assert_array_equal(drawn[150:350], expected[150:350])

    def test_alpha_0_is_the_bare_image(self) -> None:
        image = noise(640, 480)
        drawn = draw(image, explain(blob(5, 8), ""), Status(look=Look(alpha=0.0)))
        np.testing.assert_array_equal(drawn, image)

    @pytest.mark.parametrize("state", STATES)
    def test_does_not_change_the_frame(self, state: str) -> None:
        explanation, status = STATES[state]
        image = noise(320, 240)
        before = image.copy()
        image.flags.writeable = False
        drawn = draw(image, explanation, status)
        np.testing.assert_array_equal(image, before)
        assert drawn.flags.writeable
        assert not np.shares_memory(drawn, image)

    def test_accepts_views_of_arrays(self) -> None:
        image = noise(640, 480)
        view = image[::-1, ::-1]
        for explanation, status in STATES.values():
            np.testing.assert_array_equal(
                draw(view, explanation, status),
                draw(view.copy(), explanation, status),
            )

    def test_never_shows_the_heat_of_another_explanation(self) -> None:
        overlay = Overlay()
        large, small = Frame(noise(640, 480), 0, 0.0), Frame(noise(320, 240), 1, 0.1)
        first, second = TABBY, explain(blob(10, 2))
        order = [(large, first), (large, second), (small, second), (small, None), (large, first)]
        for frame, explanation in order:
            np.testing.assert_array_equal(
                draw(frame.image, explanation, PLAIN, overlay=overlay),
                draw(frame.image, explanation, PLAIN),
            )

    def test_never_confuses_released_explanations(self) -> None:
        overlay, frame = Overlay(), Frame(noise(320, 240), 0, 0.0)
        for column in range(12):  # each may be given the memory, and so the id, of the one before
            explanation = explain(blob(5, column))
            np.testing.assert_array_equal(
                draw(frame.image, explanation, PLAIN, overlay=overlay),
                draw(frame.image, explanation, PLAIN),
            )
            del explanation

    def test_a_theme_never_shows_the_cards_of_another(self) -> None:
        overlay, frame = Overlay(), Frame(noise(640, 480), 0, 0.0)
        explanation, status = STATES["busy"]
        images = []
        for theme in (*THEMES, *THEMES):
            drawn = draw(frame.image, explanation, with_look(status, theme=theme), overlay=overlay)
            images.append(drawn.tobytes())
        assert images[:3] == images[3:]
        assert len(set(images)) == len(THEMES)

    def test_drawing_again_draws_the_same(self) -> None:
        overlay, frame = Overlay(), Frame(noise(640, 480), 0, 0.0)
        first = draw(frame.image, *STATES["busy"], overlay=overlay)
        kept = first.copy()
        second = draw(frame.image, *STATES["busy"], overlay=overlay)
        np.testing.assert_array_equal(second, kept)
        assert not np.shares_memory(first, second)

    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize(("width", "height"), TINY)
    def test_tiny_frames(self, width: int, height: int, state: str) -> None:
        drawn = draw(noise(width, height), *STATES[state])
        assert drawn.shape == (height, width, 3)

    def test_rejects_an_unknown_colormap(self) -> None:
        with pytest.raises(UsageError, match="no colormap 'rainbow'"):
            with_look(PLAIN, colormap="rainbow")

    def test_rejects_an_invalid_image(self) -> None:
        with pytest.raises(ValueError, match="expected an image of H×W×3 uint8"):
            draw(np.zeros((4, 4), np.uint8), None, Status())


class TestLayout:
    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize(("width", "height"), [*SIZES, *TINY])
    def test_nothing_overlaps_and_all_is_inside(
        self, width: int, height: int, state: str, theme: ThemeName
    ) -> None:
        explanation, status = STATES[state]
        placed = lay_out(width, height, explanation, with_look(status, theme=theme))
        for one, other in combinations(placed, 2):
            assert not one.rectangle.overlaps(other.rectangle), (one.name, other.name)
        for card in placed:
            x, y, card_width, card_height = card.rectangle
            assert (card_width, card_height) == (card.sprite.width, card.sprite.height)
            assert x >= 0
            assert y >= 0
            assert x + card_width <= width
            assert y + card_height <= height

    @pytest.mark.parametrize(
        ("state", "names"),
        [
            ("plain", {"label", "bars", "status"}),
            ("busy", {"label", "bars", "status", "recording", "frozen", "toast", "notice"}),
            ("loading", {"status", "notice"}),
            ("rival", {"label", "bars", "status"}),
            ("checked", {"label", "bars", "status"}),
            ("long", {"label", "bars", "status", "recording", "frozen", "toast", "notice"}),
            ("nothing", set()),
        ],
    )
    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_every_card_has_its_place(
        self, width: int, height: int, state: str, names: set[str], theme: ThemeName
    ) -> None:
        explanation, status = STATES[state]
        placed = lay_out(width, height, explanation, with_look(status, theme=theme))
        bare = {"status"} if theme == "none" else set()
        assert {card.name for card in placed} == names - bare

    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_help_is_centred(self, width: int, height: int) -> None:
        card = next(card for card in lay_out(width, height, *STATES["help"]) if card.name == "help")
        x, y, card_width, card_height = card.rectangle
        assert x + card_width / 2 == pytest.approx(width / 2, abs=1)
        assert y + card_height / 2 == pytest.approx(height / 2, abs=1)

    def test_help_with_many_keys_gets_a_second_column(self) -> None:
        keys = tuple((chr(97 + i), "a short meaning") for i in range(16))
        cards_placed = lay_out(640, 360, None, Status(keys=keys))
        assert [card.name for card in cards_placed] == ["help"]
        assert cards_placed[0].sprite.width > cards_placed[0].sprite.height

    def test_rectangles_overlap_where_they_share_a_pixel(self) -> None:
        corner = lay_out(640, 480, TABBY, PLAIN)[0].rectangle
        beside = corner._replace(x=corner.x + corner.width)
        below = corner._replace(y=corner.y + corner.height)
        assert not corner.overlaps(beside)
        assert not corner.overlaps(below)
        assert corner.overlaps(beside._replace(x=beside.x - 1))
        assert corner.overlaps(below._replace(y=below.y - 1))

    def test_sizes_follow_the_image(self) -> None:
        labels = [
            lay_out(width, height, TABBY, Status())[0].rectangle.height
            for width, height in ((640, 480), (1280, 720), (1920, 1080))
        ]
        assert labels == sorted(set(labels))


class TestWords:
    def test_rates_omit_unknown_figures(self) -> None:
        assert rates(PLAIN) == "30 fps shown · 6.1 explanations/s · 0.15 s old"
        assert rates(replace(PLAIN, explained_fps=None)) == "30 fps shown · 0.15 s old"
        assert rates(replace(PLAIN, shown_fps=None, age=None)) == "6.1 explanations/s"
        assert rates(Status()) == ""

    def test_engine_omits_unknown_names(self) -> None:
        assert engine(PLAIN) == "vgg19 · features.35 · cpu fp32"
        assert engine(Status(engine="cpu fp32")) == "cpu fp32"
        assert engine(Status()) == ""

    @pytest.mark.parametrize(
        ("score", "words"),
        [(0.0, "0 %"), (0.0001, "<1 %"), (0.006, "1 %"), (0.824, "82 %"), (1.0, "100 %")],
    )
    def test_percent(self, score: float, words: str) -> None:
        assert percent(score) == words

    @pytest.mark.parametrize(
        ("seconds", "words"), [(0.9, "00:00"), (754.2, "12:34"), (6000, "100:00")]
    )
    def test_clock(self, seconds: float, words: str) -> None:
        assert clock(seconds) == words


def background(name: str, width: int, height: int) -> NDArray[np.uint8]:
    plain = {"white": 255, "black": 0}
    return grey(width, height, plain[name]) if name in plain else noise(width, height)


@pytest.mark.parametrize("state", ["busy", "help", "rival", "checked", "long"])
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("behind", ["white", "black", "noise"])
class TestContrast:
    @pytest.mark.parametrize("theme", ["dark", "light"])
    def test_text_stands_out_from_its_glass(
        self, width: int, height: int, state: str, behind: str, theme: ThemeName
    ) -> None:
        image = background(behind, width, height)
        explanation, status = STATES[state]
        for card in lay_out(width, height, explanation, with_look(status, theme=theme)):
            x, y, card_width, card_height = card.rectangle
            drawn = image.copy()
            card.sprite.paste(drawn, x, y)
            light = luminance(drawn[y : y + card_height, x : x + card_width])
            shows, inside = card.sprite.frosted[..., 0], card.sprite.sharp[..., 0] == 0
            colourless = np.ptp(card.sprite.paint, axis=2) < 20  # neither the bar nor the dot
            ink = (shows < 6) & inside & colourless
            backing = (inside & (shows > 0.8 * shows[inside].max())).astype(float)
            ink &= cv2.blur(backing, (7, 7)) > 0
            nearby = cv2.blur(light * backing, (7, 7))[ink] / cv2.blur(backing, (7, 7))[ink]
            ratios = contrast(light[ink], nearby)
            assert ratios.size > 20, card.name
            assert np.median(ratios) >= 4.5, (card.name, np.median(ratios))

    def test_text_without_glass_stands_out_from_its_surroundings(
        self, width: int, height: int, state: str, behind: str
    ) -> None:
        explanation, status = STATES[state]
        for card in lay_out(width, height, explanation, with_look(status, theme="none")):
            drawn = background(behind, width, height)[: card.sprite.height, : card.sprite.width]
            card.sprite.paste(drawn, 0, 0)
            light, painted = luminance(drawn), card.sprite.paint.min(axis=2)
            ink = painted > 220
            around = (painted < 40).astype(float)
            share = cv2.blur(around, (5, 5))
            ink &= share > 0
            nearby = cv2.blur(light * around, (5, 5))[ink] / share[ink]
            ratios = contrast(light[ink], nearby)
            assert ratios.size > 20, card.name
            assert np.median(ratios) >= 7, (card.name, np.median(ratios))
            assert (ratios >= 3).mean() > 0.95, card.name


class TestLegibility:
    def test_without_glass_the_image_shows_between_the_letters(self) -> None:
        image = noise(640, 480)
        bare = with_look(PLAIN, theme="none", alpha=0.0)
        drawn = draw(image, TABBY, bare)
        assert (drawn == image).all(axis=2).mean() > 0.97
        np.testing.assert_array_equal(drawn[-60:], image[-60:])

    def test_cards_are_translucent(self) -> None:
        dark, bright = grey(640, 480), grey(640, 480, 255)
        card = lay_out(640, 480, TABBY, PLAIN)[0]
        for drawn in (dark, bright):
            card.sprite.paste(drawn, 0, 0)
        inside = bright[3:-3, 3:-3][5, 5].astype(int) - dark[3:-3, 3:-3][5, 5]
        assert (inside > 20).all()
        assert bright[0, 0].tolist() == [255, 255, 255]  # outside the rounded corner

    def test_text_is_antialiased(self) -> None:
        assert len(np.unique(text.text_mask("tabby", 32).coverage)) > 30


class TestLabelCard:
    STYLE = Style.of(640, 480, "dark")

    def card(self, label: str, max_width: int) -> NDArray[np.uint8] | None:
        sprite = cards.label_card(label, "82 %", (0.82,), (), self.STYLE, max_width)
        assert sprite is None or sprite.width <= max_width
        return None if sprite is None else sprite.paint

    @pytest.mark.parametrize("max_width", [150, 200, 320, 600])
    def test_a_long_label_keeps_its_probability(self, max_width: int) -> None:
        short, long = self.card("tabby", max_width), self.card(LONG, max_width)
        assert short is not None
        assert long is not None
        end = -text.text_width("82 %", self.STYLE.large) - 2 * self.STYLE.pad
        rows = np.s_[2 : 2 * self.STYLE.pad + self.STYLE.large // 2]  # above the bar
        np.testing.assert_array_equal(long[rows, end:-2], short[rows, end:-2])
        assert short[rows, end:-2].max() > 240

    def test_there_is_none_if_not_even_the_probability_fits(self) -> None:
        assert self.card(LONG, 60) is None

    def test_the_bar_grows_with_the_probability(self) -> None:
        filled = []
        for share in (0.0, 0.01, 0.5, 1.0):
            sprite = cards.label_card("tabby", "82 %", (share,), (), self.STYLE, 600)
            assert sprite is not None
            accent = (
                np.abs(sprite.paint.astype(int) - np.array(self.STYLE.theme.accent)).sum(axis=2)
                < 30
            )
            filled.append(int(accent.any(axis=0).sum()))
        assert filled[0] == 0
        assert filled == sorted(set(filled))

    def test_the_top_class_is_named_only_if_another_one_is_locked(self) -> None:
        def card(explanation: Explanation, *, locked: bool) -> NDArray[np.uint8]:
            return lay_out(640, 480, explanation, Status(locked=locked))[0].sprite.paint

        alone = replace(RIVALLED, top=())
        assert not np.array_equal(card(RIVALLED, locked=True), card(alone, locked=True))
        np.testing.assert_array_equal(card(RIVALLED, locked=False), card(alone, locked=False))

    @pytest.mark.parametrize(("width", "height"), SIZES[:3])
    def test_the_check_is_written_in_full(
        self, width: int, height: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = []

        def shorten(words: str, size: int, room: int) -> str:
            written.append(text.shorten(words, size, room))
            return written[-1]

        monkeypatch.setattr(cards, "shorten", shorten)
        cards.label_card.cache_clear()
        placed = lay_out(width, height, CHECKED, Status(locked=True, look=Look(bars=False)))
        assert [card.name for card in placed] == ["label"]
        assert written == [
            "Egyptian cat",
            "without the hot spot",
            "espresso 65 % instead · hot spot alone 64 %",
            "locked",
            "gradcam · Egyptian cat or espresso",
        ]

    def test_the_bar_shows_the_share_without_the_hot_spot(self) -> None:
        def card(*shares: float) -> NDArray[np.int32]:
            sprite = cards.label_card("tabby", "82 %", shares, (), self.STYLE, 600)
            assert sprite is not None
            return sprite.paint.astype(np.int32)

        accent = np.array(self.STYLE.theme.accent)
        left = [
            int((np.abs(card(*s) - accent).sum(axis=2) < 30).any(axis=0).sum())
            for s in ((0.8, 0.1), (0.1,), (0.8,))
        ]
        assert left[0] == left[1] < left[2]
        assert (card(0.8, 0.1) != card(0.1)).any()

    def test_the_label_stays_without_room_for_the_check(self) -> None:
        placed = lay_out(110, 240, CHECKED, Status(look=Look(bars=False)))
        assert [card.name for card in placed] == ["label"]

    def test_every_part_of_the_text_is_drawn(self) -> None:
        def card(label: str, probability: str, *notes: str) -> bytes:
            lines = tuple((note, False) for note in notes)
            sprite = cards.label_card(label, probability, (0.5,), lines, self.STYLE, 600)
            assert sprite is not None
            return sprite.paint.tobytes()

        drawings = {
            card("tabby", "82 %", "top: espresso 94 %"),
            card("tiger", "82 %", "top: espresso 94 %"),
            card("tabby", "83 %", "top: espresso 94 %"),
            card("tabby", "82 %", "top: espresso 95 %"),
        }
        assert len(drawings) == 4


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    caches = (text._runs, text._font_for, text.text_mask, text._advance)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setattr(text, "_FALLBACKS", ())
    yield
    for cache in caches:
        cache.cache_clear()


class TestText:
    @pytest.mark.parametrize("label", STRANGE)
    def test_any_text_can_be_drawn(self, label: str) -> None:
        status = replace(BUSY, source=label, confirmation=label, keys=((label, label),))
        drawn = draw(grey(640, 480), explain(blob(5, 8), label), status)
        assert drawn.shape == (480, 640, 3)

    @pytest.mark.parametrize("label", STRANGE)
    @pytest.mark.usefixtures("no_system_fonts")
    def test_any_text_can_be_drawn_without_system_fonts(self, label: str) -> None:
        assert (
            text.text_mask(label, 20).coverage.shape[0] == text.text_mask("a", 20).coverage.shape[0]
        )

    @pytest.mark.usefixtures("no_system_fonts")
    def test_characters_without_a_font_are_substituted(self) -> None:
        drawn, plain = text.text_mask("crème 640×480", 20), text.text_mask("creme 640x480", 20)
        np.testing.assert_array_equal(drawn.coverage, plain.coverage)

    @pytest.mark.parametrize("label", ["tabby", "crème brûlée", "640×480 · 30 fps…"])
    def test_the_width_is_that_of_the_drawing(self, label: str) -> None:
        drawn = text.text_mask(label, 30)
        columns = np.nonzero(drawn.coverage.any(axis=0))[0]
        assert columns[0] >= drawn.left - 2
        assert columns[-1] - drawn.left == pytest.approx(text.text_width(label, 30), abs=4)

    def test_shorten_keeps_what_fits(self) -> None:
        assert text.shorten("tabby", 20, text.text_width("tabby", 20)) == "tabby"

    @pytest.mark.parametrize("width", [20, 55, 100, 300])
    def test_shorten_fits_and_wastes_nothing(self, width: int) -> None:
        short = text.shorten("W" * 400, 20, width)
        assert short.endswith("…")
        assert text.text_width(short, 20) <= width < text.text_width("W" + short, 20)

    def test_shorten_returns_nothing_if_nothing_fits(self) -> None:
        assert text.shorten("tabby", 20, 3) == ""


def test_needs_no_torch() -> None:
    code = "import sys, live_cam.overlay, live_cam.live.window; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

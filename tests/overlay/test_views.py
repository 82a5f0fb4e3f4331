"""The views: their content, legible in every theme and on any image."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from live_cam.explanation import Heatmap, Prediction
from live_cam.geometry import Rectangle, Region
from live_cam.live.actions import KEY_HELP
from live_cam.look import COLORMAPS, VIEWS, Colormap, Look, ThemeName, View
from live_cam.overlay import Overlay, cards, key_card
from live_cam.overlay.layout import lay_out
from live_cam.overlay.paint import Canvas
from live_cam.overlay.panes import featured, tiles
from live_cam.overlay.status import Status
from live_cam.overlay.theme import THEMES, Colour
from live_cam.settings import METHODS, SHOWN_FEATURE_MAPS
from tests.support.explanations import with_map, with_target
from tests.support.looks import with_look
from tests.support.overlays import (
    CHECKED,
    PLAIN,
    SIZES,
    TABBY,
    TINY,
    blob,
    contrast,
    draw,
    grey,
    luminance,
    noise,
)

BARE = Status(look=Look(bars=False))
MAPS = tuple(
    Heatmap(blob(each, 6), TABBY.target, f"#{1000 + each} +0.{each:02}", feature_map=each)
    for each in range(SHOWN_FEATURE_MAPS)
)
OTHERS = {
    "grid": tuple(Heatmap(blob(4, 4), TABBY.target, each) for each in METHODS[1:]),
    "classes": tuple(
        Heatmap(blob(each, 4), Prediction(each, "tiger cat", each / 100)) for each in range(3)
    ),
    "maps": MAPS,
}
EXPLAINED = {view: replace(CHECKED, maps=(*CHECKED.maps, *OTHERS.get(view, ()))) for view in VIEWS}
LEFT_FOR_RIGHT_AGAINST = np.array([[1.0, 0.0, -1.0]], np.float32)


class TestSignedMaps:
    """On an image of 640×480, with evidence for the class on the left, against it on the right."""

    SIGNED = with_map(with_target(TABBY, label=""), values=LEFT_FOR_RIGHT_AGAINST, signed=True)

    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_red_is_for_blue_is_against_and_between_is_the_image(self, level: int) -> None:
        image = grey(640, 480, level)
        change = draw(image, self.SIGNED, BARE)[300].astype(int) - image[300]
        blue, _, red = change[20]
        assert red - blue > 60
        blue, _, red = change[-20]
        assert blue - red > 60
        assert np.abs(change[320]).max() < 20

    def test_alpha_1_is_the_colours_alone(self) -> None:
        for status in (with_look(BARE, alpha=1.0), with_look(BARE, view="heatmap")):
            one, other = (
                draw(image, self.SIGNED, status) for image in (noise(64, 48), grey(64, 48))
            )
            np.testing.assert_array_equal(one, other)

    def test_alpha_0_is_the_bare_image(self) -> None:
        image = noise(64, 48)
        np.testing.assert_array_equal(draw(image, self.SIGNED, with_look(BARE, alpha=0.0)), image)

    def test_more_alpha_is_more_colour(self) -> None:
        drawn = [draw(grey(64, 48), self.SIGNED, with_look(BARE, alpha=a)) for a in (0.2, 0.5, 0.9)]
        reds = [int(each[24, 2, 2]) for each in drawn]
        assert reds == sorted(set(reds))


Written = list[tuple[str, int]]
CARDS = (
    cards.label_card,
    cards.bars_card,
    cards.badge,
    cards.pill,
    cards.status_bar,
    key_card.help_card,
)
SQUARE = Region(0.125, 0.0, 0.75, 1.0)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Collects the texts that are drawn on an image, each with its size in pixels."""
    texts: Written = []
    write = Canvas.text

    def spy(self: Canvas, x: int, baseline: int, text: str, size: int, colour: Colour) -> None:
        texts.append((text, size))
        write(self, x, baseline, text, size, colour)

    monkeypatch.setattr(Canvas, "text", spy)
    _clear_cards()
    return texts


def _clear_cards() -> None:
    """Clear the cached cards."""
    for card in CARDS:
        card.cache_clear()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
class TestEveryView:
    @pytest.mark.parametrize(("width", "height"), [*SIZES[3:], *TINY])
    def test_is_drawn_in_any_size(
        self, width: int, height: int, view: View, theme: ThemeName
    ) -> None:
        status = with_look(replace(PLAIN, focus=2), view=view, theme=theme, box=True)
        image = noise(width, height)
        for explanation in (None, EXPLAINED[view]):
            drawn = draw(image, explanation, status)
            assert drawn.shape == image.shape

    def test_shows_the_check(self, view: View, theme: ThemeName, written: Written) -> None:
        status = with_look(PLAIN, view=view, theme=theme)
        draw(noise(640, 480), EXPLAINED[view], status)
        assert "82 % → 11 %" in " ".join(text for text, _ in written)

    def test_names_the_class_before_its_maps_are_there(
        self, view: View, theme: ThemeName, written: Written
    ) -> None:
        draw(noise(640, 480), TABBY, with_look(PLAIN, view=view, theme=theme))
        assert "82 %" in " ".join(text for text, _ in written)

    def test_shows_that_weights_are_randomised(self, view: View, theme: ThemeName) -> None:
        status = with_look(PLAIN, view=view, theme=theme)
        placed = lay_out(640, 480, replace(EXPLAINED[view], randomised=(6, 50)), status)
        assert "randomised" in {card.name for card in placed}

    @pytest.mark.parametrize(("width", "height"), SIZES[:3])
    def test_text_is_large_enough(
        self, width: int, height: int, view: View, theme: ThemeName, written: Written
    ) -> None:
        draw(noise(width, height), EXPLAINED[view], with_look(PLAIN, view=view, theme=theme))
        assert min(size for _, size in written) >= max(12, height // 60)


@pytest.mark.parametrize("theme", THEMES)
class TestMosaics:
    @pytest.mark.parametrize(("width", "height"), SIZES[:3])
    def test_every_method_is_named_in_full(
        self, width: int, height: int, theme: ThemeName, written: Written
    ) -> None:
        draw(noise(width, height), EXPLAINED["grid"], with_look(BARE, view="grid", theme=theme))
        assert set(METHODS[1:]) <= {text for text, _ in written}

    @pytest.mark.parametrize(("width", "height"), SIZES[:3])
    def test_every_feature_map_is_named_in_full(
        self, width: int, height: int, theme: ThemeName, written: Written
    ) -> None:
        draw(noise(width, height), EXPLAINED["maps"], with_look(BARE, view="maps", theme=theme))
        assert {each.title for each in MAPS} <= {text for text, _ in written}

    @pytest.mark.parametrize("view", ["split", "grid", "classes", "maps"])
    def test_the_background_has_the_themes_colour(self, view: View, theme: ThemeName) -> None:
        drawn = draw(noise(640, 480), EXPLAINED[view], with_look(BARE, view=view, theme=theme))
        assert tuple(drawn[0, 0]) == THEMES[theme].glass
        assert (drawn == THEMES[theme].glass).all(axis=2).mean() < 0.35

    def test_the_split_view_has_all_texts_of_the_overlay(
        self, theme: ThemeName, written: Written
    ) -> None:
        texts = []
        for view in ("overlay", "split"):
            written.clear()
            _clear_cards()
            draw(noise(640, 480), EXPLAINED[view], with_look(PLAIN, view=view, theme=theme))
            texts.append({text for text, _ in written})
        assert texts[0] <= texts[1]

    def test_the_enlarged_map_is_marked(self, theme: ThemeName) -> None:
        status = with_look(BARE, view="maps", theme=theme)
        plain, second, third = (
            draw(grey(640, 480), EXPLAINED["maps"], replace(status, focus=focus))
            for focus in (None, 1, 2)
        )
        accent = THEMES[theme].accent
        assert not (plain == accent).all(axis=2).any()
        left, right = ((each == accent).all(axis=2) for each in (second, third))
        assert left.any()
        assert right.any()
        assert not (left & right).any()


class TestTiles:
    @pytest.mark.parametrize(("width", "height"), [*SIZES, *TINY])
    @pytest.mark.parametrize("count", range(1, 18))
    def test_do_not_overlap_and_the_last_row_is_centred(
        self, width: int, height: int, count: int
    ) -> None:
        area = Rectangle(3, 5, width, height)
        places = tiles(area, count, width / height, 2)
        assert len(places) == count
        for one, other in combinations(places, 2):
            assert not one.overlaps(other)
        last = [each for each in places if each.y == places[-1].y]
        middle = (last[0].x + last[-1].x + last[-1].width) / 2
        assert middle == pytest.approx(area.x + width / 2, abs=1)
        if min(width, height) > 100:
            assert all(_inside(each, area) for each in places)

    @pytest.mark.parametrize(("width", "height"), SIZES)
    def test_the_large_tile_overlaps_no_small_one(self, width: int, height: int) -> None:
        area = Rectangle(3, 5, width, height)
        large, small = featured(area, width / height, 4)
        assert len(small) == SHOWN_FEATURE_MAPS
        assert large.width == 3 * small[0].width + 8
        assert large.height == pytest.approx(large.width * height / width, rel=0.03)
        for one, other in combinations([large, *small], 2):
            assert not one.overlaps(other)
        assert all(_inside(each, area) for each in (large, *small))


def _inside(where: Rectangle, area: Rectangle) -> bool:
    return (
        area.x <= where.x
        and area.y <= where.y
        and where.x + where.width <= area.x + area.width
        and where.y + where.height <= area.y + area.height
    )


@pytest.mark.parametrize("theme", THEMES)
class TestLines:
    @pytest.mark.parametrize("colormap", COLORMAPS)
    @pytest.mark.parametrize("level", [0, 255])
    def test_the_box_is_visible_on_any_image(
        self, theme: ThemeName, colormap: Colormap, level: int
    ) -> None:
        """Somewhere across its edge two neighbouring pixels differ by 3 to 1, as WCAG asks."""
        status = with_look(BARE, theme=theme, colormap=colormap)
        explanation = with_target(TABBY, label="")
        image, overlay = grey(640, 480, level), Overlay()
        without, boxed = (
            draw(image, explanation, with_look(status, box=box), overlay) for box in (False, True)
        )
        edges = np.nonzero((without != boxed).any(axis=2)[240])[0]
        left, right = np.split(edges, [int(np.diff(edges).argmax()) + 1])
        assert right[0] - left[-1] > 100
        light = luminance(boxed[240])
        for edge in (left, right):
            assert 3 <= len(edge) <= 8
            across = light[edge[0] - 2 : edge[-1] + 3]
            assert contrast(across[1:], across[:-1]).max() >= 3

    def test_the_outline_of_the_input_has_the_themes_colours(self, theme: ThemeName) -> None:
        explanation = replace(with_target(TABBY, label=""), seen=SQUARE, region=SQUARE)
        drawn = draw(grey(640, 480, 128), explanation, with_look(BARE, theme=theme))
        beside = {tuple(pixel) for pixel in drawn[240, 70:80].tolist()}
        assert {THEMES[theme].glass, THEMES[theme].edge} <= beside


class TestHelp:
    @pytest.mark.parametrize("theme", THEMES)
    @pytest.mark.parametrize(("width", "height"), SIZES[:3])
    def test_shows_every_key_in_full(
        self, width: int, height: int, theme: ThemeName, written: Written
    ) -> None:
        placed = lay_out(width, height, None, Status(keys=KEY_HELP, look=Look(theme=theme)))
        assert [card.name for card in placed] == ["help"]
        assert [text for text, _ in written] == [text for pair in KEY_HELP for text in pair]
        assert min(size for _, size in written) >= 12

    def test_says_that_there_is_no_room(self, written: Written) -> None:
        placed = lay_out(320, 240, None, Status(keys=KEY_HELP))
        assert [card.name for card in placed] == ["help"]
        assert [text for text, _ in written] == ["image too small for the keys; see the README"]

    def test_an_empty_key_has_no_key_cap(self) -> None:
        def paint(key: str) -> bytes:
            (card,) = lay_out(640, 480, None, Status(keys=(("enter", "tabby"), (key, "lynx"))))
            return card.sprite.paint.tobytes()

        assert len({paint(""), paint(" "), paint("tab")}) == 3

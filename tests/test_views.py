"""The views: each shows what it is to show, legibly, in every theme and on any picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.capture import Frame
from live_cam.explanation import Explanation
from live_cam.overlay import Overlay
from live_cam.status import Status
from tests.test_overlay import TABBY, grey, noise

BARE = Status(bars=False)
LEFT_FOR_RIGHT_AGAINST = np.array([[1.0, 0.0, -1.0]], np.float32)


def draw(image: NDArray[np.uint8], said: Explanation, status: Status) -> NDArray[np.uint8]:
    return Overlay().draw(Frame(image, 0, 0.0), said, status)


class TestSignedMaps:
    """On a picture of 640×480, with what speaks for the class left and against it right."""

    SAID = replace(TABBY, label="", heatmap=LEFT_FOR_RIGHT_AGAINST, signed=True)

    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_red_is_for_blue_is_against_and_between_is_the_picture(self, level: int) -> None:
        image = grey(640, 480, level)
        change = draw(image, self.SAID, BARE)[300].astype(int) - image[300]
        blue, _, red = change[20]
        assert red - blue > 60
        blue, _, red = change[-20]
        assert blue - red > 60
        assert np.abs(change[320]).max() < 20

    def test_alpha_1_is_the_colours_alone(self) -> None:
        for status in (replace(BARE, alpha=1.0), replace(BARE, view="heatmap")):
            one, other = (draw(image, self.SAID, status) for image in (noise(64, 48), grey(64, 48)))
            np.testing.assert_array_equal(one, other)

    def test_alpha_0_is_the_bare_picture(self) -> None:
        image = noise(64, 48)
        np.testing.assert_array_equal(draw(image, self.SAID, replace(BARE, alpha=0.0)), image)

    def test_more_alpha_is_more_colour(self) -> None:
        drawn = [draw(grey(64, 48), self.SAID, replace(BARE, alpha=a)) for a in (0.2, 0.5, 0.9)]
        reds = [int(picture[24, 2, 2]) for picture in drawn]
        assert reds == sorted(set(reds))

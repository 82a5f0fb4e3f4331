from __future__ import annotations

import re
from pathlib import Path

from live_cam.live.actions import KEY_HELP
from live_cam.look import THEMES, VIEWS
from live_cam.runtime.opencv import cv2
from live_cam.settings import FITS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_that_of_the_program() -> None:
    table = [line for line in README.splitlines() if line.startswith("| ")][2:]
    assert table == [f"| {key} | {meaning} |" for key, meaning in KEY_HELP]


def test_it_opens_with_an_image() -> None:
    image = README.partition("](")[2].partition(")")[0]
    assert README.startswith("![")
    assert (ROOT / image).stat().st_size > 10_000


def test_it_shows_an_image_of_every_view() -> None:
    shown = re.findall(r'<img src="docs/views/(\w+)\.jpg"', README)
    there = sorted(path.stem for path in (ROOT / "docs" / "views").iterdir())
    assert sorted(shown) == there
    default = {FITS[0], THEMES[0]}
    assert {*VIEWS, *FITS, *THEMES} - default <= set(shown)


def test_its_images_are_small() -> None:
    for path in (ROOT / "docs" / "views").iterdir():
        assert path.stat().st_size < 120_000, path
        image = cv2.imread(str(path))
        assert image is not None
        assert image.shape == (540, 960, 3), path

"""Whatever stands on the command line: settings within their ranges, or one sentence."""

from __future__ import annotations

import math
import os

import click
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from live_cam import look, settings
from live_cam.capture import open_source
from live_cam.cli.live import run
from live_cam.geometry import Region, fitted
from live_cam.network.classifier import load_classifier
from live_cam.network.precision import select_device
from live_cam.settings import Settings
from tests.hostile.sentences import Refused, attempt
from tests.hostile.words import VALUES, inside

OPTIONS = sorted({name for each in run.params for name in (*each.opts, *each.secondary_opts)})
WORDS = st.one_of(
    st.tuples(st.sampled_from(OPTIONS), VALUES),
    st.tuples(st.builds("{}={}".format, st.sampled_from(OPTIONS), VALUES)),
    st.tuples(st.text(max_size=8)),
)


@given(words=st.lists(WORDS, max_size=6))
@example([("--alpha", "nan")])
@example([("--seconds", "inf")])
@example([("--camera-size", "9" * 5000 + "x1")])
@example([("--threads", "99999999999999999999")])
def test_any_words_are_settings_in_their_ranges_or_refused(words: list[tuple[str, ...]]) -> None:
    arguments = [word for group in words for word in group]
    try:
        context = run.make_context("run", arguments)
    except (click.ClickException, click.exceptions.Exit):  # wrong, or --help
        return
    chosen = Settings(**context.params)
    assert inside(chosen.alpha, look.ALPHA)
    assert inside(chosen.smoothing, settings.SMOOTHING)
    assert inside(chosen.threads, settings.THREADS)
    assert inside(chosen.camera_fps, settings.CAMERA_FPS)
    assert all(inside(side, settings.CAMERA_SIDE) for side in chosen.camera_size or ())
    assert chosen.seconds is None or 0 < chosen.seconds < math.inf
    assert chosen.method in settings.METHODS
    assert chosen.view in look.VIEWS


@pytest.mark.parametrize("option", ["--alpha", "--smooth", "--seconds", "--camera-fps"])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_what_is_no_number_lies_in_no_range(option: str, number: str) -> None:
    with pytest.raises(click.BadParameter, match=r"number|range"):
        run.make_context("run", [option, number])


@given(source=st.text(max_size=40))
@example("9" * 5000)
@example("0" * 5000)
@example("~nobody-of-that-name/clip.mp4")
@example("a" * 5000)
@example("nul\0.mp4")
@example("\udcff\x1b[2J.png")
@example("")
@example("/proc/self/mem")
def test_any_source_that_is_not_there_is_one_sentence(source: str) -> None:
    assume(source != "demo")
    assume("://" not in source)  # servers are asked elsewhere
    assume(not (source.isdecimal() and len(source) < 3))  # and cameras
    assume(not os.path.isdir(source))  # noqa: PTH112  # `Path` minds impossible names
    assert isinstance(attempt(lambda: open_source(source)), Refused)


@given(name=st.text(max_size=20) | st.from_regex(r"\Acuda:\d*\Z"))
@example("cuda:" + "9" * 5000)
@example("cuda:-1")
def test_any_device_is_found_or_one_sentence(name: str) -> None:
    found = attempt(lambda: select_device(name))
    assert isinstance(found, Refused | torch.device)


@given(name=st.text(max_size=20))
@example("a" * 5000)
@example("__class__")
def test_any_network_that_is_not_there_is_one_sentence(name: str) -> None:
    assume(name not in ("", settings.EMBEDDED_MODEL))
    assert isinstance(attempt(lambda: load_classifier(name)), Refused)


@given(
    fit=st.sampled_from(settings.FITS),
    size=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
    drawn=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
@example("crop", (1, 500), (1, 160))
def test_what_the_network_sees_covers_a_pixel_of_any_image(
    fit: str, size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    width, height = size
    seen = fitted(fit, width, height, 1.0)
    region = Region(seen.x / width, seen.y / height, seen.width / width, seen.height / height)
    x, y, across, down = region.pixels(*drawn)
    assert 0 <= x < x + across <= drawn[0]
    assert 0 <= y < y + down <= drawn[1]

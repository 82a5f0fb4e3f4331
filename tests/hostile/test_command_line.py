"""Arbitrary command lines: settings within their ranges, or one sentence."""

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
from tests.support.sentences import Rejected, attempt
from tests.support.words import VALUES, inside

OPTIONS = sorted({name for option in run.params for name in (*option.opts, *option.secondary_opts)})
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
def test_any_words_give_settings_in_range_or_are_rejected(words: list[tuple[str, ...]]) -> None:
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
def test_values_that_are_not_finite_are_rejected(option: str, number: str) -> None:
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
def test_any_missing_source_is_reported_in_one_sentence(source: str) -> None:
    assume(source != "demo")
    assume("://" not in source)  # servers have their own tests
    assume(not (source.isdecimal() and len(source) < 3))  # and so do cameras
    assume(not os.path.isdir(source))  # noqa: PTH112  # `Path` rejects impossible names
    assert isinstance(attempt(lambda: open_source(source)), Rejected)


@given(name=st.text(max_size=20) | st.from_regex(r"\Acuda:\d*\Z"))
@example("cuda:" + "9" * 5000)
@example("cuda:-1")
def test_any_device_is_found_or_reported_in_one_sentence(name: str) -> None:
    device = attempt(lambda: select_device(name))
    assert isinstance(device, Rejected | torch.device)


@given(name=st.text(max_size=20))
@example("a" * 5000)
@example("__class__")
def test_any_unknown_network_is_reported_in_one_sentence(name: str) -> None:
    assume(name not in ("", settings.EMBEDDED_MODEL))
    assert isinstance(attempt(lambda: load_classifier(name)), Rejected)


@given(
    fit=st.sampled_from(settings.FITS),
    size=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
    drawn=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
@example("crop", (1, 500), (1, 160))
def test_the_networks_region_covers_at_least_one_pixel(
    fit: str, size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    width, height = size
    seen = fitted(fit, width, height, 1.0)
    region = Region(seen.x / width, seen.y / height, seen.width / width, seen.height / height)
    x, y, across, down = region.pixels(*drawn)
    assert 0 <= x < x + across <= drawn[0]
    assert 0 <= y < y + down <= drawn[1]

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from live_cam.capture import Opening, Source, open_source
from live_cam.capture.demo import DemoScene
from live_cam.capture.stills import Stills
from live_cam.capture.video import Video
from live_cam.errors import UsageError
from live_cam.runtime.opencv import cv2
from tests.support.media import RED, marked, write_video
from tests.support.sources import FakeSource


def test_the_kind_of_source_depends_on_what_the_name_refers_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("image.png", marked(RED))
    write_video(tmp_path / "clip.mkv", [marked(RED)] * 3).rename(tmp_path / "clip")
    for name, kind in (
        ("image.png", Stills),
        (".", Stills),
        ("clip", Video),
        ("demo", DemoScene),
    ):
        with open_source(name) as source:
            assert isinstance(source, kind)


def test_a_folder_called_demo_is_opened_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    cv2.imwrite("demo/image.png", marked(RED))
    with open_source("./demo") as source:
        assert isinstance(source, Stills)
        assert source.name == "demo"


def test_a_tilde_stands_for_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    cv2.imwrite(str(tmp_path / "image.png"), marked(RED))
    with open_source("~/image.png") as source:
        assert source.read() is not None


@pytest.mark.parametrize(
    "name", ["clip.mp4", "", " ", "-1", "0.5", "²", "nul\0byte", "x" * 5000, "no/such/folder/"]
)
def test_an_invalid_name_is_rejected_with_the_valid_ones(name: str) -> None:
    with pytest.raises(UsageError, match="There is no file or folder") as caught:
        open_source(name)
    message = str(caught.value)
    assert "camera index" in message
    assert "\n" not in message
    assert "\0" not in message


def test_opening_does_not_block_the_caller() -> None:
    go = threading.Event()

    def slowly() -> Source:
        go.wait(30)
        return open_source("demo")

    opening = Opening(slowly)
    assert opening.wait(0.01) is None
    go.set()
    source = opening.wait(30)
    assert source is not None
    source.close()


def test_wait_raises_the_error_of_a_failed_opening() -> None:
    opening = Opening(lambda: open_source("nowhere.mp4"))
    with pytest.raises(UsageError, match=r"nowhere\.mp4"):
        opening.wait(30)


@pytest.mark.parametrize("early", [True, False])
def test_an_abandoned_source_is_closed(early: bool) -> None:
    go, opened = threading.Event(), threading.Event()
    source = FakeSource([0.0])

    def slowly() -> Source:
        go.wait(30)
        opened.set()
        return source

    opening = Opening(slowly)
    if early:
        opening.abandon()
        go.set()
    else:
        go.set()
        assert opening.wait(30) is source
        opening.abandon()
    assert source.closed.wait(30)

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from live_cam.capture import Source, open_source
from live_cam.capture.decoder import Decoded, Decoder
from live_cam.capture.video import Video
from live_cam.errors import UsageError
from live_cam.frame import Frame
from live_cam.runtime.opencv import cv2
from tests.support.media import BLUE, GREEN, RED, colour_of, marked, write_video
from tests.support.server import Server


def _all(source: Source) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def test_every_image_is_read_once_in_order(tmp_path: Path) -> None:
    colours = [RED, GREEN, BLUE, GREEN, RED, BLUE, BLUE, RED] * 4
    path = write_video(tmp_path / "clip.mp4", [marked(colour) for colour in colours])
    names = {RED: "red", GREEN: "green", BLUE: "blue"}

    with open_source(str(path)) as source:
        frames = _all(source)
        assert source.read() is None

    assert [colour_of(f.image, 0.25, 0.25) for f in frames] == [names[c] for c in colours]
    assert {colour_of(f.image, 0.75, 0.75) for f in frames} == {"black"}
    assert source.name == "clip.mp4"
    assert source.description == "64×48 mpeg4 at 30 fps"


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("offset", [0, 500])
def test_timestamps_are_the_files_own(tmp_path: Path, ending: str, offset: int) -> None:
    times = [0, 40, 200, 210, 1000, 1033]
    path = write_video(
        tmp_path / f"variable.{ending}", [marked(RED)] * 6, times=[t + offset for t in times]
    )

    with open_source(str(path)) as source:
        read = [frame.timestamp for frame in _all(source)]

    assert read == pytest.approx([t / 1000 for t in times], abs=1e-9)


@pytest.mark.parametrize(
    ("rotation", "corner"),
    [(90, (0.25, 0.75)), (180, (0.75, 0.75)), (-90, (0.75, 0.25)), (0, (0.25, 0.25))],
)
def test_images_are_rotated_as_the_file_specifies(
    tmp_path: Path, rotation: int, corner: tuple[float, float]
) -> None:
    path = write_video(tmp_path / "phone.mp4", [marked(RED)] * 3, rotation=rotation)

    with open_source(str(path)) as source:
        frame = source.read()

    assert frame is not None
    assert frame.image.shape == ((64, 48, 3) if abs(rotation) == 90 else (48, 64, 3))
    corners = [(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)]
    assert [c for c in corners if colour_of(frame.image, *c) == "red"] == [corner]
    assert source.description.startswith("48×64" if abs(rotation) == 90 else "64×48")


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "odd.mkv", [marked(GREEN, 63, 47)] * 3, codec="ffv1")

    with open_source(str(path)) as source:
        frames = _all(source)

    assert [frame.image.shape for frame in frames] == [(47, 63, 3)] * 3
    assert colour_of(frames[0].image, 0.25, 0.25) == "green"
    assert colour_of(frames[0].image, 0.9, 0.9) == "black"


def test_a_file_without_times_gets_a_constant_rate(tmp_path: Path) -> None:
    path = tmp_path / "camera.mjpeg"
    jpegs = [cv2.imencode(".jpg", marked(colour))[1].tobytes() for colour in (RED, GREEN, BLUE)]
    path.write_bytes(b"".join(jpegs * 5))

    with open_source(str(path)) as source:
        frames = _all(source)
        assert not source.live

    assert [colour_of(f.image, 0.25, 0.25) for f in frames] == ["red", "green", "blue"] * 5
    times = [frame.timestamp for frame in frames]
    assert times == pytest.approx([number * times[1] for number in range(15)])


def test_broken_images_in_the_middle_are_skipped(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "scratched.mkv", [marked(c) for c in (RED, GREEN, BLUE) * 5], codec="mjpeg"
    )
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for place, size in packets[5:8]:
        assert place is not None
        data[place + 12 : place + size] = bytes(size - 12)
    path.write_bytes(data)

    with open_source(str(path)) as source:
        frames = _all(source)

    expected = [number / 30 for number in range(15) if number not in (5, 6, 7)]
    assert [frame.timestamp for frame in frames] == pytest.approx(expected, abs=1e-3)
    assert [frame.index for frame in frames] == list(range(12))


def test_a_truncated_file_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mkv", [marked(RED)] * 60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])

    with open_source(str(path)) as source:
        frames = _all(source)

    assert 10 < len(frames) < 60


def _unreadable(folder: Path) -> Iterator[Path]:
    text = folder / "text.mp4"
    text.write_text("This is not a video.\n" * 50)
    yield text
    empty = folder / "empty.mkv"
    empty.touch()
    yield empty
    cut = write_video(folder / "cut.mp4", [marked(RED)] * 30)  # its index is at the end
    cut.write_bytes(cut.read_bytes()[:-400])
    yield cut


def test_a_file_that_is_not_a_video_is_rejected_in_one_sentence(tmp_path: Path) -> None:
    for path in _unreadable(tmp_path):
        with pytest.raises(UsageError, match="not a video") as caught:
            open_source(str(path))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("notes.txt", "Some notes.\n"), ("titles.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n")],
)
def test_text_that_ffmpeg_can_render_is_not_a_video(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text * 50)

    with pytest.raises(UsageError, match=f"no video in {name}"):
        open_source(str(path))


def test_a_file_name_may_contain_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        path = write_video(tmp_path / "clip.mp4", [marked(RED)] * 3).rename(tmp_path / "at:12.mp4")
    except OSError:
        pytest.skip("this file system allows no colons in names")
    monkeypatch.chdir(tmp_path)

    with open_source(path.name) as source:
        assert source.read() is not None


class _Scripted:
    """A decoder that delivers images at given times."""

    codec = "scripted"
    rate = Fraction(10)

    def __init__(self, times: list[Fraction | None]) -> None:
        self._times = times
        self.closed = False

    def packets(self) -> Iterator[object]:
        return iter(())

    def images(self, _: object) -> Iterator[Decoded]:
        for time in self._times:
            yield Decoded(np.zeros((4, 6, 3), np.uint8), time)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([None, None, None], [0, 0.1, 0.2]),
        ([Fraction(3), None, Fraction(4)], [0, 0.1, 1]),
        ([Fraction(5), Fraction(6), Fraction(0), Fraction(1)], [0, 1, 1.1, 2.1]),
        ([Fraction(5), Fraction(5), Fraction(6)], [0, 0.1, 1.1]),
        ([Fraction(5), Fraction(10**12), Fraction(10**12 + 1)], [0, 0.1, 1.1]),
        ([Fraction(5), Fraction(5 + 3600)], [0, 3600]),
    ],
    ids=["none", "some missing", "back to start", "twice the same", "millennia later", "an hour"],
)
def test_missing_and_jumping_times_become_increasing(
    times: list[Fraction | None], expected: list[float]
) -> None:
    decoder = _Scripted(times)

    with Video(cast("Decoder", decoder), "scripted") as source:
        assert [frame.timestamp for frame in _all(source)] == pytest.approx(expected)

    assert decoder.closed


def test_a_video_without_images_is_rejected_and_closed() -> None:
    decoder = _Scripted([])

    with pytest.raises(UsageError, match="No image in scripted"):
        Video(cast("Decoder", decoder), "scripted")

    assert decoder.closed


def test_a_video_on_a_server_keeps_its_timestamps(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", [marked(RED)] * 4, times=[100, 150, 400, 1100])
    with Server() as server:
        server.files["/clip.mkv"] = path.read_bytes()
        with open_source(f"http://{server.address}/clip.mkv") as source:
            assert not source.live
            times = [frame.timestamp for frame in _all(source)]

    assert times == pytest.approx([0, 0.05, 0.3, 1])

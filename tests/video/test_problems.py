"""Broken files and contradictory settings: one sentence each, and whatever can be written is."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from live_cam.errors import CaptureError, RecordingError, UsageError
from live_cam.runtime.opencv import cv2
from tests.support.clips import frames, number_of, shade, sound, times, write_clip
from tests.support.disks import SmallDisk
from tests.support.running_videos import run


def _clip(path: Path, count: int = 75, **options: Any) -> Path:
    return write_clip(path, [shade(number) for number in range(count)], **options)


def _with_index_in_front(path: Path) -> Path:
    """Move an MP4's index to its beginning, so that it stays readable once its end is cut off."""
    moved = path.with_name(f"front-{path.name}")
    with av.open(str(path)) as source:
        options = {"movflags": "faststart"}
        with av.open(str(moved), "w", container_options=options) as target:
            copies = {
                s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams
            }
            for packet in source.demux():
                if packet.size:
                    packet.stream = copies[packet.stream.index]
                    target.mux(packet)
    return moved


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    return path


def _readable(path: Path) -> list[tuple[Fraction, int]]:
    """Return the times and numbers of all frames up to where FFmpeg gives up."""
    written: list[tuple[Fraction, int]] = []
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        for frame in container.decode(video=0):
            time = (frame.pts or 0) * (frame.time_base or Fraction(0))
            written.append((time, number_of(frame.to_ndarray(format="bgr24"))))
    return written


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.webm", "clip.avi"])
@pytest.mark.parametrize("track", [True, False], ids=["sound", "silent"])
def test_a_cut_off_video_is_explained_as_far_as_it_goes(
    tmp_path: Path, name: str, track: bool
) -> None:
    codec = {"clip.webm": "libvpx", "clip.avi": "mpeg4"}.get(name, "libx264")
    tone = {"clip.webm": "libopus", "clip.avi": "mp3"}.get(name, "aac")
    noise = np.random.default_rng(0).integers(-20, 20, (75, 120, 160, 1))
    images = [np.asarray((shade(n) + noise[n]).clip(0, 255), np.uint8) for n in range(len(noise))]
    source = write_clip(tmp_path / name, images, codec=codec, sound=[tone] if track else [])
    if name == "clip.mp4":
        source = _with_index_in_front(source)
    _cut(source, 0.4 if name == "clip.avi" else 0.6)
    readable = _readable(source)
    assert 10 < len(readable) < 75
    target = tmp_path / "out.mp4"

    with pytest.raises(CaptureError, match=r"stops after \d\.\d( of 3\.\d)? seconds") as caught:
        run(source, target)

    assert "\n" not in str(caught.value)
    written = frames(target)
    assert [number_of(image) for _, image in written] == [number for _, number in readable]
    assert [time for time, _ in written] == [time for time, _ in readable]
    if track:
        assert sound(target)[-1].time > readable[-1][0] / 2


def test_a_complete_video_is_not_reported_as_cut_off(tmp_path: Path) -> None:
    for name, codec, tone in (
        ("a.mp4", "libx264", "aac"),
        ("a.mkv", "libx264", "flac"),
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mpeg4", "mp3"),
        ("a.ts", "libx264", "aac"),
        ("a.mov", "mpeg4", "alac"),
    ):
        for span in ((0, 400), (0, 1600), (800, 3000)):
            source = _clip(tmp_path / name, 40, codec=codec, sound=[tone], sound_span=span)
            run(source, tmp_path / "out.mkv", overwrite=True)
    still = write_clip(tmp_path / "talk.mkv", [shade(n) for n in range(3)], [0, 9000, 9040])
    run(still, tmp_path / "out.mkv", overwrite=True)


def test_a_video_without_a_declared_end_is_not_reported_as_cut_off(tmp_path: Path) -> None:
    # Browsers and crashed programs leave such files.
    source = tmp_path / "live.webm"
    with av.open(str(source), "w", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height = 160, 120
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(shade(number), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    run(source, tmp_path / "out.mp4")

    assert len(times(tmp_path / "out.mp4")) == 12


def test_broken_frames_are_counted_and_the_others_explained(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mkv", 12, codec="mjpeg", pixels="yuvj420p", sound=["flac"])
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(source.read_bytes())
    for place, size in packets[4:6]:
        assert place is not None
        data[place + 12 : place + size] = bytes(size - 12)
    source.write_bytes(data)
    target = tmp_path / "out.mp4"

    with pytest.raises(CaptureError, match="2 frames could not be decoded; all others"):
        run(source, target)

    written = frames(target)
    assert [number_of(image) for _, image in written] == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert written[4][0] == Fraction(6, 25)
    assert [p.data for p in sound(target)] == [p.data for p in sound(source)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": Fraction(5)}, r"ends after 3\.0 seconds, before `start=5`; give"),
        ({"start": Fraction(50)}, r"ends after 3\.0 seconds, before `start=50`; give"),
        ({"start": Fraction(2), "end": Fraction(1)}, "`end=1` is not after `start=2`"),
        ({"end": Fraction(0)}, "`end=0` is not after `start=0`"),
        ({"start": Fraction("1.001"), "end": Fraction("1.03")}, "no frame between"),
        ({"target_classes": ("unicorn",)}, "unicorn"),
    ],
)
def test_impossible_settings_are_rejected(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    source = _clip(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match=message):
        run(source, tmp_path / "out.mp4", **settings)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", ["out.avi", "out.webm", "out", "out.gif"])
def test_an_unsuitable_output_ending_is_rejected(tmp_path: Path, name: str) -> None:
    source = _clip(tmp_path / "clip.mp4", 3)
    with pytest.raises(UsageError, match=r"must end in \.mp4, \.mov, \.mkv\."):
        run(source, tmp_path / name)


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mp4", 3)
    link = tmp_path / "link.mp4"
    link.symlink_to(source)
    whole = source.read_bytes()
    for target in (source, link):
        with pytest.raises(UsageError, match="is the input video itself"):
            run(source, target, overwrite=True)
    assert source.read_bytes() == whole


def test_an_existing_file_is_overwritten_only_on_request(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mp4", 3)
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious" * 10_000)
    with pytest.raises(UsageError, match="already exists; give `overwrite`"):
        run(source, target)
    with pytest.raises(UsageError, match="unicorn"):
        run(source, target, overwrite=True, target_classes=("unicorn",))
    assert target.read_bytes() == b"precious" * 10_000

    run(source, target, overwrite=True)

    assert len(times(target)) == 3


def _text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 50)


def _song(path: Path) -> None:
    """Write a song with a cover image, which FFmpeg presents as a video stream."""
    with av.open(str(path), "w", format="mp3") as container:
        track = container.add_stream("mp3", rate=48000)
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(shade(0, 64, 48), format="bgr24")
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
        silence = av.AudioFrame(format="s16p", layout="stereo", samples=1152)
        silence.sample_rate = 48000
        for _ in range(20):
            container.mux(track.encode(silence))
        container.mux(track.encode(None))


def _empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    ("make", "message"),
    [(_text, "not a video"), (_empty, "not a video"), (_song, "no video in clip.mp4")],
)
def test_a_file_that_is_no_video_is_rejected(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match=message) as caught:
        run(tmp_path / "clip.mp4", tmp_path / "out.mp4")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_full_disk_is_reported_and_the_part_written_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    source = _clip(tmp_path / "clip.mp4", 250, sound=["aac"])
    target = tmp_path / f"out{ending}"
    monkeypatch.setattr(io, "FileIO", SmallDisk)
    monkeypatch.setattr(SmallDisk, "room", 30_000)

    with pytest.raises(RecordingError, match="the disk is full; free some space"):
        run(source, target)

    assert target.stat().st_size <= 30_000
    written = [number_of(image) for _, image in frames(target)]
    assert len(written) > 10
    assert written == [n % 18 for n in range(len(written))]
    assert sound(target)


def test_an_image_is_a_video_of_one_frame(tmp_path: Path) -> None:
    image = tmp_path / "photo.png"
    image.write_bytes(cv2.imencode(".png", shade(0))[1].tobytes())
    run(image, tmp_path / "out.mp4")
    assert len(times(tmp_path / "out.mp4")) == 1

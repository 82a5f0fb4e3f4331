"""The new video has every frame once, at its time, with its own explanation."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from live_cam.explain.batch import BatchExplainer
from live_cam.frame import Frame
from live_cam.look import Look
from live_cam.overlay import Overlay
from live_cam.overlay.status import Status
from live_cam.question import Question
from live_cam.runtime.opencv import cv2
from live_cam.settings import NetworkSettings
from tests.support.clips import (
    SHADES,
    UNEVEN,
    frames,
    number_of,
    shade,
    sound,
    times,
    write_clip,
)
from tests.support.media import write_video as write_rotated
from tests.support.running_videos import run

SOURCES = [
    ("clip.mp4", "libx264", "aac"),
    ("clip.mov", "mpeg4", "alac"),
    ("clip.mkv", "libx264", "flac"),
    ("clip.webm", "libvpx", "libopus"),
]


def _clip(path: Path, count: int = 12, **options: object) -> Path:
    return write_clip(path, [shade(number) for number in range(count)], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "codec", "track"), SOURCES, ids=[each[0] for each in SOURCES])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_frames_keep_their_uneven_times_and_the_sound_is_copied(
    tmp_path: Path, name: str, codec: str, track: str, ending: str
) -> None:
    source = _clip(tmp_path / name, times=UNEVEN, codec=codec, sound=[track])
    target = tmp_path / f"out{ending}"

    pipeline, observer = run(source, target, batch=5)

    written = frames(target)
    assert [number_of(image) for _, image in written] == list(range(12))
    assert [time for time, _ in written] == times(source)
    assert [packet.data for packet in sound(target)] == [packet.data for packet in sound(source)]
    for copied, packet in zip(sound(target), sound(source), strict=True):
        assert copied.time == pytest.approx(packet.time, abs=1e-3)
    assert pipeline.written == 12
    assert observer.frames == [5, 10, 12]
    assert observer.seconds > written[-1][0]


@pytest.mark.parametrize("time_base", [Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 25)])
@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_times_are_not_rounded(tmp_path: Path, ending: str, time_base: Fraction) -> None:
    step = 1 if time_base.numerator > 1 or time_base.denominator == 25 else 3003
    source = tmp_path / "clip.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.time_base = time_base
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(shade(number), format="bgr24")
            frame.pts, frame.time_base = number * step, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    target = tmp_path / f"out{ending}"

    run(source, target)

    assert times(source) == [number * step * time_base for number in range(12)]
    assert times(target) == times(source)
    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert after.duration == pytest.approx(before.duration, abs=1000)


def test_the_batch_size_does_not_change_the_video(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mp4", times=UNEVEN, sound=["aac"])
    outputs = []
    for batch in (1, 4, 30):
        target = tmp_path / f"{batch}.mp4"
        run(source, target, batch=batch, alpha=0.5)
        outputs.append(frames(target))

    for one, other in pairwise(outputs):
        assert [time for time, _ in one] == [time for time, _ in other]
        for (_, image), (_, same) in zip(one, other, strict=True):
            assert np.array_equal(image, same)


def test_each_frame_has_its_own_explanation(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", [shade(n, 320, 240) for n in range(14)])
    target = tmp_path / "out.mp4"
    run(source, target, batch=4)

    overlay, status = Overlay(), Status(look=Look(alpha=0.0))
    images = [image for _, image in frames(source)]
    with BatchExplainer(NetworkSettings(), print, batch=1) as explainer:
        explainer.load()
        explanations = explainer.explain(images, Question())
    labels = [explanation.label for explanation in explanations]
    assert labels == [f"number {number}" for number in range(14)]
    for number, (_, image) in enumerate(frames(target)):
        distances = []
        for other in range(14):
            drawn = overlay.draw(Frame(images[number], 0, 0.0), explanations[other], status).image
            difference = np.abs(drawn[:100, :200].astype(float) - image[:100, :200])
            distances.append(difference.mean())
        assert int(np.argmin(distances)) == number


@pytest.mark.parametrize(
    ("rotation", "corner"), [(90, (0.25, 0.75)), (180, (0.75, 0.75)), (-90, (0.75, 0.25))]
)
def test_a_rotated_video_is_rotated_once(
    tmp_path: Path, rotation: int, corner: tuple[float, float]
) -> None:
    image = np.full((120, 160, 3), 90, np.uint8)
    image[:60, :80] = (0, 0, 255)
    source = write_rotated(tmp_path / "phone.mp4", [image] * 3, rotation=rotation)
    target = tmp_path / "out.mp4"

    run(source, target, bars=False, theme="none")

    with av.open(str(target)) as container:
        (first, *_) = container.decode(video=0)
        assert first.rotation == 0
    height, width = (160, 120) if abs(rotation) == 90 else (120, 160)
    red = [
        (x, y)
        for x in (0.25, 0.75)
        for y in (0.25, 0.75)
        if frames(target)[0][1][int(y * height) + 15, int(x * width), 2] > 200
    ]
    assert frames(target)[0][1].shape == (height, width, 3)
    assert red == [corner]


def test_the_pixel_aspect_is_kept(tmp_path: Path) -> None:
    source = _clip(tmp_path / "tv.mkv", pixel_aspect=Fraction(16, 11))
    run(source, tmp_path / "out.mp4")
    run(source, tmp_path / "out.mkv")

    for target in (tmp_path / "out.mp4", tmp_path / "out.mkv"):
        with av.open(str(target)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)


@pytest.mark.parametrize("size", [(321, 241), (17, 33)])
def test_odd_sizes_are_padded_to_even(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    images = [shade(number, width, height) for number in range(4)]
    source = write_clip(tmp_path / "odd.mkv", images, codec="ffv1", pixels="bgr0")
    target = tmp_path / "out.mp4"

    run(source, target)

    written = frames(target)
    assert [image.shape for _, image in written] == [(height + 1, width + 1, 3)] * 4
    assert [number_of(image) for _, image in written] == [0, 1, 2, 3]
    assert np.abs(written[0][1][-3:].astype(int) - SHADES[0]).max() < 20


def test_a_change_of_size_loses_no_frame(tmp_path: Path) -> None:
    source = tmp_path / "camera.mjpeg"
    sizes = [(160, 120)] * 3 + [(80, 120)] * 3
    jpegs = [cv2.imencode(".jpg", shade(n, *size))[1] for n, size in enumerate(sizes)]
    source.write_bytes(b"".join(jpeg.tobytes() for jpeg in jpegs))
    target = tmp_path / "out.mp4"

    run(source, target)

    written = frames(target)
    assert [image.shape for _, image in written] == [(120, 160, 3)] * 6
    assert times(target) == [Fraction(number, 25) for number in range(6)]


def test_frames_without_times_follow_the_streams_rate(tmp_path: Path) -> None:
    source = _clip(tmp_path / "bare.h264")

    run(source, tmp_path / "out.mp4")

    written = frames(tmp_path / "out.mp4")
    assert [number_of(image) for _, image in written] == list(range(12))
    assert [time for time, _ in written] == [Fraction(number, 25) for number in range(12)]


def test_a_gif_is_read_as_a_video(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.gif", codec="gif", pixels="rgb8", time_base=Fraction(1, 100))

    run(source, tmp_path / "out.mp4")

    assert times(tmp_path / "out.mp4") == times(source)
    assert len(times(source)) == 12


def test_frames_with_equal_times_are_all_kept_in_order(tmp_path: Path) -> None:
    source = tmp_path / "clip.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuvj420p"
        packets = []
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(shade(number), format="bgr24")
            frame.pts = number
            packets += stream.encode(frame)
        for packet, time in zip(packets, (0, 1, 1, 1, 2, 3), strict=True):
            packet.pts = packet.dts = time
            container.mux(packet)
    assert times(source) == [Fraction(time, 25) for time in (0, 1, 1, 1, 2, 3)]

    run(source, tmp_path / "out.mp4")

    written = frames(tmp_path / "out.mp4")
    assert [number_of(image) for _, image in written] == list(range(6))
    plain = (0, 1, 1, 1, 2, 3)
    late = [time - Fraction(each, 25) for (time, _), each in zip(written, plain, strict=True)]
    assert late == [0, 0, Fraction(1, 1000), Fraction(2, 1000), 0, 0]

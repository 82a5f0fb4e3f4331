"""Sound is copied unchanged and stays in step with its frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from live_cam.errors import UsageError
from tests.support.clips import UNEVEN, frames, number_of, shade, sound, times, write_clip
from tests.support.running_videos import run

LONG = 75
"""Frames: three seconds."""


def _clip(path: Path, count: int = LONG, **options: Any) -> Path:
    return write_clip(path, [shade(number) for number in range(count)], **options)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_frames_and_sound_of_an_excerpt_stay_in_step(tmp_path: Path, ending: str) -> None:
    source = _clip(tmp_path / "clip.mp4", sound=["aac"], key_every=20)
    target = tmp_path / f"out{ending}"

    run(source, target, start=Fraction(1), end=Fraction(2))

    written = frames(target)
    assert [number_of(image) for _, image in written] == [n % 18 for n in range(25, 50)]
    assert [time for time, _ in written] == [Fraction(n, 25) for n in range(25)]
    # Every packet of sound is exactly one second earlier than in the source.
    before = {packet.data: packet.time for packet in sound(source)}
    copied = sound(target)
    for packet in copied:
        assert before[packet.data] - packet.time == pytest.approx(1, abs=1e-3)
    assert -0.03 < copied[0].time <= 0
    assert 0.95 < copied[-1].time < 1


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (Fraction("0.075"), Fraction("0.241"), [2, 3, 4]),
        (Fraction("0.0751"), None, list(range(3, 12))),
        (None, Fraction("1.1"), list(range(7))),
        (Fraction("1.2"), Fraction("1.6"), [10]),
        (Fraction(0), Fraction(100), list(range(12))),
    ],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_start_and_end_are_exact(
    tmp_path: Path, name: str, start: Fraction | None, end: Fraction | None, expected: list[int]
) -> None:
    images = [shade(number) for number in range(12)]
    source = write_clip(tmp_path / name, images, UNEVEN)
    target = tmp_path / "out.mp4"

    run(source, target, start=start, end=end)

    written = frames(target)
    assert [number_of(image) for _, image in written] == expected
    first = 0 if start is None else UNEVEN[expected[0]]
    assert [time * 1000 for time, _ in written] == [UNEVEN[n] - first for n in expected]


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.ts", "long.avi", "long.webm"])
def test_a_distant_start_is_reached_by_seeking(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = {"long.webm": "libvpx", "long.avi": "mpeg4"}.get(name, "libx264")
    count = 500
    source = write_clip(
        tmp_path / name, [shade(n, 64, 48) for n in range(count)], codec=codec, key_every=50
    )
    converted: list[av.VideoFrame] = []

    class Counting:
        def __init__(self) -> None:
            self._reformatter = VideoReformatter()

        def reformat(self, frame: av.VideoFrame, format: str) -> av.VideoFrame:  # noqa: A002
            converted.append(frame)
            return self._reformatter.reformat(frame, format=format)

    monkeypatch.setattr("live_cam.capture.decoder.VideoReformatter", Counting)
    target = tmp_path / "out.mp4"

    run(source, target, start=Fraction(16), end=Fraction("16.4"))

    written = frames(target)
    assert [number_of(image) for _, image in written] == [n % 18 for n in range(400, 410)]
    assert len(converted) < 200


def test_sound_that_starts_and_ends_after_the_frames_keeps_its_times(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mkv", sound=["flac"], sound_span=(1500, 4500))
    run(source, tmp_path / "out.mp4")

    copied = sound(tmp_path / "out.mp4")
    assert [packet.data for packet in copied] == [packet.data for packet in sound(source)]
    assert copied[0].time == pytest.approx(1.5, abs=1e-3)
    assert copied[-1].time > 4.3
    assert times(tmp_path / "out.mp4") == times(source)


def test_frames_that_start_after_the_sound_keep_their_times(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "clip.mp4",
        [shade(number) for number in range(12)],
        [500 + time for time in UNEVEN],
        sound=["aac"],
        sound_span=(0, 2400),
    )
    for target in (tmp_path / "out.mp4", tmp_path / "out.mkv"):
        run(source, target)
        assert times(target) == times(source)
        assert times(target)[0] == Fraction(1, 2)
        assert sound(target)[1].time == pytest.approx(sound(source)[1].time, abs=1e-3)


def test_all_tracks_are_copied_with_their_languages(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mkv", 20, sound=["aac", "libopus", "flac"])
    run(source, tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as container:
        tracks = container.streams.audio
        assert [track.codec_context.name for track in tracks] == ["aac", "opus", "flac"]
        assert [track.language for track in tracks] == ["eng", "fra", "deu"]
    for track in range(3):
        before, after = sound(source, track), sound(tmp_path / "out.mp4", track)
        assert [packet.data for packet in after] == [packet.data for packet in before]


def test_a_broadcast_is_shifted_to_zero_and_its_sound_converted(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.ts", sound=["aac"])
    start = min(times(source)[0], sound(source)[0].time)
    assert start > 0

    for target in (tmp_path / "out.mp4", tmp_path / "out.mkv"):
        run(source, target)

        late = 0.001 if target.suffix == ".mkv" else 1e-4
        assert times(target) == pytest.approx([time - start for time in times(source)], abs=late)
        before, after = sound(source), sound(target)
        assert [packet.time for packet in after] == pytest.approx(
            [packet.time - start for packet in before], abs=late
        )
        # Each packet of a broadcast has an ADTS header of 7 bytes.
        assert [packet.data for packet in after] == [packet.data[7:] for packet in before]
        with av.open(str(target)) as container:
            tone = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        assert np.abs(tone[4096:-4096]).max() > 0.5


def test_the_new_video_is_silent_without_sound_or_on_request(tmp_path: Path) -> None:
    silent = _clip(tmp_path / "silent.mp4", 12)
    loud = _clip(tmp_path / "loud.mp4", 12, sound=["aac"])

    run(silent, tmp_path / "a.mp4")
    run(loud, tmp_path / "b.mp4", audio=False)

    for name in ("a.mp4", "b.mp4"):
        with av.open(str(tmp_path / name)) as container:
            assert not container.streams.audio
        assert times(tmp_path / name) == times(loud)


def test_a_track_without_sound_in_the_excerpt_is_dropped(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mp4", sound=["aac"], sound_span=(0, 800))

    run(source, tmp_path / "out.mp4", start=Fraction(2))

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
    assert len(times(tmp_path / "out.mp4")) == 25


def test_an_unsuitable_audio_codec_is_rejected_before_writing(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.mkv", 12, sound=["tta"])
    target = tmp_path / "out.mp4"

    with pytest.raises(
        UsageError, match=r"\(tta\).*out\.mp4; write to \.mkv.*`audio=False`"
    ) as caught:
        run(source, target)
    assert "\n" not in str(caught.value)
    assert not target.exists()

    run(source, target, audio=False)
    run(source, tmp_path / "out.mkv")
    assert [p.data for p in sound(tmp_path / "out.mkv")] == [p.data for p in sound(source)]


def test_no_other_ending_is_advised_for_a_codec_that_fits_none(tmp_path: Path) -> None:
    source = _clip(tmp_path / "clip.asf", 12, codec="mpeg4", sound=["wmav2"])

    with pytest.raises(UsageError, match=r"\(wmav2\).*out\.mkv; leave it out with `audio=False`\."):
        run(source, tmp_path / "out.mkv")

    run(source, tmp_path / "out.mkv", audio=False)
    assert len(times(tmp_path / "out.mkv")) == 12

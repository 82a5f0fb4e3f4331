from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from live_cam.errors import RecordingError, UsageError
from live_cam.record import encoders, output_file, recorder
from live_cam.record.destinations import create_free, free_path
from live_cam.record.encoders import available_encoders
from live_cam.record.formats import FORMATS
from live_cam.record.recorder import Recorder
from live_cam.record.video import VideoFile, fit
from live_cam.settings import VIDEO_ENDINGS
from tests.support.disks import SmallDisk

if TYPE_CHECKING:
    from numpy.typing import NDArray

TICK = {".mp4": 1e-4, ".mov": 1e-4, ".mkv": 1e-3, ".avi": 1 / 120}
"""Tolerance of a timestamp in seconds."""

COLOURS = {
    "red": (0, 0, 255),
    "green": (0, 255, 0),
    "blue": (255, 0, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "orange": (0, 128, 255),
}
PATCH = 64

needs_ffprobe = pytest.mark.skipif(
    not (shutil.which("ffprobe") and shutil.which("ffmpeg")), reason="ffmpeg is not installed"
)
each_ending = pytest.mark.parametrize("ending", VIDEO_ENDINGS)


def drawn(value: int = 0, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """An image that its brightness and the position of its bar identify."""
    result = np.full((height, width, 3), 40 + value % 160, np.uint8)
    result[:, value % width] = 255
    return result


def irregular(count: int, origin: float = 1234.5) -> list[float]:
    steps = [*np.random.default_rng(7).uniform(0.01, 0.12, count - 1), 0.3]
    return [origin + float(time) for time in np.cumsum(steps)]


def record(path: Path, timestamps: list[float], **options: Any) -> Recorder:
    with Recorder(path, wait=True, **options) as result:
        for index, timestamp in enumerate(timestamps):
            result.write(drawn(index), timestamp)
    return result


def decode(path: Path) -> list[tuple[float, NDArray[Any]]]:
    """The images of a video with their timestamps in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(0)
        # AVI has no presentation times; PyAV derives them from the next packet.
        return [
            (float((frame.dts or 0) * base), frame.to_ndarray(format="bgr24"))
            for frame in container.decode(stream)
        ]


def ffprobe(path: Path, entries: str) -> Any:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries, str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


# ---- time --------------------------------------------------------------------------------------


@each_ending
def test_plays_at_real_speed_at_any_frame_rate(tmp_path: Path, ending: str) -> None:
    timestamps = irregular(60)
    result = record(tmp_path / f"out{ending}", timestamps)

    decoded = decode(result.path)

    expected = [timestamp - timestamps[0] for timestamp in timestamps]
    assert [time for time, _ in decoded] == pytest.approx(expected, abs=TICK[ending])
    for index, (_, image) in enumerate(decoded):
        assert image[5, (index + 32) % 64, 0] == pytest.approx(40 + index, abs=12)
    assert result.frames == 60
    assert result.dropped == 0
    last = timestamps[-1] - timestamps[-2]
    assert result.seconds == pytest.approx(expected[-1] + last, abs=2 * TICK[ending])


@needs_ffprobe
@each_ending
def test_other_programs_read_the_same_timestamps(tmp_path: Path, ending: str) -> None:
    timestamps = irregular(60)
    path = record(tmp_path / f"out{ending}", timestamps).path

    found = ffprobe(path, "frame=best_effort_timestamp_time:format=duration")

    times = [float(frame["best_effort_timestamp_time"]) for frame in found["frames"]]
    expected = [timestamp - timestamps[0] for timestamp in timestamps]
    assert times == pytest.approx(expected, abs=TICK[ending])
    whole = expected[-1] + timestamps[-1] - timestamps[-2]
    assert float(found["format"]["duration"]) == pytest.approx(whole, abs=0.005 + TICK[ending])


@each_ending
def test_an_image_without_a_later_timestamp_is_ignored(tmp_path: Path, ending: str) -> None:
    result = record(tmp_path / f"out{ending}", [5.0, 5.0, 5.1, 5.05, 4.0, 5.1, 5.2])

    assert [time for time, _ in decode(result.path)] == pytest.approx(
        [0, 0.1, 0.2], abs=TICK[ending]
    )
    assert result.frames == 3
    assert result.dropped == 0


@each_ending
def test_a_pause_of_an_hour_is_kept(tmp_path: Path, ending: str) -> None:
    path = record(tmp_path / f"out{ending}", [0.0, 0.1, 3600.1, 3600.2]).path

    times = [time for time, _ in decode(path)]

    assert times == pytest.approx([0, 0.1, 3600.1, 3600.2], abs=TICK[ending])


@each_ending
def test_a_single_image_makes_a_video(tmp_path: Path, ending: str) -> None:
    result = record(tmp_path / f"out{ending}", [99.0])

    assert len(decode(result.path)) == 1
    assert 0.02 < result.seconds < 0.05


# ---- crashes -----------------------------------------------------------------------------------

_ABANDONED = """
import sys, time
from pathlib import Path
import numpy as np
from live_cam.record.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]), wait=True)
for index in range(145):
    recorder.write(np.full((48, 64, 3), index, np.uint8), 10 + index / 30)
"""
_KILLED = (
    _ABANDONED
    + """
while recorder.frames < 145:
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(60)
"""
)
_FAILED = _ABANDONED + "raise SystemError('a bug')\n"


@each_ending
def test_survives_a_kill_up_to_its_last_second(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    command = [sys.executable, "-c", _KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.kill()

    decoded = decode(path)

    times = [time for time, _ in decoded]
    assert times == pytest.approx([n / 30 for n in range(len(times))], abs=TICK[ending])
    assert times[-1] >= 144 / 30 - 0.6
    for index, (_, image) in enumerate(decoded):
        assert image.mean() == pytest.approx(index, abs=4)


@pytest.mark.parametrize("script", [_ABANDONED, _FAILED], ids=["end", "exception"])
@each_ending
def test_an_unclosed_recording_is_finished_at_exit(
    tmp_path: Path, ending: str, script: str
) -> None:
    path = tmp_path / f"out{ending}"
    command = [sys.executable, "-c", script, str(path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ("a bug" in done.stderr) == (done.returncode != 0) == (script is _FAILED)
    assert len(decode(path)) == 145
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(145 / 30 * 1e6, rel=0.01)


def test_a_finished_mp4_has_one_ordinary_index(tmp_path: Path) -> None:
    path = record(tmp_path / "out.mp4", [index / 30 for index in range(90)]).path

    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 90


def test_a_keyframe_each_second_lets_players_seek(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with Recorder(path, wait=True) as result:
        for index in range(90):
            result.write(drawn(), index / 20)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [
            float((packet.pts or 0) * packet.time_base)
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.size
        ]

    assert times == pytest.approx([0, 1, 2, 3, 4], abs=0.001)


# ---- images ----------------------------------------------------------------------------------


@each_ending
@pytest.mark.parametrize(("width", "height"), [(65, 49), (64, 49), (321, 18), (1, 1), (3, 200)])
def test_odd_sizes_are_not_cropped(tmp_path: Path, ending: str, width: int, height: int) -> None:
    path = tmp_path / f"out{ending}"
    image = np.full((height, width, 3), 60, np.uint8)
    image[-1], image[:, -1] = 200, 200
    with Recorder(path) as result:
        result.write(image, 0.0)

    [(_, decoded)] = decode(path)

    assert all(side % 2 == 0 and side >= 16 for side in decoded.shape[:2])
    assert decoded.shape[0] - height in {0, 1} or height < 16
    assert decoded.shape[1] - width in {0, 1} or width < 16
    difference = np.abs(decoded[:height, :width].astype(int) - image)
    assert difference.mean() < 6
    assert decoded[height - 1 :, width - 1 :].min() > 180


def test_an_image_of_another_size_is_fitted_into_the_first_size(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with Recorder(path) as result:
        result.write(np.full((120, 160, 3), 200, np.uint8), 0.0)
        result.write(np.full((120, 80, 3), 200, np.uint8), 0.1)
        result.write(np.full((33, 320, 3), 200, np.uint8), 0.2)
        result.write(np.full((60, 80, 3), 200, np.uint8), 0.3)

    same, tall, wide, small = (image for _, image in decode(path))

    for image in (same, small):
        assert image.shape == (120, 160, 3)
        assert image.min() > 190
    assert tall[:, 44:116].min() > 190
    assert tall[:, :36].max() < 10
    assert tall[:, 124:].max() < 10
    assert wide[56:64].min() > 190
    assert wide[:48].max() < 10
    assert wide[72:].max() < 10


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (2, 2), (1080, 1920)])
def test_every_size_fits(size: tuple[int, int]) -> None:
    assert fit(np.full((*size, 3), 9, np.uint8), 640, 480).shape == (480, 640, 3)


def test_the_caller_may_reuse_its_image(tmp_path: Path) -> None:
    image = np.empty((48, 64, 3), np.uint8)
    with Recorder(tmp_path / "out.mp4", wait=True) as result:
        for value in range(0, 250, 10):
            image[:] = value
            result.write(image, value / 100)
        image[:] = 0

    means = [decoded.mean() for _, decoded in decode(result.path)]

    assert means == pytest.approx(list(range(0, 250, 10)), abs=5)


def test_array_views_are_recorded_correctly(tmp_path: Path) -> None:
    image = np.zeros((48, 128, 3), np.uint8)
    image[:, :32] = (0, 0, 255)
    with Recorder(tmp_path / "out.mp4") as result:
        result.write(image[::-1, ::-2], 0.0)

    [(_, decoded)] = decode(result.path)

    assert decoded.shape == (48, 64, 3)
    assert decoded[:, 52:, 2].min() > 230
    assert decoded[:, :44].max() < 15


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.zeros((4, 4, 3)), TypeError, "uint8, got float64"),
        ([[1]], TypeError, "uint8, got list"),
        (np.zeros((4, 4), np.uint8), ValueError, r"\(height, width, 3\), got \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, r"got \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"got \(0, 4, 3\)"),
    ],
)
def test_wrong_images_are_rejected(
    tmp_path: Path, wrong: Any, error: type[Exception], message: str
) -> None:
    path = tmp_path / "out.mp4"
    with Recorder(path) as result, pytest.raises(error, match=message):
        result.write(wrong, 0.0)
    assert not path.exists()


def test_wrong_timestamps_are_rejected(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4") as result, pytest.raises(ValueError, match="finite"):
        result.write(drawn(), float("nan"))


# ---- colours -----------------------------------------------------------------------------------


def _patches() -> NDArray[np.uint8]:
    row = np.repeat(np.array([list(COLOURS.values())], np.uint8), PATCH, axis=1)
    return np.repeat(row, 96, axis=0)


def _assert_colours(image: NDArray[Any]) -> None:
    for index, (name, colour) in enumerate(COLOURS.items()):
        inner = image[20:76, index * PATCH + 12 : (index + 1) * PATCH - 12].reshape(-1, 3)
        assert inner.mean(axis=0) == pytest.approx(colour, abs=6), name


@pytest.fixture
def colours(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"out{request.param}"
    with Recorder(path) as result:
        for index in range(3):
            result.write(_patches(), index / 10)
    return path


@pytest.mark.parametrize("colours", VIDEO_ENDINGS, indirect=True)
def test_colours_play_correctly(colours: Path) -> None:
    for _, image in decode(colours):
        _assert_colours(image)


@needs_ffprobe
@pytest.mark.parametrize("colours", VIDEO_ENDINGS, indirect=True)
def test_colours_play_correctly_in_other_programs(colours: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-i", str(colours), "-f", "rawvideo"]
    raw = subprocess.run([*command, "-pix_fmt", "bgr24", "-"], capture_output=True, check=True)
    _assert_colours(np.frombuffer(raw.stdout, np.uint8).reshape(-1, *_patches().shape)[-1])

    entries = "color_range,color_space,color_transfer,color_primaries,pix_fmt,codec_name"
    [stream] = ffprobe(colours, f"stream={entries}")["streams"]
    assert stream == {
        "codec_name": "h264",
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "color_space": "bt709",
        "color_transfer": "bt709",
        "color_primaries": "bt709",
    }


# ---- files -------------------------------------------------------------------------------------


def test_every_ending_of_the_settings_has_a_format() -> None:
    assert tuple(FORMATS) == VIDEO_ENDINGS


@pytest.mark.parametrize("name", ["out.webm", "out", "mp4", ".mp4"])
def test_an_unknown_ending_is_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.mp4, \.mov, \.mkv, \.avi"):
        Recorder(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_ending_may_be_upper_case(tmp_path: Path) -> None:
    assert len(decode(record(tmp_path / "OUT.MP4", [0.0, 0.1]).path)) == 2


def test_an_existing_file_is_rejected_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(UsageError, match="already exists; give `overwrite`"):
        Recorder(path)
    assert path.read_bytes() == b"precious"


def test_a_file_that_appears_after_the_check_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_too_early(path: Path, *, overwrite: bool) -> None:
        assert not overwrite
        path.write_bytes(b"new")

    monkeypatch.setattr(output_file, "check_output", check_too_early)
    with pytest.raises(UsageError, match="File exists"):
        Recorder(tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"new"


def test_with_overwrite_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old" * 100_000)
    record(path, [0.0, 0.1], overwrite=True)
    assert len(decode(path)) == 2
    assert path.stat().st_size < 100_000


def test_with_overwrite_the_old_file_is_kept_until_the_first_image(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    with Recorder(path, overwrite=True):
        pass
    assert path.read_bytes() == b"precious"


def test_a_recording_without_images_leaves_no_file(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4") as result:
        assert result.path.exists()  # so that no other program takes the name
    assert not list(tmp_path.iterdir())
    assert (result.frames, result.seconds, result.codec) == (0, 0.0, None)


def test_a_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere; create it first"):
        Recorder(tmp_path / "nowhere" / "out.mp4")


def test_a_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(UsageError, match="it is a folder"):
        Recorder(tmp_path / "out.mp4", overwrite=True)


def test_a_folder_without_permission_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(name: str, *_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", name)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", deny)
        with pytest.raises(UsageError, match="Permission denied; choose a folder"):
            Recorder(tmp_path / "out.mp4")


def test_a_name_that_the_disk_rejects_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose another place or name"):
        Recorder(tmp_path / f"{'x' * 5000}.mp4")


def test_simultaneous_recordings_get_separate_names(tmp_path: Path) -> None:
    wanted = tmp_path / "out.mp4"
    begin = threading.Barrier(6)

    def record_one(value: int) -> Recorder:
        begin.wait()
        with create_free(wanted, Recorder) as result:
            result.write(drawn(value), 0.0)
        return result

    with ThreadPoolExecutor(6) as pool:
        recorders = list(pool.map(record_one, range(0, 60, 10)))

    assert len({result.path for result in recorders}) == 6
    for value, result in zip(range(0, 60, 10), recorders, strict=True):
        [(_, image)] = decode(result.path)
        assert image[5, (value + 32) % 64, 0] == pytest.approx(40 + value, abs=6)


def test_free_path_counts_from_two(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    assert free_path(path) == path
    path.touch()
    assert free_path(path) == tmp_path / "out-2.mp4"
    (tmp_path / "out-2.mp4").touch()
    assert free_path(path) == tmp_path / "out-3.mp4"


# ---- failures ----------------------------------------------------------------------------------


def _fill(path: Path, **options: Any) -> tuple[str, Recorder]:
    """Record noise until it fails; return the error's text and the recorder."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    result = Recorder(path, wait=True, **options)
    with pytest.raises(RecordingError) as raised:  # noqa: PT012
        for index in range(10_000):
            result.write(np.roll(noise, index, axis=1), index / 30)
    return str(raised.value), result


@each_ending
def test_a_full_disk_is_reported_and_the_recording_so_far_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(io, "FileIO", SmallDisk)
    monkeypatch.setattr(SmallDisk, "room", 200_000)
    path = tmp_path / f"out{ending}"

    message, result = _fill(path)
    result.close()  # raised once

    match = re.fullmatch(
        rf"cannot continue writing {path} \(the first (\d\.\d) s play\): the disk is full; "
        r"free some space or choose another disk\.",
        message,
    )
    assert match
    assert path.stat().st_size <= 200_000
    decoded = decode(path)
    assert decoded[-1][0] + 0.1 > float(match[1]) > 0.5
    assert decoded[-1][0] >= result.frames / 30 - 1.1


def test_a_disk_without_room_for_a_header_keeps_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "FileIO", SmallDisk)
    monkeypatch.setattr(SmallDisk, "room", 100)
    message, result = _fill(tmp_path / "out.mp4")
    result.close()
    assert "the disk is full" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.symlink_to("/dev/full")
    message, result = _fill(path, overwrite=True)
    assert "the disk is full" in message
    assert result.frames == 0
    result.close()


@each_ending
def test_a_really_full_disk(small_disk: Path, ending: str) -> None:
    path = small_disk / f"out{ending}"
    message, result = _fill(path)
    result.close()
    assert "the disk is full" in message
    assert len(decode(path)) > 5


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Copies of what is safely on the disk after each sync."""
    copies: list[Path] = []

    def copy(descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        copies.append(tmp_path / f"kept-{len(copies)}")
        copies[-1].write_bytes(os.pread(descriptor, size, 0))

    monkeypatch.setattr(os, "fdatasync", copy)
    monkeypatch.setattr(output_file, "_SYNC_SECONDS", 0.05)
    return copies


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="this system has no fdatasync")
@each_ending
def test_the_synced_part_plays_after_a_power_failure(
    tmp_path: Path, kept: list[Path], ending: str
) -> None:
    with Recorder(tmp_path / f"out{ending}", wait=True) as result:
        for index in range(60):
            result.write(drawn(index), index / 30)
            while result.frames <= index:
                time.sleep(0.001)
        before = len(kept)
        limit = time.monotonic() + 30
        while len(kept) == before and time.monotonic() < limit:
            result.write(drawn(60), 2 + before)  # something to sync
            time.sleep(0.01)

    assert len(decode(kept[before])) >= 60 - 0.6 * 30, "except the last fragment"
    assert len(decode(kept[-1])) == result.frames
    assert kept[-1].read_bytes() == result.path.read_bytes(), "everything after closing"
    if ending == ".mp4":
        # The index is on the disk before the header that points to it.
        unfinished = kept[-2].read_bytes()
        assert b"moof" in unfinished
        assert len(unfinished) == result.path.stat().st_size
        assert len(decode(kept[-2])) >= result.frames - 1


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="this system has no fdatasync")
def test_a_failed_sync_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    result = Recorder(tmp_path / "out.mp4")
    result.write(drawn(), 0.0)
    with pytest.raises(RecordingError, match="Input/output error; check the disk"):
        result.close()


@pytest.mark.skipif(os.name == "nt", reason="on Windows an open file cannot be removed")
def test_a_vanished_folder_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    result = Recorder(folder / "out.mp4", wait=True)
    result.write(drawn(), 0.0)
    shutil.rmtree(folder)
    result.write(drawn(1), 0.1)
    with pytest.raises(RecordingError, match="the file or its folder was removed"):
        result.close()
    result.close()


@pytest.mark.skipif(os.name == "nt", reason="on Windows an open file cannot be renamed")
def test_a_file_may_be_renamed_during_recording(tmp_path: Path) -> None:
    with Recorder(tmp_path / "out.mp4", wait=True) as result:
        for index in range(60):
            result.write(drawn(index), index / 30)
            if index == 30:
                result.path.rename(tmp_path / "new.mp4")
    assert len(decode(tmp_path / "new.mp4")) == 60


@pytest.fixture
def broken_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that fails at its fifth image."""
    add = VideoFile.add

    def fail(self: VideoFile, image: NDArray[np.uint8], ticks: int, *rest: int) -> None:
        if self.frames == 4:
            raise av.error.ExternalError(1, "Generic error in an external library")
        add(self, image, ticks, *rest)

    monkeypatch.setattr(VideoFile, "add", fail)


@pytest.mark.usefixtures("broken_encoder")
def test_write_raises_a_failure_once_and_the_file_is_finished(
    tmp_path: Path,
) -> None:
    result = Recorder(tmp_path / "out.mp4", wait=True)
    with pytest.raises(RecordingError, match="Generic error") as raised:  # noqa: PT012
        for index in range(10_000):
            result.write(drawn(index), index / 30)
    assert isinstance(raised.value.__cause__, av.FFmpegError)
    with pytest.raises(ValueError, match="has ended"):
        result.write(drawn(), 1e6)
    result.close()
    assert len(decode(result.path)) == result.frames == 4


@pytest.mark.usefixtures("broken_encoder")
def test_close_raises_a_failure_that_no_write_has_raised(tmp_path: Path) -> None:
    result = Recorder(tmp_path / "out.mp4")
    for index in range(6):
        result.write(drawn(index), index / 30)
    with pytest.raises(RecordingError, match="Generic error"):
        result.close()
    result.close()
    assert len(decode(result.path)) == 4


@pytest.mark.usefixtures("broken_encoder")
def test_a_failure_does_not_hide_an_earlier_exception(tmp_path: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(KeyError, match="the first"),
        Recorder(tmp_path / "out.mp4") as result,
    ):
        for index in range(6):
            result.write(drawn(index), index / 30)
        raise KeyError("the first")


def test_writing_after_closing_is_rejected(tmp_path: Path) -> None:
    result = record(tmp_path / "out.mp4", [0.0])
    with pytest.raises(ValueError, match="is closed"):
        result.write(drawn(), 1.0)


# ---- encoders ----------------------------------------------------------------------------------


def test_falls_back_silently_to_the_next_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    [good] = [encoder for encoder in encoders.CANDIDATES if encoder.name == "libx264"]
    unknown = encoders.Encoder("h264_of_tomorrow", {})
    wrong = encoders.Encoder("libx264", {"crf": "no number"})
    monkeypatch.setattr(encoders, "CANDIDATES", (unknown, wrong, good))

    result = record(tmp_path / "out.mp4", [0.0, 0.1])

    assert result.codec == "libx264"
    assert len(decode(result.path)) == 2
    assert available_encoders() == ("libx264",)
    assert capfd.readouterr() == ("", "")


def test_without_an_encoder_the_error_names_a_remedy_and_the_old_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = (encoders.Encoder("h264_a", {}), encoders.Encoder("h264_b", {}))
    monkeypatch.setattr(encoders, "CANDIDATES", candidates)
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")

    result = Recorder(path, overwrite=True)
    result.write(drawn(), 0.0)
    with pytest.raises(RecordingError, match=r"tried h264_a, h264_b.*pip install"):
        result.close()

    assert path.read_bytes() == b"precious"
    assert result.codec is None
    assert available_encoders() == ()


def test_the_first_working_encoder_is_used(tmp_path: Path) -> None:
    found = available_encoders()
    assert set(found) <= {encoder.name for encoder in encoders.CANDIDATES}
    with Recorder(tmp_path / "out.mp4") as result:
        result.write(drawn(width=1280, height=720), 0.0)
    assert result.codec == found[0]


# ---- waiting -----------------------------------------------------------------------------------


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An encoder that waits for an event before each image, and a queue of two."""
    opened = threading.Event()
    add = VideoFile.add

    def wait(self: VideoFile, image: NDArray[np.uint8], ticks: int, *rest: int) -> None:
        assert opened.wait(30)
        add(self, image, ticks, *rest)

    monkeypatch.setattr(VideoFile, "add", wait)
    monkeypatch.setattr(recorder, "_QUEUE_IMAGES", (2, 2))
    return opened


def test_a_slow_encoder_drops_images_but_never_blocks(
    tmp_path: Path, gate: threading.Event
) -> None:
    with Recorder(tmp_path / "out.mp4") as result:
        for index in range(50):
            result.write(drawn(index), index / 10)
        before = result.dropped
        gate.set()

    # Two are in the queue; the encoder may already have a third.
    assert before in {47, 48}
    assert result.dropped == before
    assert result.frames == 50 - before
    assert len(decode(result.path)) == result.frames


def test_a_dropped_image_does_not_change_the_other_timestamps(
    tmp_path: Path, gate: threading.Event
) -> None:
    with Recorder(tmp_path / "out.mp4") as result:
        for index in range(50):
            result.write(drawn(index), index / 10)
        gate.set()
        while result.frames < 50 - result.dropped:
            time.sleep(0.01)
        result.write(drawn(50), 5.0)

    assert decode(result.path)[-1][0] == pytest.approx(5.0, abs=1e-4)


def test_with_wait_no_image_is_dropped(tmp_path: Path, gate: threading.Event) -> None:
    timestamps = [index / 10 for index in range(50)]
    path = tmp_path / "out.mp4"
    thread = threading.Thread(target=record, args=(path, timestamps))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()

    gate.set()
    thread.join(30)

    assert [time for time, _ in decode(path)] == pytest.approx(timestamps, abs=1e-4)


def test_closing_does_not_wait_forever(
    tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_CLOSING_PATIENCE", 0.05)
    result = Recorder(tmp_path / "out.mp4")
    result.write(drawn(), 0.0)
    with pytest.raises(RecordingError, match="is not responding"):
        result.close()
    result.close()
    gate.set()


@pytest.mark.usefixtures("broken_encoder")
def test_with_wait_a_failed_encoder_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_QUEUE_IMAGES", (1, 1))
    result = Recorder(tmp_path / "out.mp4", wait=True)
    with pytest.raises(RecordingError):  # noqa: PT012
        for index in range(10_000):
            result.write(drawn(index), index / 30)
    result.close()

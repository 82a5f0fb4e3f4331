"""Exit codes, signals and messages of the whole program."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from live_cam.runtime.opencv import cv2
from tests.support.program import (
    TIME_LIMIT,
    called,
    command,
    environment,
    live_cam,
    read_log,
    read_video,
    read_what_plays,
    write_video,
)

EMBEDDED = ("--model", "efficientnet_lite0", "--engine", "hook", "--headless")


def imported(statement: str) -> set[str]:
    """The top-level packages that a new Python process has imported after a statement."""
    code = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\n"
    code += "print()\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import live_cam",
        "sys.argv = ['live-cam', '--help']; from live_cam.cli import main; main()",
        "sys.argv = ['live-cam', 'run', '--help']; from live_cam.cli import main; main()",
        "sys.argv = ['live-cam', 'image', '--help']; from live_cam.cli import main; main()",
        "sys.argv = ['live-cam', 'evaluate', '--help']; from live_cam.cli import main; main()",
    ],
)
def test_help_imports_neither_torch_nor_opencv(statement: str) -> None:
    assert "live_cam" in imported(statement)
    assert not imported(statement) & {"torch", "torchvision", "cv2", "av", "numpy"}


def test_run_is_the_default_command() -> None:
    done = live_cam("--source", "nowhere.mp4")
    assert done.returncode == live_cam("run", "--source", "nowhere.mp4").returncode
    assert "run" in live_cam("--help").stdout


def test_without_a_display_one_sentence_suggests_headless() -> None:
    done = live_cam("run", "--source", "demo")
    assert done.returncode == 1
    assert "--headless" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--source", "nowhere.mp4"], ["nowhere.mp4"]),
        (["--source", "demo", "--model", "resnet51"], ["resnet51", "resnet50"]),
        (["--source", "demo", "--class", "cat"], ["'cat'", "Egyptian cat"]),
        (["--source", "demo", "--layer", "bn3"], ["bn3", "bn2"]),
        (["--source", "demo", "--device", "warp"], ["'warp'", "cuda"]),
        (["--source", "demo", "--device", "npu"], ["npu", "OpenVINO", "--device auto"]),
        (["--source", "demo", "--engine", "warp"], ["--engine", "'warp'", "openvino"]),
        (["--engine", "torch", "--precision", "int8"], ["int8", "torch", "--engine openvino"]),
        (["--engine", "hook", "--device", "npu"], ["npu", "hook", "--engine openvino"]),
        (["--source", "demo", "--weights", "nowhere.pth"], ["nowhere.pth"]),
        (["--source", "demo", "--labels", "nowhere.txt"], ["nowhere.txt"]),
        (["--source", "demo", "--alpha", "2"], ["--alpha", "2"]),
        (["--source", "demo", "--record", "out.gif"], ["out.gif", ".mp4"]),
        (["--source", "demo", "--record", "taken.mp4"], ["taken.mp4", "--overwrite"]),
        (["--source", "demo", "--predictions", "taken.mp4"], ["taken.mp4", "--overwrite"]),
        (["--source", "0", "--every-frame"], ["--every-frame", "camera 0"]),
        (["--source", "taken.mp4", "--record", "taken.mp4", "--overwrite"], ["the source itself"]),
        (["--source", "demo", "--camera-size", "big"], ["--camera-size", "'big'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) and value[0][0] == "-" else "",
)
def test_wrong_usage_gets_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    (tmp_path / "taken.mp4").write_text("precious")
    model = [] if "--model" in arguments else ["--model", "efficientnet_lite0"]
    done = called("run", "--headless", *model, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert (tmp_path / "taken.mp4").read_text() == "precious"


def test_a_missing_camera_is_a_runtime_failure() -> None:
    done = live_cam("run", "--source", "97", *EMBEDDED)
    assert done.returncode == 1
    assert "camera 97" in done.stderr
    assert "Traceback" not in done.stderr


def test_unavailable_weights_are_reported_with_alternatives(tmp_path: Path) -> None:
    done = live_cam(
        *("run", "--source", "demo", "--headless", "--seconds", "1"),
        TORCH_HOME=str(tmp_path),
        https_proxy="http://127.0.0.1:9",
    )
    assert done.returncode == 1, done.stderr
    for part in ("vgg19", "--weights", "--model efficientnet_lite0"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_falls_back_to_the_embedded_network_with_a_message(tmp_path: Path) -> None:
    done = live_cam(
        *("demo", "--seconds", "2"),
        cwd=tmp_path,
        TORCH_HOME=str(tmp_path),
        https_proxy="http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    assert "Using efficientnet_lite0 instead of vgg19" in done.stderr
    assert str(tmp_path / "demo.mp4") in done.stderr
    assert len(read_video(tmp_path / "demo.mp4")) > 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_normally_and_the_recording_is_kept(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        command(
            *("run", "--source", "demo", "--camera-size", "320x240", *EMBEDDED),
            *("--record", tmp_path / "out.mp4", "--predictions", tmp_path / "p.jsonl"),
        ),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    wait_for_lines(tmp_path / "p.jsonl", 20)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert len(read_video(tmp_path / "out.mp4")) > 10
    assert len(read_log(tmp_path / "p.jsonl")) >= 20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_after_a_kill_the_recording_plays(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(
            *("run", "--source", "demo", "--camera-size", "320x240", *EMBEDDED),
            *("--record", tmp_path / "out.mp4", "--predictions", tmp_path / "p.jsonl"),
        ),
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    wait_for_lines(tmp_path / "p.jsonl", 40)
    process.kill()
    process.wait(60)
    explained = max(entry["timestamp"] for entry in read_log(tmp_path / "p.jsonl"))
    video = read_what_plays(tmp_path / "out.mp4")
    assert explained - video[-1][0] < 2.0


def wait_for_lines(path: Path, count: int) -> None:
    limit = time.monotonic() + TIME_LIMIT
    while not path.exists() or len(path.read_bytes().splitlines()) < count:
        assert time.monotonic() < limit, f"{path.name} does not grow"
        time.sleep(0.05)


def test_every_frame_keeps_the_timestamps_of_the_file(tmp_path: Path) -> None:
    stamps = [0.0, 0.04, 0.3, 0.32, 1.0, 1.5, 1.52, 3.0]
    images = [np.full((121, 161, 3), 20 * index, np.uint8) for index in range(len(stamps))]
    clip = write_video(tmp_path / "clip.mkv", images, stamps)
    done = live_cam(
        *("run", "--source", clip, "--every-frame", *EMBEDDED),
        *("--record", tmp_path / "out.mp4", "--predictions", tmp_path / "p.jsonl"),
    )
    assert done.returncode == 0, done.stderr
    video = read_video(tmp_path / "out.mp4")
    assert [stamp for stamp, _ in video] == pytest.approx(stamps, abs=0.002)
    assert [entry["timestamp"] for entry in read_log(tmp_path / "p.jsonl")] == pytest.approx(
        stamps, abs=0.002
    )


def test_a_folder_of_images_is_explained_once_each(
    tmp_path: Path, photos: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, image in photos.items():
        cv2.imwrite(str(folder / f"{name}.png"), image)
    done = live_cam(
        *("run", "--source", folder, "--every-frame", *EMBEDDED),
        *("--predictions", tmp_path / "p.jsonl"),
    )
    assert done.returncode == 0, done.stderr
    labels = [entry["label"] for entry in read_log(tmp_path / "p.jsonl")]
    assert len(labels) == len(photos)
    assert labels[1] == "espresso"


def test_max_frames_limits_the_run(tmp_path: Path) -> None:
    done = live_cam(
        *("run", "--source", "demo", *EMBEDDED, "--max-frames", "7", "--every-frame"),
        *("--record", tmp_path / "out.mkv"),
    )
    assert done.returncode == 0, done.stderr
    assert len(read_video(tmp_path / "out.mkv")) == 7


def test_doctor_describes_this_machine() -> None:
    done = live_cam("doctor")
    assert done.returncode == 0, done.stderr
    for part in ("Cameras", "Accelerators", "Window", "Video encoders", "Weights", "vgg19"):
        assert part in done.stdout
    assert re.search(r"libx264|h264", done.stdout)
    assert "a window can be opened" not in done.stdout, "there is no display here"

"""Two programs at the same time: neither damages the other's files."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.display import virtual_display
from tests.support.networks import randomised
from tests.support.program import TIME_LIMIT, environment, read_log, read_video
from tests.support.session import Session, needs_a_desktop
from tests.support.tiny_program import LIVE, injected, start

ENOUGH = ("--max-frames", "10", "--engine", "hook")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.save(randomised(tiny.tiny()).state_dict(), tmp_path / "tiny.pth")
    return tmp_path


def both(folder: Path, *arguments: str) -> list[tuple[int, str]]:
    processes = [start(folder, injected("nothing", *arguments)) for _ in range(2)]
    errors = [process.communicate(timeout=TIME_LIMIT)[1] for process in processes]
    assert not any("Traceback" in text for text in errors), errors
    codes = [process.returncode for process in processes]
    return sorted(zip(codes, errors, strict=True))


def test_of_two_recordings_with_one_name_the_first_is_kept(folder: Path) -> None:
    files = ("--record", "out.mp4", "--predictions", "p.jsonl")
    (_, first), (code, second) = both(folder, *LIVE, *ENOUGH, *files)
    assert code == 2
    assert "already exists" in second or "File exists" in second
    assert f"recorded out.mp4: {len(read_video(folder / 'out.mp4'))} images" in first
    assert len(read_log(folder / "p.jsonl")) > 0


def test_two_programs_write_the_same_images(folder: Path) -> None:
    from live_cam.runtime.opencv import cv2

    (folder / "pictures").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    for number in range(20):
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), noise)
    network = ("--model", tiny.NAME, "--weights", "tiny.pth")
    ended = both(folder, "image", "pictures", "--output", "out", "--overwrite", *network)
    assert [code for code, _ in ended] == [0, 0], ended
    found = sorted((folder / "out").iterdir())
    assert len(found) == 20, "no draft is left"
    assert all(cv2.imread(str(path)) is not None for path in found)


QUANTISE = """
import sys
from pathlib import Path
import torch
from live_cam.network.classifier import load_classifier
from live_cam.network.cut import cut
from live_cam.engines import int8
from tests.support import tiny

int8._IMAGES = 4  # enough to create all the files
with tiny.registered():
    classifier = load_classifier(tiny.NAME, weights=Path("tiny.pth"))
halves = cut(classifier.module, classifier.layer)
Path(sys.argv[1]).touch()
while not Path("go").exists():
    pass
engine = int8.open_int8(classifier, halves)
assert int8._is_sound(int8.cache_folder(classifier))
print(engine.explain(torch.zeros(1, 3, *classifier.input_size)).logits.sum().item())
"""


def test_two_programs_quantise_the_same_network_into_one_cache(folder: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    root = str(Path(__file__).parents[2])
    variables = environment(TORCH_HOME=str(folder / "hub"), PYTHONPATH=root)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", QUANTISE, f"ready{number}"],
            cwd=folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    limit = time.monotonic() + TIME_LIMIT
    while len(list(folder.glob("ready*"))) < 2:
        assert time.monotonic() < limit
        time.sleep(0.05)
    (folder / "go").touch()
    outputs = [process.communicate(timeout=TIME_LIMIT) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0], "the same network"
    (kept,) = (folder / "hub").glob("hub/live_cam/*")
    assert (kept / "manifest.json").exists(), "one entry, without a partial one beside it"


@needs_a_desktop
def test_two_windows_are_independent(folder: Path) -> None:
    """After the first is closed, the second continues and responds to its keys."""
    network = ("--model", tiny.NAME, "--weights", str(folder / "tiny.pth"), "--engine", "hook")
    source = ("--source", "demo", "--camera-size", "320x240")
    program = tuple(injected("nothing")[1:])
    folders = [folder / "first", folder / "second"]
    for each in folders:
        each.mkdir()
    with virtual_display() as display:
        sessions = [Session(each, display, *source, *network, program=program) for each in folders]
        try:
            first, second = sessions
            assert first.window != second.window
            first.close_window()
            errors = first.ended()
            assert first.process.returncode == 0, errors
            count = second.explained()
            second.wait(lambda: second.explained() > count + 3)
            errors = second.end("q")
            assert second.process.returncode == 0, errors
        finally:
            for session in sessions:
                session.process.kill()
                session.process.wait(30)

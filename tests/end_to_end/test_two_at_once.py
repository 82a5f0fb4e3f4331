"""Two programs at once: neither harms what the other one writes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.end_to_end.session import Session, needs_a_desktop
from tests.end_to_end.test_interrupts import LIVE, injected, start
from tests.hostile import tiny
from tests.live.test_window import virtual_display
from tests.networks import randomised
from tests.program import TIME_LIMIT, environment, read_log, read_video

ENOUGH = ("--max-frames", "10", "--engine", "hook")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.save(randomised(tiny.tiny()).state_dict(), tmp_path / "tiny.pth")
    return tmp_path


def both(folder: Path, *arguments: str) -> list[tuple[int, str]]:
    processes = [start(folder, injected("nothing", *arguments)) for _ in range(2)]
    said = [process.communicate(timeout=TIME_LIMIT)[1] for process in processes]
    assert not any("Traceback" in each for each in said), said
    return sorted((process.returncode, text) for process, text in zip(processes, said, strict=True))


def test_one_name_for_two_recordings_is_the_first_ones(folder: Path) -> None:
    files = ("--record", "out.mp4", "--predictions", "p.jsonl")
    (_, won), (refused, why) = both(folder, *LIVE, *ENOUGH, *files)
    assert refused == 2
    assert "already exists" in why or "File exists" in why
    told = f"recorded out.mp4: {len(read_video(folder / 'out.mp4'))} images"
    assert told in won
    assert len(read_log(folder / "p.jsonl")) > 0


def test_two_write_the_same_images(folder: Path) -> None:
    from live_cam.runtime.opencv import cv2

    (folder / "pictures").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    for number in range(20):
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), noise)
    network = ("--model", tiny.NAME, "--weights", "tiny.pth")
    ended = both(folder, "image", "pictures", "--output", "out", "--overwrite", *network)
    assert [code for code, _ in ended] == [0, 0], ended
    found = sorted((folder / "out").iterdir())
    assert len(found) == 20, "and no draft is left"
    assert all(cv2.imread(str(path)) is not None for path in found)


QUANTISE = """
import sys
from pathlib import Path
import torch
from live_cam.network.classifier import load_classifier
from live_cam.network.cut import cut
from live_cam.engines import int8
from tests.hostile import tiny

int8._IMAGES = 4  # as many as it takes to make all the files
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


def test_two_quantise_the_same_network_into_one_cache(folder: Path) -> None:
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
    said = [process.communicate(timeout=TIME_LIMIT) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert said[0][0] == said[1][0], "the same network"
    (kept,) = (folder / "hub").glob("hub/live_cam/*")
    assert (kept / "manifest.json").exists(), "one entry, and nothing half built beside it"


@needs_a_desktop
def test_two_windows(folder: Path) -> None:
    """The first one is closed; the second one goes on, and knows its own keys."""
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
            _, errors = first.process.communicate(timeout=60)
            assert first.process.returncode == 0, errors
            count = second.explained()
            second.wait(lambda: second.explained() > count + 3)
            errors = second.end("q")
            assert second.process.returncode == 0, errors
        finally:
            for session in sessions:
                session.process.kill()
                session.process.wait(30)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from live_cam.engines.conversion import ModulePart, convert
from live_cam.engines.openvino import OpenVINOEngine
from live_cam.errors import EngineError
from live_cam.network.cut import TRACING, cut
from live_cam.runtime.worker import Worker
from tests.support.classifiers import as_classifier, images, network
from tests.support.networks import tiny_network

PATIENCE = 240.0
PART = ModulePart(tiny_network(), (torch.zeros(1, 3, 8, 8),))


@pytest.mark.parametrize("name", ["tiny", "timm/mobilenetv3_small_050"])
def test_a_child_process_converts_the_network_while_another_thread_holds_the_lock(
    name: str,
) -> None:
    classifier = as_classifier(tiny_network(), "1") if name == "tiny" else network(name)
    halves = cut(classifier.module, classifier.layer)
    here = OpenVINOEngine(classifier, halves)
    opened: list[OpenVINOEngine] = []
    worker = Worker(
        "test", lambda: opened.append(OpenVINOEngine(classifier, halves, stop=threading.Event()))
    )
    with TRACING:  # as whoever explains does
        worker.start()
        deadline = time.monotonic() + PATIENCE
        while worker.running:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    worker.check()
    expected, found = here.explain(images(2)), opened[0].explain(images(2))
    assert torch.allclose(found.cam, expected.cam, atol=1e-6 * float(expected.cam.max()))
    assert torch.allclose(found.logits, expected.logits, atol=1e-5)


def test_a_conversion_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    popen = subprocess.Popen

    def killed(command: list[str], **options: Any) -> Any:
        process = popen(command, **options)
        process.kill()
        return process

    monkeypatch.setattr(subprocess, "Popen", killed)
    with pytest.raises(
        EngineError, match=r"cannot convert.*the process ended with -9.*`engine=torch`"
    ):
        convert([PART], threading.Event())


def test_the_error_quotes_the_last_line_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    popen = subprocess.Popen

    def broken(command: list[str], **options: Any) -> Any:
        return popen([command[0], "-c", "raise SystemExit('no such operation')"], **options)

    monkeypatch.setattr(subprocess, "Popen", broken)
    with pytest.raises(EngineError, match=r"cannot convert this network \(no such operation\)"):
        convert([PART], threading.Event())


def test_a_full_disk_is_an_error_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(EngineError, match="No space left on device"):
        convert([PART], threading.Event())


def test_a_stopped_conversion_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    stop = threading.Event()

    def watched(command: list[str], **options: Any) -> Any:
        started.append(popen(command, **options))
        stop.set()
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", watched)
    with pytest.raises(EngineError, match="the process was stopped"):
        convert([PART], stop)
    assert started[0].returncode == -signal.SIGKILL, "killed before it was done"
    assert not list(tmp_path.iterdir()), "and nothing is left"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_conversion_ends_with_the_program(tmp_path: Path) -> None:
    """Also if the program is killed, and cannot stop it."""
    program = (
        "import threading; from tests.engines.test_conversion import *; "
        "convert([PART] * 200, threading.Event())"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    wait(lambda: "conversion" in command_of(children.read_text().strip()))
    child = children.read_text().strip()
    wait(lambda: any(tmp_path.glob("*/0.xml")))  # it is at work
    parent.kill()
    parent.wait()
    wait(lambda: command_of(child) == "")


def command_of(process: str) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def wait(reached: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)

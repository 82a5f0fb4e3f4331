"""Fixtures shared by several test files."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision import models

from live_cam.runtime.opencv import cv2
from tests.support.networks import colour_vgg19, randomised, save_weights

_LONG = {"end_to_end": -3, "bench": -2, "engines": -1}
PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slow folders: with several workers, short tests then fill the gaps."""
    items.sort(key=lambda item: _LONG.get(item.path.parent.name, 0))


@pytest.fixture(scope="session", autouse=True)
def _default_sighup() -> Iterator[None]:
    """Let SIGHUP end child processes even under `nohup`, whose setting they inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL) if hasattr(signal, "SIGHUP") else None
    yield
    if before is not None:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Restore torch's number of threads after each test, because it is global to the process.

    With more threads than cores, torch's threads busy-wait for each other on every core.
    """
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _without_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide any GPU, as `support.program` does for the program. Only `test_cuda` uses one."""
    if request.path.stem != "test_cuda":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(scope="session")
def photo_folder() -> Path:
    spec = importlib.util.find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


@pytest.fixture(scope="session")
def photos(photo_folder: Path) -> dict[str, NDArray[np.uint8]]:
    images = {}
    for name in PHOTOS:
        image = cv2.imread(str(photo_folder / name))
        assert image is not None
        images[name.partition(".")[0]] = image
    return images  # type: ignore[return-value]  # OpenCV's stubs leave the dtype open


@pytest.fixture(scope="session")
def random_vgg19() -> nn.Module:
    return randomised(models.vgg19(weights=None, init_weights=False))


@pytest.fixture(scope="session")
def colour_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(colour_vgg19(), tmp_path_factory.mktemp("weights") / "colours.pth")


@pytest.fixture
def image_batch() -> torch.Tensor:
    return torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty download cache for torch."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(
        torch.hub, "_hub_dir", None
    )  # a directory from `set_dir` would take precedence
    folder = tmp_path / "hub" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", fail)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk with room for half a megabyte, if the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield disk
    # Lazily, because a thread that could not finish its file may still have it open.
    subprocess.run(["umount", "--lazy", str(disk)], check=True)

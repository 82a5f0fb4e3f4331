from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.stills.naming import Still, name_stills
from live_cam.stills.reading import read_ahead

PATIENCE = 30.0


def stills(count: int) -> list[Still]:
    return name_stills([Path(f"{number}.png") for number in range(count)], None)


def give(monkeypatch: pytest.MonkeyPatch, image: NDArray[np.uint8] | None) -> list[str]:
    requested: list[str] = []

    def read(path: Path) -> NDArray[np.uint8] | None:
        requested.append(path.name)
        return image

    monkeypatch.setattr("live_cam.stills.reading.read_image", read)
    return requested


def test_images_come_once_each_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, np.zeros((2, 2, 3), np.uint8))
    batches = list(read_ahead(stills(7), 3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [each.still for batch in batches for each in batch] == stills(7)


def test_the_next_batch_is_read_while_one_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = threading.Event()

    def read(path: Path) -> None:
        if path.name == "2.png":
            began.set()

    monkeypatch.setattr("live_cam.stills.reading.read_image", read)
    with closing(read_ahead(stills(4), 2)) as batches:
        next(batches)
        assert began.wait(PATIENCE)


def test_large_images_make_batches_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_cam.runtime.prefetch._MOST_BYTES", 100)
    give(monkeypatch, np.zeros((5, 4, 3), np.uint8))
    assert [len(batch) for batch in read_ahead(stills(5), 8)] == [2, 2, 1]


def test_an_unreadable_file_comes_without_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, None)
    (batch,) = read_ahead(stills(2), 8)
    assert [each.image for each in batch] == [None, None]


def test_stopping_early_does_not_read_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    requested = give(monkeypatch, None)
    with closing(read_ahead(stills(1000), 10)) as batches:
        next(batches)
    assert len(requested) <= 20

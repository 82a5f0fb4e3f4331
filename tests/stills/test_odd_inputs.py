"""Unusual images: overlays keep their sizes, and unreadable files are skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from live_cam.errors import UsageError
from live_cam.runtime.opencv import cv2
from tests.support.running_stills import names, read, record, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, NDArray[np.uint8]]) -> Path:
    """Return a folder with one image of each kind."""
    folder = tmp_path_factory.mktemp("odd")
    coffee = photos["coffee"]
    photo = Image.fromarray(coffee[..., ::-1])

    def write(name: str, image: NDArray[Any]) -> None:
        assert cv2.imwrite(str(folder / name), image)

    write("dot.png", coffee[100:101, 300:301])
    write("line.png", coffee[100:101])
    write("huge.jpg", cv2.resize(coffee, (8000, 6000)))
    write("grey.png", cv2.cvtColor(coffee, cv2.COLOR_BGR2GRAY))
    write("deep.png", coffee.astype(np.uint16) * 257)
    write("deep_grey.tif", cv2.cvtColor(coffee, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257)
    alpha = np.full((400, 600), 255, np.uint8)
    alpha[:, 550:] = 0
    write("alpha.png", np.dstack([coffee, alpha]))
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers rotate it by 90 degrees clockwise
    photo.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif, quality=95)
    photo.convert("P").save(folder / "palette.gif")
    photo.convert("CMYK").save(folder / "printed.jpg")
    photo.save(folder / "new.webp")
    write("odd name [1] ü.bmp", coffee)
    data = (folder / "turned.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.png").touch()
    return folder


@pytest.fixture(scope="module")
def explained(folder: Path) -> tuple[Path, list[str], int]:
    output = folder / "out"
    paths = [folder, folder / "palette.gif"]
    pipeline, observer = run(
        *paths, output=output, json=True, heatmap=True, panel=True, feature_maps="gif", maps=1
    )
    assert pipeline.total == pipeline.explained + pipeline.failed
    return output, observer.messages, pipeline.failed


SIZES = {
    "dot": (1, 1),
    "line": (600, 1),
    "huge": (8000, 6000),
    "grey": (600, 400),
    "deep": (600, 400),
    "deep_grey": (600, 400),
    "alpha": (600, 400),
    "turned": (600, 400),
    "palette": (600, 400),
    "printed": (600, 400),
    "new": (600, 400),
    "odd name [1] ü": (600, 400),
}


@pytest.mark.parametrize("name", SIZES)
def test_each_kind_of_image_is_explained_at_its_own_size(
    explained: tuple[Path, list[str], int], name: str
) -> None:
    output, _, _ = explained
    width, height = SIZES[name]
    assert read_any(output / f"{name}.cam.jpg").shape == (height, width, 3)
    assert read_any(output / f"{name}.heatmap.png").shape == (height, width)
    assert min(read_any(output / f"{name}.panel.jpg").shape[:2]) > 600
    assert (output / f"{name}.maps.gif").stat().st_size > 100
    written = record(output / f"{name}.json")
    assert written["size"] == [width, height]
    x, y = written["peak"]
    assert 0 <= x < width
    assert 0 <= y < height
    if name not in ("dot", "line"):
        assert written["label"] == "espresso"
        assert abs(x / width - 0.52) < 0.15
        assert abs(y / height - 0.28) < 0.2


def test_unreadable_files_are_reported_counted_and_skipped(
    explained: tuple[Path, list[str], int], folder: Path
) -> None:
    output, messages, failed = explained
    assert failed == 3
    for name in ("cut.jpg", "text.jpg", "empty.png"):
        (sentence,) = [message for message in messages if str(folder / name) in message]
        assert "not a readable image" in sentence
        assert not list(output.glob(f"{name.partition('.')[0]}.*"))
    assert len(messages) == 3


def test_broken_images_alone_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    pipeline, _ = run(tmp_path / "text.jpg", output=tmp_path / "out")
    assert (pipeline.explained, pipeline.failed) == (0, 1)
    assert names(tmp_path / "out") == []


def test_an_empty_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image in the folder"):
        run(tmp_path)


def test_an_image_too_long_for_a_jpeg_is_named(tmp_path: Path) -> None:
    long = tmp_path / "long.png"
    cv2.imwrite(str(long), np.zeros((1, 66000, 3), np.uint8))
    fine = tmp_path / "short.png"
    cv2.imwrite(str(fine), np.zeros((10, 10, 3), np.uint8))
    pipeline, observer = run(long, fine)
    assert (pipeline.explained, pipeline.failed) == (1, 1)
    assert "65500" in observer.messages[0]
    assert "long.png" in observer.messages[0]


def read_any(path: Path) -> NDArray[np.uint8]:
    """Read an output image, which must exist."""
    assert path.exists(), path
    return read(path)

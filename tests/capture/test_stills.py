from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from live_cam.capture import Source, open_source
from live_cam.capture.stills import Stills, open_folder
from live_cam.errors import UsageError
from live_cam.frame import Frame
from live_cam.runtime.opencv import cv2
from tests.support.media import BLUE, GREEN, RED, colour_of, marked


def _write(path: Path, colour: tuple[int, int, int] = RED) -> Path:
    Image.fromarray(marked(colour)[..., ::-1]).save(path)
    return path


def _all(source: Source) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def _colours(frames: list[Frame]) -> list[str]:
    return [colour_of(frame.image, 0.25, 0.25) for frame in frames]


def _first(path: Path) -> Frame:
    with open_source(str(path)) as source:
        frame = source.read()
    assert frame is not None
    return frame


def test_each_image_is_held_for_two_seconds(tmp_path: Path) -> None:
    _write(tmp_path / "a.png", RED)
    _write(tmp_path / "b.png", BLUE)

    with open_source(str(tmp_path)) as source:
        frames = _all(source)
        assert source.read() is None

    assert _colours(frames) == ["red"] * 60 + ["blue"] * 60
    assert [frame.index for frame in frames] == list(range(120))
    assert [frame.timestamp for frame in frames] == pytest.approx([n / 30 for n in range(120)])
    assert source.description == "2 images, the first 64×48"


def test_without_hold_each_image_is_one_frame(tmp_path: Path) -> None:
    for name, colour in (("1.png", RED), ("2.png", GREEN), ("3.png", BLUE)):
        _write(tmp_path / name, colour)

    with open_source(str(tmp_path), hold=0) as source:
        assert _colours(_all(source)) == ["red", "green", "blue"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_loop_starts_again_after_the_last_image(tmp_path: Path, count: int) -> None:
    for number, colour in enumerate((RED, BLUE)[:count]):
        _write(tmp_path / f"{number}.png", colour)

    with open_source(str(tmp_path), hold=0, loop=True) as source:
        frames = [source.read() for _ in range(5)]

    read = [frame for frame in frames if frame]
    assert _colours(read) == (["red", "blue"] * 3)[:5] if count == 2 else ["red"] * 5
    assert [frame.index for frame in read] == [0, 1, 2, 3, 4]
    assert [frame.timestamp for frame in read] == pytest.approx([n / 30 for n in range(5)])


def test_files_are_sorted_in_natural_order(tmp_path: Path) -> None:
    for name, colour in (("pic10.png", BLUE), ("pic2.PNG", GREEN), ("Pic1.jpg", RED)):
        _write(tmp_path / name, colour)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._pic0.png").write_bytes(b"left by macOS")
    (tmp_path / "folder.png").mkdir()

    with open_source(str(tmp_path), hold=0) as source:
        assert _colours(_all(source)) == ["red", "green", "blue"]


def test_a_single_image_is_named_and_described(tmp_path: Path) -> None:
    path = _write(tmp_path / "ein Bild — ü.png", GREEN)

    with open_source(str(path)) as source:
        assert source.name == path.name
        assert source.description == "64×48"
        assert len(_all(source)) == 60


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    Image.fromarray(marked(RED)[..., ::-1]).save(path, exif=exif, quality=95)

    image = _first(path).image

    assert image.shape == (64, 48, 3)
    assert colour_of(image, 0.75, 0.25) == "red"
    assert colour_of(image, 0.25, 0.25) == "black"


_GREY = np.full((48, 64), 200, np.uint8)
_DEEP_GREY = np.full((48, 64), 200 * 257, np.uint16)
_DEEP = np.full((48, 64, 3), 200 * 257, np.uint16)
_FLOAT = np.full((48, 64, 3), 200 / 255, np.float32)


@pytest.mark.parametrize(
    ("image", "ending"),
    [
        *((_GREY, ending) for ending in ("png", "tif", "pgm")),
        *((_DEEP_GREY, ending) for ending in ("png", "tif", "pgm")),
        *((_DEEP, ending) for ending in ("png", "tif", "ppm")),
        *((_FLOAT, ending) for ending in ("tif", "pfm", "hdr")),
    ],
)
def test_every_depth_and_number_of_channels_is_converted(
    tmp_path: Path, image: NDArray[np.uint8], ending: str
) -> None:
    path = tmp_path / f"image.{ending}"
    assert cv2.imwrite(str(path), image)

    read = _first(path).image

    assert read.shape == (48, 64, 3)
    assert read.dtype == np.uint8
    assert np.all(np.abs(read.astype(int) - 200) <= 1)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_transparent_pixels_become_white(
    tmp_path: Path, depth: type[np.uint8] | type[np.uint16]
) -> None:
    image = np.zeros((48, 64, 4), depth)
    image[:, :32] = (0, 0, np.iinfo(depth).max, np.iinfo(depth).max)
    path = tmp_path / "logo.png"
    assert cv2.imwrite(str(path), image)

    read = _first(path).image

    assert read[10, 10].tolist() == list(RED)
    assert read[10, 50].tolist() == [255, 255, 255]


def test_exif_orientation_is_honoured_in_transparent_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    phone = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    phone.putpixel((0, 0), (255, 0, 0, 255))
    phone.save(tmp_path / "phone.png", exif=exif)

    image = _first(tmp_path / "phone.png").image

    assert image.shape == (64, 48, 3)
    assert image[0, 47].tolist() == list(RED)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp"])
def test_a_truncated_image_is_rejected(tmp_path: Path, ending: str) -> None:
    path = _write(tmp_path / f"cut.{ending}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])

    with pytest.raises(UsageError, match="not a readable image") as caught:
        open_source(str(path))

    assert str(path) in str(caught.value)


def test_a_broken_image_among_others_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _write(tmp_path / "1.png", RED)
    (tmp_path / "2.png").write_text("broken")
    (tmp_path / "3.png").touch()
    _write(tmp_path / "4.png", BLUE)

    with caplog.at_level(logging.WARNING), open_folder(tmp_path, hold=0, loop=True) as source:
        frames = [source.read() for _ in range(4)]
        assert isinstance(source, Stills)

    assert _colours([frame for frame in frames if frame]) == ["red", "blue", "red", "blue"]
    assert source.skipped == [tmp_path / "2.png", tmp_path / "3.png"]
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        str(tmp_path / "2.png"),
        str(tmp_path / "3.png"),
    ]


def test_a_folder_of_broken_images_is_rejected(tmp_path: Path) -> None:
    for name in ("1.png", "2.jpg"):
        (tmp_path / name).write_text("broken")

    with pytest.raises(UsageError, match="None of the 2 images"):
        open_source(str(tmp_path))


def test_a_broken_last_image_ends_the_source(tmp_path: Path) -> None:
    _write(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("broken")

    with open_source(str(tmp_path), hold=0) as source:
        assert len(_all(source)) == 1


def test_a_folder_without_images_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(UsageError, match="no image in the folder") as caught:
        open_source(str(tmp_path))

    assert str(tmp_path) in str(caught.value)

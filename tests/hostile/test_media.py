"""Untrusted images and videos: read or rejected in one sentence, in bounded memory."""

from __future__ import annotations

import io
import os
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from live_cam.capture import open_source
from live_cam.errors import UsageError
from live_cam.runtime.opencv import cv2
from tests.support import bombs
from tests.support.limited import Outcome, opened
from tests.support.media import BLUE, GREEN, RED, marked, write_video
from tests.support.mutation import EFFORT, mutated
from tests.support.server import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")

MEGABYTES = 2000
"""The address space of the process that reads the files."""
MUTATIONS = round(50 * EFFORT)
"""The number of mutated files per format."""
UNREADABLE = "not a readable image|No image in|not a video|no video in"
SMALL = marked(RED)
FLOATS = np.float32(SMALL / 255)


def saved(kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(SMALL[..., ::-1]).save(data, kind, **options)
    return data.getvalue()


def encoded(image: NDArray[Any], ending: str) -> bytes:
    """Encode with OpenCV, which supports formats that Pillow does not."""
    done, data = cv2.imencode(ending, image)
    assert done
    return data.tobytes()


def transparent(kind: str) -> bytes:
    """Encode a half transparent image with an EXIF rotation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn = Image.fromarray(SMALL[..., ::-1])
    drawn.putalpha(Image.linear_gradient("L").resize(drawn.size))
    data = io.BytesIO()
    drawn.save(data, kind, exif=exif)
    return data.getvalue()


def film() -> list[Image.Image]:
    return [Image.fromarray(marked(colour)[..., ::-1]) for colour in (GREEN, BLUE)]


def commented(kind: bytes) -> bytes:
    """Return a small PNG with a hundred megabytes of text."""
    zeros = zlib.compress(bytes(100 << 20), 1)
    rows = zlib.compress(16 * bytes(1 + 3 * 16))
    return bombs.png(16, 16, rows, extra=bombs.chunk(kind, b"a\0\0" + zeros))


def playlist(of: str) -> bytes:
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n"
    return f"{head}#EXTINF:5,\n{of}\n#EXT-X-ENDLIST\n".encode()


BOMBS: dict[str, Callable[[], bytes]] = {
    "100000x100000.png": lambda: bombs.png(100_000, 100_000, zlib.compress(b"")),
    "30000x30000.png": lambda: bombs.png(30_000, 30_000, zlib.compress(bytes(99))),
    "12000x12000-black.png": lambda: bombs.png(12_000, 12_000, bombs.black(12_000, 12_000)),
    "100000x100000.bmp": lambda: bombs.bmp(100_000, 100_000),
    "30000x30000-packed.bmp": lambda: bombs.bmp(30_000, 30_000, packed=True),
    "65500x65500.jpg": lambda: bombs.jpeg(SMALL, 65_500, 65_500),
    "13000x13000.jpg": lambda: bombs.jpeg(SMALL, 13_000, 13_000),
    "13000x13000-without-ending": lambda: bombs.jpeg(SMALL, 13_000, 13_000),
    "a-thousand-scans.jpg": lambda: bombs.scanned(2000, 1000),
    "100000x100000.tif": lambda: bombs.tiff(100_000, 100_000),
    "100000x100000.jp2": lambda: bombs.jpeg2000(100_000, 100_000),
    "100000x100000.ppm": lambda: b"P6\n100000 100000\n255\n",
    "30000x30000-in-words.ppm": lambda: b"P3\n30000 30000\n255\n" + 1000 * b"1 ",
    "100000x100000.hdr": lambda: b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 100000 +X 100000\n",
    "100000x100000.pfm": lambda: b"PF\n100000 100000\n-1.0\n",
    "11000x11000-without-pixels.pfm": lambda: b"PF\n11000 11000\n-1.0\n",
    "100000x100000.ras": lambda: bombs.sun_raster(100_000, 100_000),
    "11000x11000-without-pixels.ras": lambda: bombs.sun_raster(11_000, 11_000),
    "65535x65535.gif": lambda: bombs.gif(65_535, 65_535, 1),
    "16000x16000.gif": lambda: bombs.gif(16_000, 16_000, 5),
    "a-chunk-of-2-GB.png": lambda: saved("PNG")[:33] + bombs.chunk(b"abcd", b"", 2**31 - 1),
    "a-long-comment.png": lambda: commented(b"zTXt"),
    "a-long-profile.png": lambda: commented(b"iCCP"),
    "postscript.png": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "playlist-of-itself.m3u8": lambda: playlist("playlist-of-itself.m3u8"),
    "playlist-of-passwords.m3u8": lambda: playlist("/etc/passwd"),
    "nothing.jpg": lambda: b"",
    "nothing.mp4": lambda: b"",
    "a-megabyte-of-nothing.mkv": lambda: bytes(1 << 20),
}
SOUND: dict[str, tuple[Callable[[], bytes], str]] = {
    "endless.gif": (lambda: bombs.gif(1, 1, 100_000), "40 images"),
    "6000x4000.jpg": (lambda: bombs.jpeg(marked(RED, 6000, 4000)), "1 images"),
}
IMAGES: dict[str, Callable[[], bytes]] = {
    "baseline.jpg": lambda: saved("JPEG", quality=60),
    "progressive.jpg": lambda: saved("JPEG", quality=60, progressive=True),
    "a.png": lambda: saved("PNG"),
    "a.gif": lambda: saved("GIF", save_all=True, append_images=film(), loop=0),
    "lossy.webp": lambda: saved("WEBP"),
    "lossless.webp": lambda: saved("WEBP", lossless=True),
    "a.bmp": lambda: saved("BMP"),
    "a.tif": lambda: saved("TIFF"),
    "a.jp2": lambda: saved("JPEG2000"),
    "transparent.png": lambda: transparent("PNG"),
    "transparent.webp": lambda: transparent("WEBP"),
    "floats.tif": lambda: encoded(FLOATS, ".tif"),
    "deep.png": lambda: encoded(np.uint16(65535 * FLOATS), ".png"),
    "a.pfm": lambda: encoded(FLOATS, ".pfm"),
    "a.hdr": lambda: encoded(FLOATS, ".hdr"),
    "a.ras": lambda: encoded(SMALL, ".ras"),
}
VIDEOS = {
    "h264.mp4": "libx264",
    "mpeg4.mkv": "mpeg4",
    "mjpeg.avi": "mjpeg",
    "vp8.webm": "libvpx",
    "flv1.flv": "flv1",
    "mpeg2.ts": "mpeg2video",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all files."""
    folder = tmp_path_factory.mktemp("media")
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
    for name, (make, _) in SOUND.items():
        (folder / name).write_bytes(make())
    with (folder / "3-GB-of-nothing.png").open("wb") as file:
        file.truncate(3 << 30)
    for name, make in IMAGES.items():
        (folder / name).write_bytes(make())
    for name, codec in VIDEOS.items():
        write_video(
            folder / name, [marked(colour) for colour in 3 * (RED, GREEN, BLUE)], codec=codec
        )
    for name in (*IMAGES, *VIDEOS):
        data = (folder / name).read_bytes()
        for seed in range(MUTATIONS):
            changed = mutated(data, seed)
            if name.endswith(".png"):
                changed = bombs.with_checksums(changed)
            (folder / f"{seed}-{name}").write_bytes(changed)
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Outcome]:
    return opened("images", sorted(folder.iterdir()), megabytes=MEGABYTES)


@pytest.mark.parametrize("name", [*BOMBS, "3-GB-of-nothing.png"])
def test_bombs_are_rejected_in_one_sentence(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert not outcome.read
    assert name in outcome.text
    assert re.search(UNREADABLE, outcome.text), outcome.text
    assert outcome.megabytes < 60


@pytest.mark.parametrize("name", SOUND)
def test_large_or_long_files_are_read(outcomes: dict[str, Outcome], name: str) -> None:
    _, text = SOUND[name]
    assert outcomes[name].text == text
    assert outcomes[name].megabytes < 400


@pytest.mark.parametrize("name", [*IMAGES, *VIDEOS])
def test_mutated_files_are_read_or_rejected(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].read
    mutations = [outcomes[f"{seed}-{name}"] for seed in range(MUTATIONS)]
    rejected = [outcome for outcome in mutations if not outcome.read]
    assert rejected
    assert all(f"-{name}" in outcome.text for outcome in rejected)
    assert max(outcome.megabytes for outcome in mutations) < 600


@pytest.mark.parametrize("ending", ["m3u8", "mp4", "mpd", "ffconcat"])
def test_addresses_in_a_file_are_not_fetched(tmp_path: Path, ending: str) -> None:
    with Server() as server:
        server.files["/secret.ts"] = b"fetched"
        address = f"http://{server.address}/secret.ts"
        texts = {
            "ffconcat": f"ffconcat version 1.0\nfile '{address}'\n",
            "mpd": f'<MPD><Period><AdaptationSet mimeType="video/mp4"><Representation id="1">'
            f"<BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        }
        path = tmp_path / f"clip.{ending}"
        path.write_text(texts.get(ending, playlist(address).decode()))

        with pytest.raises(UsageError, match="not a video"):
            open_source(str(path))

        assert server.authorizations == []


def test_a_pipe_named_like_an_image_is_rejected_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)

    with pytest.raises(UsageError, match="not a readable image"):
        open_source(str(path))

"""Writes the README's examples of `image` and `video` into docs/stills.

Run it with the project's Python and its extra `demo` after a change to the drawing. It runs the
commands as a user does, and shrinks what is too large for a README.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from gallery import photo

from live_cam.capture import open_source
from live_cam.record.recorder import Recorder
from live_cam.runtime.opencv import cv2
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "stills"
_QUALITY: Final = 85
_MAPS: Final = 8
_ANIMATION_WIDTH: Final = 300
"""Pixels; GIFs of photos are large."""
_CLIP_SIZE: Final = (640, 400)
_CLIP_FRAMES: Final = 12
_CLIP_STEP: Final = 4
"""Pixels by which the clip pans per frame."""


def main() -> None:
    """Write all examples."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cat = photo("chelsea")
        cv2.imwrite(str(folder / "cat.png"), cat)
        height = round(cat.shape[0] * _ANIMATION_WIDTH / cat.shape[1])
        small = cv2.resize(cat, (_ANIMATION_WIDTH, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "small.png"), small)
        _run("image", folder / "cat.png", "--heatmap", "--guided")
        for kind in ("heatmap.png", "guided.png", "cam.jpg"):
            _keep(folder / f"cat.{kind}", f"{kind.partition('.')[0]}.jpg")
        _run("image", folder / "small.png", "--feature-maps", "gif", "--maps", str(_MAPS))
        shutil.copy(folder / "small.maps.gif", _FOLDER / "maps.gif")
        _run(
            *("image", folder / "cat.png", "--panel", "--overwrite"),
            *("--class", "tabby", "--class", "Egyptian cat"),
        )
        _keep(folder / "cat.panel.jpg", "classes.jpg")
        _write_clip(folder / "clip.mp4")
        _run("video", folder / "clip.mp4", folder / "explained.mp4")
        with open_source(str(folder / "explained.mp4")) as source:
            frame = source.read()
        assert frame is not None
        _write("video.jpg", frame.image)


def _run(*arguments: object) -> None:
    command = [sys.executable, "-m", "live_cam", *map(str, arguments), "--model", EMBEDDED_MODEL]
    subprocess.run(command, check=True)


def _keep(path: Path, name: str) -> None:
    drawn = cv2.imread(str(path))
    assert drawn is not None, path
    _write(name, np.asarray(drawn, np.uint8))


def _write(name: str, drawn: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(_FOLDER / name), drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def _write_clip(path: Path) -> None:
    width, height = _CLIP_SIZE
    cup = cv2.resize(photo("coffee"), (width + _CLIP_FRAMES * _CLIP_STEP, height))
    with Recorder(path, wait=True) as recorder:
        for number in range(_CLIP_FRAMES):
            left = number * _CLIP_STEP
            recorder.write(np.ascontiguousarray(cup[:, left : left + width]), number / 25)


if __name__ == "__main__":
    main()

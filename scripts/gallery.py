"""Draws every view, card and theme for the README.

Run it with the project's Python and its extra `demo` after a change to the drawing. With
`--check DIR` it draws them in three sizes on a bright, a dark and a busy image instead, with a
contact sheet per size and image to look through.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from live_cam.explain.explainer import Explainer
from live_cam.frame import Frame
from live_cam.live.actions import press, status_of
from live_cam.live.controls import Controls
from live_cam.overlay import Overlay
from live_cam.runtime.opencv import cv2
from live_cam.settings import EMBEDDED_MODEL, FITS, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.settings import Fit

_FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "views"
_SIZE: Final = (960, 540)
_QUALITY: Final = 85
_CHECKED_SIZES: Final = ((640, 480), (1280, 720), (1920, 1080))
_TILE_WIDTH: Final = 640
"""The width of an image on a contact sheet, in pixels."""
_COLUMNS: Final = 4
_RANDOMISED_LAYERS: Final = 6
_CUP: Final = ("coffee",)
_BOTH: Final = ("motorcycle_left", "coffee")
_WITH_CAT: Final = ("coffee", "chelsea")
"""Photos of scikit-image, side by side."""
_KEYS: Final = {" ": "space", "\n": "enter"}


@dataclass(frozen=True)
class Shot:
    """One image: the keys that lead to it, and the photos that it shows."""

    name: str
    keys: str = ""
    """The keys to press, one letter each."""
    photos: tuple[str, ...] = _CUP
    fit: Fit = "squash"
    status: Mapping[str, Any] = field(default_factory=dict)
    """Parts of the status that keys alone do not reach, such as a recording or a lost camera."""
    confirms: bool = False
    """Whether to show the confirmation of the last key."""
    arrows: int = 0
    """How often to press the right arrow after the keys."""


SHOTS: Final = (
    Shot("overlay", photos=_BOTH),
    Shot("heatmap", "l"),
    Shot("camera", "ll"),
    Shot("split", "lll"),
    Shot("grid", "g"),
    Shot("classes", "x", _BOTH),
    Shot("locked", "2", _BOTH),
    Shot("maps", "k"),
    Shot("focus", "k", arrows=3),
    Shot("counterfactual", "/tabby\nn"),
    Shot("versus", "5v", _WITH_CAT),
    Shot("box", "b"),
    Shot("check", "f"),
    Shot("randomised", "w"),
    Shot("crop", fit="crop"),
    Shot("pad", fit="pad"),
    Shot("help", "h"),
    Shot("typing", "/esp"),
    Shot("light", "t"),
    Shot("none", "tt"),
    Shot("confirmed", "+", confirms=True),
)
"""The images of the README."""
_MORE: Final = (
    Shot(
        "messages",
        " l",
        confirms=True,
        status={"recording": 754.0, "notice": "waiting for camera 0… 2 s"},
    ),
    Shot("light-grid", "tg"),
    Shot("light-help", "th"),
    Shot("light-box", "tb"),
    Shot("none-grid", "ttg"),
    Shot("none-check", "ttfb"),
    Shot("none-help", "tth"),
)
"""Further images for `--check`."""


class Studio:
    """Takes shots with the program's own explainer, controls and overlay."""

    def __init__(self, fit: Fit) -> None:
        """Load the network."""
        self._settings = Settings(model=EMBEDDED_MODEL, engine="hook", smooth=0.0, fit=fit)
        self._explainer = Explainer(self._settings, print)
        self._explainer.load()
        self._overlay = Overlay()

    def take(
        self, shot: Shot, image: NDArray[np.uint8], source: str, *, timed: bool = False
    ) -> NDArray[np.uint8]:
        """Press a shot's keys and draw what the window would show.

        Args:
            shot: The shot.
            image: The camera's image, H×W×3 uint8, BGR.
            source: The camera's name.
            timed: Whether to show the explanation's time, which differs between machines.
        """
        frame = Frame(image, 0, 0.0)
        controls = replace(Controls.of(self._settings), labels=self._explainer.labels)
        controls = replace(controls, top=self._explain(frame, controls).top)
        confirmation = None
        for key in (*shot.keys, *["right"] * shot.arrows):
            controls, confirmation = press(controls, _KEYS.get(key, key))
        explanation = self._explain(frame, controls)
        height, width = image.shape[:2]
        seconds = explanation.seconds["total"] if timed else None
        status = replace(
            status_of(controls),
            network=self._explainer.network,
            engine=self._explainer.engine,
            source=f"{source} · {width}×{height}",
            explained_fps=1 / seconds if seconds else None,
            age=seconds,
            confirmation=confirmation if shot.confirms else None,
            **shot.status,
        )
        return self._overlay.draw(frame, explanation, status).image

    def _explain(self, frame: Frame, controls: Controls) -> Explanation:
        self._explainer.question = controls.question()
        explanation = self._explainer.explain(frame)
        while self._explainer.incomplete:
            explanation = self._explainer.explain(frame)
            if explanation.randomised and explanation.randomised[0] >= _RANDOMISED_LAYERS:
                break
            time.sleep(0.05 if explanation.randomised else 0.0)
        return explanation


def photo(name: str) -> NDArray[np.uint8]:
    """Read one of scikit-image's photos: H×W×3 uint8, BGR."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-image is missing: install the project's extra `demo`.")
    (path,) = (Path(spec.origin).parent / "data").glob(f"{name}.*")
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(image, np.uint8)


def framed(images: list[NDArray[np.uint8]], width: int, height: int) -> NDArray[np.uint8]:
    """Put images side by side, each cropped to its share of a frame of this size."""
    share = width // len(images)
    columns = [*[share] * (len(images) - 1), width - share * (len(images) - 1)]
    return np.hstack(
        [_cover(image, across, height) for image, across in zip(images, columns, strict=True)]
    )


def _cover(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    scale = max(width / image.shape[1], height / image.shape[0])
    size = max(width, round(scale * image.shape[1])), max(height, round(scale * image.shape[0]))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    enlarged = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
    x, y = (size[0] - width) // 2, (size[1] - height) // 2
    return enlarged[y : y + height, x : x + width]


def backgrounds() -> dict[str, list[NDArray[np.uint8]]]:
    """Return photos to check the drawing on: nearly white, nearly black, and busy."""
    bright = 255 - (255 - photo("coffee").astype(float)) * 0.35
    dark = photo("chelsea").astype(float) * 0.25
    return {
        "bright": [bright.astype(np.uint8)],
        "dark": [dark.astype(np.uint8)],
        "busy": [photo("motorcycle_left"), photo("coffee")],
    }


def draw_for_readme(studios: Mapping[Fit, Studio], folder: Path) -> None:
    """Draw the README's images into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        image = framed([photo(name) for name in shot.photos], *_SIZE)
        drawn = studios[shot.fit].take(shot, image, " + ".join(shot.photos))
        path = folder / f"{shot.name}.jpg"
        cv2.imwrite(str(path), drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        print(f"{path}: {path.stat().st_size // 1024} kB")


def draw_for_check(studios: Mapping[Fit, Studio], folder: Path) -> None:
    """Draw every shot in three sizes on three images, and their contact sheets."""
    for name, images in backgrounds().items():
        for width, height in _CHECKED_SIZES:
            image = framed(images, width, height)
            kind = f"{name}-{width}x{height}"
            (folder / kind).mkdir(parents=True, exist_ok=True)
            drawings = []
            for shot in (*SHOTS, *_MORE):
                drawings.append(studios[shot.fit].take(shot, image, name, timed=True))
                cv2.imwrite(str(folder / kind / f"{shot.name}.png"), drawings[-1])
            cv2.imwrite(str(folder / f"{kind}.png"), contact_sheet(drawings))
            print(folder / f"{kind}.png")


def contact_sheet(drawings: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Arrange images of one size in rows."""
    height, width = drawings[0].shape[:2]
    size = _TILE_WIDTH, round(_TILE_WIDTH * height / width)
    tiles = [
        np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)) for drawn in drawings
    ]
    tiles += [np.full_like(tiles[0], 128)] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", type=Path, metavar="DIR", help="draw all checks into a folder instead"
    )
    check = parser.parse_args().check
    studios = {fit: Studio(fit) for fit in FITS}
    if check:
        draw_for_check(studios, check)
    else:
        draw_for_readme(studios, _FOLDER)


if __name__ == "__main__":
    main()

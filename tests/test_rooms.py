"""The rules of the house: imports run down only, and who may load torch."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import live_cam

PACKAGE = Path(live_cam.__file__).parent
FLOORS = (
    ("cli",),
    ("live", "web", "teach", "export", "stills", "video", "evaluation", "bench"),
    ("explain",),
    ("engines", "temporal"),
    ("cam", "capture", "overlay"),
    ("network",),
    ("record",),
    ("runtime",),
)
"""The rooms, from the roof down. Rooms of one floor do not know each other."""
DOORS = ("__init__", "__main__")
"""The public API and the entry point, through which every room is reached."""
NOUNS = tuple(sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem not in DOORS))
"""They stand on the lowest floor, with `runtime`."""
WITHOUT_TORCH = ("capture", "temporal", "overlay", "live", "record", "runtime", "cli")


class Import(NamedTuple):
    importer: str
    imported: str
    where: str


def rooms() -> list[str]:
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def floor(unit: str) -> int:
    if unit in NOUNS:
        return len(FLOORS) - 1
    return next(index for index, names in enumerate(FLOORS) if unit in names)


def imports() -> Iterator[Import]:
    """Every import of one unit by another, a room or a noun, also one for type checking alone."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in DOORS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            package, *inner = node.module.split(".")
            if package != "live_cam":
                continue
            for name in inner[:1] or [each.name for each in node.names]:
                known = name in NOUNS or name in rooms()
                if known and name != parts[0]:
                    where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                    yield Import(parts[0], name, where)


def modules(room: str) -> list[str]:
    package = importlib.import_module(f"live_cam.{room}")
    if not hasattr(package, "__path__"):
        return [package.__name__]
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [package.__name__, *(each.name for each in found)]


def loaded_by(names: list[str]) -> set[str]:
    """Return which libraries importing some modules loads, in a process of its own."""
    program = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_every_room_has_its_floor() -> None:
    assert set(rooms()) <= {room for names in FLOORS for room in names}


def test_imports_run_down_only() -> None:
    wrong = [
        f"{each.where}: {each.importer} imports {each.imported}"
        for each in imports()
        if floor(each.importer) > floor(each.imported)
        or (floor(each.importer) == floor(each.imported) < len(FLOORS) - 1)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_top_level_stays_small() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 32


def test_few_units_know_each_other() -> None:
    assert len({each[:2] for each in imports()}) < 200


@pytest.mark.parametrize("room", [*WITHOUT_TORCH, *NOUNS])
def test_loads_no_torch(room: str) -> None:
    assert "torch" not in loaded_by(modules(room))


def test_help_loads_neither_torch_nor_opencv() -> None:
    program = (
        "import sys\nfrom live_cam.cli import exit_code\nimport threading\n"
        "sys.argv = ['live-cam', '--help']\nexit_code(threading.Event())\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Usage" in done.stdout
    assert {"torch", "cv2"}.isdisjoint(done.stderr.split())

"""Makes the project's virtual environment; the two commands of the README share it.

Standard library only: it runs on a machine that has Python and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_VENV = ROOT / ".venv"
_OLDEST = (3, 10)


def prepare(extra: str, *, without_dependencies: tuple[str, ...] = ()) -> Path:
    """Install the project with an extra into `.venv`, and return the environment's Python.

    What is installed already is left as it is: a stamp file remembers it.

    Args:
        extra: A name under `[project.optional-dependencies]`.
        without_dependencies: Packages to install after it, by themselves.
    """
    if sys.version_info < _OLDEST:
        sys.exit(
            f"Python {sys.version.split()[0]} is too old: live_cam needs "
            f"{'.'.join(map(str, _OLDEST))} or newer."
        )
    python = _VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Making the virtual environment {_VENV} …", flush=True)
        _make_venv()
    stamp = _VENV / f"installed-{extra}"
    wanted = hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + repr(without_dependencies).encode()
    ).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Installing what live_cam needs: a few minutes, once …", flush=True)
        _pip(python, "--editable", f"{ROOT}[{extra}]")
        for package in without_dependencies:
            _pip(python, "--no-deps", package)
        stamp.write_text(wanted)
    return python


def _make_venv() -> None:
    try:
        venv.create(_VENV, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(
            f"Python could not make {_VENV}: {error}\n"
            "On Debian and Ubuntu, first run: sudo apt install python3-venv"
        )


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    code = subprocess.call([*command, *arguments])
    if code != 0:
        sys.exit(f"pip could not install {arguments[-1]} (exit code {code}); its reason is above.")

"""Creates the project's virtual environment for the two commands of the README.

It uses only the standard library, so that it runs on a machine with nothing but Python.
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

    A stamp file records what is installed, so that this happens only once.

    Args:
        extra: A name under `[project.optional-dependencies]`.
        without_dependencies: Packages to install afterwards without their dependencies.
    """
    if sys.version_info < _OLDEST:
        sys.exit(
            f"Python {sys.version.split()[0]} is too old: live_cam needs "
            f"{'.'.join(map(str, _OLDEST))} or newer."
        )
    python = _VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Creating the virtual environment {_VENV} …", flush=True)
        _create_venv()
    stamp = _VENV / f"installed-{extra}"
    wanted = hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + repr(without_dependencies).encode()
    ).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Installing the dependencies of live_cam, which takes a few minutes …", flush=True)
        _pip(python, "--editable", f"{ROOT}[{extra}]")
        for package in without_dependencies:
            _pip(python, "--no-deps", package)
        stamp.write_text(wanted)
    return python


def _create_venv() -> None:
    try:
        venv.create(_VENV, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(
            f"Python could not create {_VENV}: {error}\n"
            "On Debian and Ubuntu, first run: sudo apt install python3-venv"
        )


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    code = subprocess.call([*command, *arguments])
    if code != 0:
        sys.exit(
            f"pip could not install {arguments[-1]} (exit code {code}); see its message above."
        )

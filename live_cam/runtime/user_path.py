"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path


def expanded(given: str) -> Path:
    """Return a path with `~` expanded to the home folder, if the user it names exists."""
    try:
        return Path(given).expanduser()
    except RuntimeError:  # no user of that name
        return Path(given)

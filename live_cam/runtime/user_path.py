"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path


def expanded(given: str) -> Path:
    """Return the path that a text means: `~` is the user's home folder, if there is such a user."""
    try:
        return Path(given).expanduser()
    except RuntimeError:  # a tilde, but nobody of that name
        return Path(given)

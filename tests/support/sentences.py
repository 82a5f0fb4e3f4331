"""What the user is told when something is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from live_cam.errors import LiveCamError

T = TypeVar("T")


class Refused(str):
    """One clear sentence."""

    __slots__ = ()


def attempt(call: Callable[[], T]) -> T | Refused:
    """Call something that either works or says in one sentence why not; all else fails the test."""
    try:
        return call()
    except LiveCamError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) == 1, sentence[:300]
    assert len(sentence) < 1500, sentence[:300]
    return Refused(sentence)

"""The sentence that a user sees when input is rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from live_cam.errors import LiveCamError

T = TypeVar("T")


class Rejected(str):
    """The error message of a rejected input."""

    __slots__ = ()


def attempt(call: Callable[[], T]) -> T | Rejected:
    """Call a function that must succeed or raise a typed error of one sentence."""
    try:
        return call()
    except LiveCamError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) == 1, sentence[:300]
    assert len(sentence) < 1500, sentence[:300]
    return Rejected(sentence)

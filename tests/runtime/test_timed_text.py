from __future__ import annotations

from live_cam.runtime.timed_text import KEY_SECONDS, TimedText

FILE = "saved live-cam-20261123-101500.png"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(*said: tuple[str, float] | tuple[str], after: tuple[float, ...]) -> list[str | None]:
    """Say all this at once, and return what is shown so many seconds later."""
    clock = Clock()
    confirmation = TimedText(clock)
    for each in said:
        confirmation.show(*each)
    texts = []
    for seconds in after:
        clock.now = 100.0 + seconds
        texts.append(confirmation.text)
    return texts


def test_at_first_nothing_is_shown() -> None:
    assert shown(after=(0.0,)) == [None]


def test_a_key_is_confirmed_for_a_second() -> None:
    assert shown(("mirrored", KEY_SECONDS), after=(0.0, 0.99, 1.01)) == [*2 * ["mirrored"], None]


def test_a_file_name_stays_longer() -> None:
    assert shown((FILE,), after=(2.9, 3.1)) == [FILE, None]


def test_the_latest_counts() -> None:
    said = (FILE,), ("mirrored", KEY_SECONDS)
    assert shown(*said, after=(0.0, 1.1)) == ["mirrored", None]

from __future__ import annotations

from live_cam.runtime.timed_text import KEY_SECONDS, TimedText

FILE = "saved live-cam-20261123-101500.png"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def visible(*shown: tuple[str, float] | tuple[str], after: tuple[float, ...]) -> list[str | None]:
    """Show some texts, and return the visible text after each number of seconds."""
    clock = Clock()
    timed = TimedText(clock)
    for arguments in shown:
        timed.show(*arguments)
    texts = []
    for seconds in after:
        clock.now = 100.0 + seconds
        texts.append(timed.text)
    return texts


def test_no_text_is_visible_at_first() -> None:
    assert visible(after=(0.0,)) == [None]


def test_a_key_confirmation_is_visible_for_a_second() -> None:
    assert visible(("mirrored", KEY_SECONDS), after=(0.0, 0.99, 1.01)) == [*2 * ["mirrored"], None]


def test_a_file_name_stays_visible_longer() -> None:
    assert visible((FILE,), after=(2.9, 3.1)) == [FILE, None]


def test_the_latest_text_replaces_earlier_ones() -> None:
    shown = (FILE,), ("mirrored", KEY_SECONDS)
    assert visible(*shown, after=(0.0, 1.1)) == ["mirrored", None]

"""Typed failures: every message says what was wrong, with the value, and what would be right.

The core raises these; `live_cam.cli` alone turns them into one sentence and an exit code. A
message names arguments as Python has them, in backticks: `layer`, or with a value, `device=cpu`.
The command line writes them as its options: --layer, --device cpu.
"""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 160


class LiveCamError(Exception):
    """A failure that the user can understand and act upon; its text is one clear sentence.

    Attributes:
        exit_code: The exit code of the command line when this error ends it.
    """

    exit_code = 1


class UsageError(LiveCamError):
    """What was asked for cannot be right: a wrong name, value or file."""

    exit_code = 2


class NameTakenError(UsageError):
    """A file of this name exists, and may not be written over."""


class CaptureError(LiveCamError):
    """A source of frames could not be opened, or was lost while it was read."""


class WindowError(LiveCamError):
    """There is no display to open a window on, or OpenCV was built without windows."""


class DeviceError(UsageError):
    """The device that was asked for is not in this machine, or torch was built without it."""


class WeightsError(LiveCamError):
    """Weights could not be had: no network, a broken download, a missing package."""


class NonFiniteError(LiveCamError):
    """The network's scores or gradients are NaN or infinite at every gradient scale."""


class EngineError(LiveCamError):
    """An engine cannot run this network on this machine; another one can."""


class OutOfMemoryError(EngineError):
    """A device has no memory left for what it was asked to do; it can go on with less."""


class DeviceLostError(EngineError):
    """A device has failed or is gone: nothing can be computed on it any more in this process."""


class UnexplainedError(EngineError):
    """No engine can explain a frame now; the frame itself can be shown all the same."""


class RecordingError(LiveCamError):
    """A video could not be encoded or written: no encoder, a full disk, a vanished folder.

    Attributes:
        brief: Why, in as few words as fit on an image.
    """

    def __init__(self, text: str, *, brief: str | None = None) -> None:
        """Take the sentence, and its short form where it has one."""
        super().__init__(text)
        self.brief = brief or text


def first_line(error: BaseException) -> str:
    """Return what an exception says, cut to its first line and a few words, without a full stop."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return shortened(line).rstrip(".")


def shortened(text: str) -> str:
    """Return a text that goes into a sentence: what is longer than two lines is cut."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

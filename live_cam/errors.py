"""Typed errors: every message says what was wrong, with the value, and what would be right.

The core raises these; only `live_cam.cli` turns them into one sentence and an exit code. A message
names Python arguments in backticks: `layer`, or with a value, `device=cpu`. The command line prints
them as options: --layer, --device cpu.
"""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 160


class LiveCamError(Exception):
    """An error that the user can understand and act on; its text is one clear sentence.

    Attributes:
        exit_code: The exit code of the command line when this error ends the program.
    """

    exit_code = 1


class UsageError(LiveCamError):
    """The request is invalid: a wrong name, value or file."""

    exit_code = 2


class NameTakenError(UsageError):
    """A file of this name exists and must not be overwritten."""


class CaptureError(LiveCamError):
    """A source of frames could not be opened, or was lost while reading."""


class WindowError(LiveCamError):
    """There is no display to open a window on, or OpenCV was built without windows."""


class DeviceError(UsageError):
    """This machine lacks the requested device, or torch was built without support for it."""


class WeightsError(LiveCamError):
    """Weights are unavailable: no network, a broken download, a missing package."""


class NonFiniteError(LiveCamError):
    """The network's logits or gradients are NaN or infinite at every gradient scale."""


class EngineError(LiveCamError):
    """An engine cannot run this network on this machine; another engine can."""


class OutOfMemoryError(EngineError):
    """A device ran out of memory; it still works with a smaller task."""


class DeviceLostError(EngineError):
    """A device failed or disappeared; this process can no longer compute on it."""


class UnexplainedError(EngineError):
    """No engine can explain a frame at the moment; the frame itself can still be shown."""


class RecordingError(LiveCamError):
    """A video could not be encoded or written: no encoder, a full disk, a vanished folder.

    Attributes:
        brief: The reason, short enough to be drawn on an image.
    """

    def __init__(self, text: str, *, brief: str | None = None) -> None:
        """Set the message and its short form.

        Args:
            text: The sentence.
            brief: Its short form, or None to use the sentence.
        """
        super().__init__(text)
        self.brief = brief or text


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, shortened and without a full stop."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return shortened(line).rstrip(".")


def shortened(text: str) -> str:
    """Cut a text to at most two lines, to quote it in a sentence."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

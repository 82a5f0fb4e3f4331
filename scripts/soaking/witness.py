"""Observes the live loop, and checks that the recordings it reports exist."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import av.error

if TYPE_CHECKING:
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.live.schedule import Shown

_RECORDED: Final = re.compile(r"recorded (?P<path>.+): (?P<images>\d+) images, ")
_BIN: Final = 0.005
"""The width of the histogram's bins for ages, in seconds. A list of a million ages would look like
a leak."""


class Witness:
    """Observes the live loop and receives its messages.

    Attributes:
        images: The number of images shown.
        explanations: The number of frames explained.
        shown_at: The time of the last shown image, on the clock of `time.monotonic`.
        explained_at: The capture time of the last explained frame, on the same clock.
        lost: Missing results, a sentence each.
        recordings: The number of recordings checked.
        recorded: The number of images in them.
        messages: The number of times of each message, with numbers replaced by `#`.
    """

    def __init__(self) -> None:
        self.images = 0
        self.explanations = 0
        self.shown_at = 0.0
        self.explained_at = 0.0
        self.lost: list[str] = []
        self.recordings = 0
        self.recorded = 0
        self.messages: Counter[str] = Counter()
        self._ages: Counter[int] = Counter()
        self._last = -1
        self._suspended = False
        self._dropped = 0
        self._to_read: queue.SimpleQueue[tuple[Path, int, int] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Check the remaining recordings."""
        self._to_read.put(None)
        self._reader.join()

    # ---- called by the loop --------------------------------------------------------------------

    def shown(self, shown: Shown) -> None:
        self.images += 1
        self.shown_at = time.monotonic()
        if shown.frame.index <= self._last:
            self.lost.append(f"frame {shown.frame.index} was shown after frame {self._last}")
        self._last = shown.frame.index
        if shown.explanation and not self._suspended:
            age = shown.frame.timestamp - shown.explanation.timestamp
            self._ages[round(age / _BIN)] += 1

    def explained(self, frame: Frame, explanation: Explanation) -> None:
        del explanation
        self.explanations += 1
        self.explained_at = frame.timestamp

    def notify(self, text: str) -> None:
        """Count a message, and queue the recording that it reports."""
        self.messages[re.sub(r"[\d.]+", "#", text)] += 1
        match = _RECORDED.match(text)
        if match:
            # Resolved now, because the working folder may be replaced before the file is read.
            path = Path(match["path"]).absolute()
            self._to_read.put((path, int(match["images"]), self._dropped))

    # ---- called by the faults ------------------------------------------------------------------

    def suspend(self) -> None:
        """Stop counting ages during a fault."""
        self._suspended = True

    def resume(self) -> None:
        """Count ages again."""
        self._suspended = False

    def drop_files(self) -> None:
        """Expect no recordings that are still unread; their folder is being deleted."""
        self._dropped += 1

    # ---- the outcome ---------------------------------------------------------------------------

    def age(self, share: float) -> float:
        """Return a quantile of the age of the explanations on the images, in seconds.

        Faults and the recovery from them are left out.
        """
        left = share * sum(self._ages.values())
        for age, count in sorted(self._ages.items()):
            left -= count
            if left <= 0:
                return age * _BIN
        return 0.0

    def _read(self) -> None:
        for path, expected, dropped in iter(self._to_read.get, None):
            try:
                with av.open(path) as container:
                    images = sum(1 for packet in container.demux(video=0) if packet.size)
            except (OSError, av.error.FFmpegError) as error:
                if dropped == self._dropped:
                    self.lost.append(f"{path.name} cannot be read: {error}")
                continue
            if images != expected:
                self.lost.append(f"{path.name} has {images} of {expected} images")
            self.recordings += 1
            self.recorded += images
            path.unlink(missing_ok=True)

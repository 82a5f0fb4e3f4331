"""Sees what the loop does, and whether all that it says it wrote is there."""

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
"""Seconds: so finely ages are counted. A list of a million would look like a leak."""


class Witness:
    """The loop's observer, and the one to whom it speaks.

    Attributes:
        images: How many images were shown.
        explanations: How many frames were explained.
        shown_at: When the last image was shown, on the clock of `time.monotonic`.
        explained_at: When the newest frame that was explained was taken, on the same clock.
        lost: What should be there and is not, a sentence each.
        recordings: How many recordings were read again.
        recorded: How many images are in them.
        said: How often each sentence was said; numbers in it are left out.
    """

    def __init__(self) -> None:
        self.images = 0
        self.explanations = 0
        self.shown_at = 0.0
        self.explained_at = 0.0
        self.lost: list[str] = []
        self.recordings = 0
        self.recorded = 0
        self.said: Counter[str] = Counter()
        self._ages: Counter[int] = Counter()
        self._last = -1
        self._suspended = False
        self._forgotten = 0
        self._to_read: queue.SimpleQueue[tuple[Path, int, int] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Read the last recordings."""
        self._to_read.put(None)
        self._reader.join()

    # ---- of the loop ---------------------------------------------------------------------------

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
        """Take what the program says."""
        self.said[re.sub(r"[\d.]+", "#", text)] += 1
        found = _RECORDED.match(text)
        if found:
            # The folder may be replaced until it is read: the path is resolved now.
            path = Path(found["path"]).absolute()
            self._to_read.put((path, int(found["images"]), self._forgotten))

    # ---- of the faults -------------------------------------------------------------------------

    def suspend(self) -> None:
        """Count no ages: something is broken."""
        self._suspended = True

    def resume(self) -> None:
        """Count ages again."""
        self._suspended = False

    def forget_files(self) -> None:
        """Expect no recordings that are not read yet: somebody deletes them."""
        self._forgotten += 1

    # ---- the outcome ---------------------------------------------------------------------------

    def age(self, share: float) -> float:
        """Return the age in seconds that this share of the images' explanations did not exceed.

        Faults, and what the program needed to get over them, are left out.
        """
        left = share * sum(self._ages.values())
        for age, count in sorted(self._ages.items()):
            left -= count
            if left <= 0:
                return age * _BIN
        return 0.0

    def _read(self) -> None:
        for path, said, forgotten in iter(self._to_read.get, None):
            try:
                with av.open(path) as container:
                    found = sum(1 for packet in container.demux(video=0) if packet.size)
            except (OSError, av.error.FFmpegError) as error:
                if forgotten == self._forgotten:
                    self.lost.append(f"{path.name} cannot be read: {error}")
                continue
            if found != said:
                self.lost.append(f"{path.name} has {found} of {said} images")
            self.recordings += 1
            self.recorded += found
            path.unlink(missing_ok=True)

"""The packets of a stream that wait for their decoder, and which of them it can do without."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_FEW: Final = 15
"""So many may wait before the decoder skips to the next key image."""
_MANY: Final = 600
"""So many without a key image among them are thrown away, and what comes up to the next one."""


class Arrival(NamedTuple):
    """A packet, not decoded yet."""

    packet: Packet[VideoStream]
    timestamp: float
    """Seconds of `time.monotonic()`, when it was here."""


class Backlog:
    """A queue that forgets what is old, so that a slow decoder shows the present.

    An image that stands by itself makes all before it superfluous; one that builds upon others
    needs all of them since the last key image.
    """

    def __init__(self, *, independent: bool, live: bool = True) -> None:
        """Start empty.

        Args:
            independent: Whether each image can be decoded without those before it.
            live: Whether what is old may be forgotten.
        """
        self._independent = independent
        self._live = live
        self._waiting: deque[Arrival] = deque()
        self._lacks_key = False

    def __len__(self) -> int:
        """How many packets wait."""
        return len(self._waiting)

    def put(self, arrival: Arrival) -> None:
        """Add the newest packet, and forget those that it makes superfluous."""
        if not self._live:
            pass
        elif self._independent:
            self._waiting.clear()
        elif arrival.packet.is_keyframe:
            if len(self._waiting) >= _FEW:
                self._waiting.clear()
            self._lacks_key = False
        elif self._lacks_key:
            return
        elif len(self._waiting) >= _MANY:
            self._waiting.clear()
            self._lacks_key = True
            return
        self._waiting.append(arrival)

    def take(self) -> Arrival | None:
        """Return the packet to decode next; None: none waits."""
        return self._waiting.popleft() if self._waiting else None

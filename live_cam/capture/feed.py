"""Receiving packets from a server in a thread, so that nothing else waits for the network."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.capture.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av.packet import Packet
    from av.video.stream import VideoStream

TIMEOUT: Final = 10.0
"""Seconds of silence after which the server counts as lost."""
_OPTIONS: Final[Mapping[str, str]] = {
    # Over UDP, the default, a lost packet smears grey over the image for seconds.
    "rtsp_transport": "tcp",
    # Half a second suffices to detect the codec; the default of 5 s delays the first image.
    # Packets that arrive meanwhile are kept and then decoded immediately. (`nobuffer` would drop
    # the first key frame, and with it all images until the next one.)
    "analyzeduration": "500000",
}
_READ_AHEAD: Final = 100
"""Maximum number of packets read ahead in a finite video."""
_POLL_INTERVAL: Final = 0.25
_SKIP_FROM: Final = 15
"""Number of waiting packets from which the decoder skips to the next key frame."""
_MOST_WAITING: Final = 600
"""Number of waiting packets at which all are dropped, and all new ones up to the next key frame."""


class Arrival(NamedTuple):
    """A packet that is not decoded yet."""

    packet: Packet[VideoStream]
    timestamp: float
    """Arrival time, in seconds of `time.monotonic()`."""


class Backlog:
    """The queue of packets in front of a decoder.

    For a live stream it drops outdated packets, so a slow decoder still shows the present. A packet
    that decodes independently replaces all earlier ones; any other packet needs its predecessors
    back to the last key frame.
    """

    def __init__(self, *, independent: bool, live: bool = True) -> None:
        """Start empty.

        Args:
            independent: Whether each image decodes without earlier ones.
            live: Whether outdated packets may be dropped.
        """
        self._independent = independent
        self._live = live
        self._waiting: deque[Arrival] = deque()
        self._needs_key_frame = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, arrival: Arrival) -> None:
        """Append the newest packet, and drop those that it supersedes."""
        if not self._live:
            pass
        elif self._independent:
            self._waiting.clear()
        elif arrival.packet.is_keyframe:
            if len(self._waiting) >= _SKIP_FROM:
                self._waiting.clear()
            self._needs_key_frame = False
        elif self._needs_key_frame:
            return
        elif len(self._waiting) >= _MOST_WAITING:
            self._waiting.clear()
            self._needs_key_frame = True
            return
        self._waiting.append(arrival)

    def take(self) -> Arrival | None:
        """Return the next packet to decode, or None if the queue is empty."""
        return self._waiting.popleft() if self._waiting else None


class Feed:
    """A thread that opens a stream and receives its packets until the stream ends.

    A server may stay silent for longer than a user would wait. Packets of a live stream are
    received immediately, so none grows old on the way; a finite video waits for its reader.

    Attributes:
        decoder: The open stream, which decodes the packets, or None before it is open.
        error: The exception that prevented opening or ended the stream, or None.
        ended: Whether no more packets will arrive.
    """

    def __init__(self, url: str, name: str) -> None:
        """Start opening the stream.

        Args:
            url: Its URL.
            name: Its display name.
        """
        self.decoder: Decoder | None = None
        self.error: Exception | None = None
        self.ended = False
        self._url = url
        self._name = name
        self._changed = threading.Condition()
        self._backlog = Backlog(independent=False)
        self._abandoned = False
        threading.Thread(target=self._run, name=f"live_cam feed {name}", daemon=True).start()

    def wait_until_open(self) -> Decoder | None:
        """Wait until the stream is open and return its decoder, or None if opening fails."""
        with self._changed:
            while self.decoder is None and not self.ended:
                self._changed.wait(_POLL_INTERVAL)  # Windows handles Ctrl-C only between waits
            return self.decoder

    def next(self, timeout: float) -> Arrival | None:
        """Return the next packet to decode, or None after `timeout` seconds or at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._backlog or self.ended, timeout)
            self._changed.notify_all()
            return self._backlog.take()

    def abandon(self) -> None:
        """Stop receiving, without waiting: the thread closes the stream once it is unblocked."""
        with self._changed:
            self._abandoned = True
            ended = self.ended
            self._changed.notify_all()
        if ended and self.decoder is not None:
            self.decoder.close()

    def _run(self) -> None:
        decoder: Decoder | None = None
        try:
            decoder = Decoder(
                self._url, name=self._name, may_be_live=True, options=_OPTIONS, timeout=TIMEOUT
            )
            with self._changed:
                self._backlog = Backlog(independent=decoder.independent, live=not decoder.paced)
                self.decoder = decoder
                self._changed.notify_all()
            self._receive(decoder)
        except Exception as error:  # handled by the reader; it may contain the URL
            self.error = error
        finally:
            with self._changed:
                self.ended = True
                abandoned = self._abandoned
                self._changed.notify_all()
            if abandoned and decoder is not None:
                decoder.close()

    def _receive(self, decoder: Decoder) -> None:
        for packet in decoder.packets():
            arrival = Arrival(packet, time.monotonic())
            with self._changed:
                while decoder.paced and len(self._backlog) >= _READ_AHEAD and not self._abandoned:
                    self._changed.wait(_POLL_INTERVAL)
                if self._abandoned:
                    return
                self._backlog.put(arrival)
                self._changed.notify_all()

"""All that a server sends, taken as it comes, so that nobody else waits for the network."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from live_cam.capture.backlog import Arrival, Backlog
from live_cam.capture.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = 10.0
"""Seconds without a word from the server after which it is lost."""
_OPTIONS: Final[Mapping[str, str]] = {
    # Over UDP, which is the default, a lost packet is a grey smear for seconds.
    "rtsp_transport": "tcp",
    # Half a second is enough to know the codec; the default of 5 s delays the first image.
    # What arrives meanwhile is kept and decoded at once (no `nobuffer`: it would throw the first
    # key image away, and the ones until the next one with it).
    "analyzeduration": "500000",
}
_AHEAD: Final = 100
"""Packets of a video with an end that are read ahead."""
_LOOK: Final = 0.25


class Feed:
    """A thread that opens a stream, and takes its packets as they come until the stream ends.

    The network may not answer for longer than anybody would wait. Of a live stream everything is
    taken at once, so that nothing grows old on the way; a video with an end waits for its reader.

    Attributes:
        decoder: The opened stream, for whoever decodes the packets; None before.
        error: Why it could not be opened, or ended; None: it is open, or it came to an end.
        ended: Whether no more packets come.
    """

    def __init__(self, url: str, name: str) -> None:
        """Begin to open the stream.

        Args:
            url: Where it is.
            name: What the user knows it as.
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
        """Wait until the stream is open, or cannot be opened, and return the decoder or None."""
        with self._changed:
            while self.decoder is None and not self.ended:
                self._changed.wait(_LOOK)  # in steps, between which Ctrl-C is heard on Windows
            return self.decoder

    def next(self, timeout: float) -> Arrival | None:
        """Return the next packet to decode; None: there was none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._backlog or self.ended, timeout)
            self._changed.notify_all()
            return self._backlog.take()

    def abandon(self) -> None:
        """Take nothing more; the stream is closed as soon as the server lets go of the thread."""
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
            self._take_packets(decoder)
        except Exception as error:  # told to whoever waits for the stream; it may hold the URL
            self.error = error
        finally:
            with self._changed:
                self.ended = True
                abandoned = self._abandoned
                self._changed.notify_all()
            if abandoned and decoder is not None:
                decoder.close()

    def _take_packets(self, decoder: Decoder) -> None:
        for packet in decoder.packets():
            arrival = Arrival(packet, time.monotonic())
            with self._changed:
                # What has an end waits for whoever decodes it.
                while decoder.paced and len(self._backlog) >= _AHEAD and not self._abandoned:
                    self._changed.wait(_LOOK)
                if self._abandoned:
                    return
                self._backlog.put(arrival)
                self._changed.notify_all()

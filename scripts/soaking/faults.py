"""Breaks something, mends it after a while, and waits until the program has got over it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from live_cam.live.actions import ACTIONS
from soaking.camera import SyntheticCamera

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from live_cam.live.controls import Controls
    from live_cam.live.pipeline import LivePipeline
    from soaking.network import NetworkFaults
    from soaking.witness import Witness

_LASTING: Final = (0.3, 4.0)
"""Seconds that a fault lasts."""
_PATIENCE: Final = 30.0
"""Seconds in which the program must have got over a fault; it has pauses of its own."""
_LOOK: Final = 0.01
_HANDED_OVER: Final = 0.1
"""Seconds in which a new explanation is surely on its way to the image."""
_BLOCK: Final = bytes(1 << 16)
_TYPING: Final = 0.7
"""Share of the keys that are letters while a class is typed."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789 "
_CALM_EVERY: Final = 20
"""Keys after which someone puts the view back: no fault, but each view has another cost."""
_RECORD_EVERY: Final = 7
"""Keys after which the one that starts and ends recordings is pressed, beside its turn."""
_FREEZE: Final = 0.2
"""Seconds for which an image may be frozen, since nothing new is shown meanwhile."""


class Faults:
    """Injects faults one after another, drawn from a seed.

    Attributes:
        returns: Of each kind, for how many seconds after its end nothing new was shown or, where
            it was the network's, explained.
        overdue: What did not come back in time.
    """

    def __init__(
        self,
        seed: int,
        pause: float,
        camera: SyntheticCamera,
        network: NetworkFaults,
        disk: Path | None,
        witness: Witness,
    ) -> None:
        """Begin.

        Args:
            seed: What happens when is drawn from it.
            pause: Mean seconds between two faults.
            camera: To be broken.
            network: Likewise.
            disk: A small file system, the folder in which the program runs; None: leave disks
                alone, and what else ends a run that nobody watches.
            witness: Knows what is shown.
        """
        self.returns: dict[str, list[float]] = defaultdict(list)
        self.overdue: list[str] = []
        self._random = random.Random(seed)
        self._pause = pause
        self._camera = camera
        self._network = network
        self._disk = disk
        self._witness = witness
        self._kinds: dict[str, Callable[[float], None]] = {
            **{f"camera {kind}": self._break_camera for kind in SyntheticCamera.FAULTS},
            "network not finite": self._break_network,
            "process stopped": self._stop_process,
        }
        if disk:
            self._kinds["network no memory"] = self._break_network
            self._kinds["disk full"] = self._fill
            self._kinds["folder gone"] = self._take_away
        self._kind = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Mend everything and break nothing more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._random.expovariate(1 / self._pause)):
            if not self._witness.explanations:
                continue  # what is broken before the network is loaded ends a run, by design
            self._kind = self._random.choice(list(self._kinds))
            lasting = self._random.uniform(*_LASTING)
            self._witness.suspend()
            self._kinds[self._kind](lasting)
            self._await(explained=self._kind.startswith("network"))

    def _await(self, *, explained: bool) -> None:
        """Wait until images come again and are explained."""
        ended = time.monotonic()
        shown_at: float | None = None
        while not self._stop.wait(_LOOK):
            now = time.monotonic()
            if shown_at is None and self._witness.shown_at > ended:
                shown_at = now
            if self._witness.explained_at > ended and shown_at is not None:
                break
            if now - ended > _PATIENCE:
                self.overdue.append(self._kind)
                break
        else:
            return
        self.returns[self._kind].append((now if explained else shown_at or now) - ended)
        self._stop.wait(_HANDED_OVER)
        self._witness.resume()

    # ---- what can break ------------------------------------------------------------------------

    def _break_camera(self, lasting: float) -> None:
        self._camera.fault = self._kind.partition(" ")[2]
        self._stop.wait(lasting)
        self._camera.fault = None

    def _break_network(self, lasting: float) -> None:
        self._network.fault = self._kind.partition(" ")[2]
        self._stop.wait(lasting)
        self._network.fault = None

    def _stop_process(self, lasting: float) -> None:
        """Stop this process as Ctrl-Z does, and let it go on, by the hand of another."""
        command = f"sleep {lasting}; kill -CONT {os.getpid()}"
        with subprocess.Popen(["sh", "-c", command]):
            os.kill(os.getpid(), signal.SIGSTOP)

    def _fill(self, lasting: float) -> None:
        """Leave no room on the disk."""
        assert self._disk is not None
        filler = self._disk.parent / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(_BLOCK)
        self._stop.wait(lasting)
        filler.unlink(missing_ok=True)

    def _take_away(self, lasting: float) -> None:
        """Delete the folder in which the program runs, and put an empty one in its place."""
        assert self._disk is not None
        self._witness.forget_files()
        shutil.rmtree(self._disk, ignore_errors=True)
        self._stop.wait(lasting)
        self._disk.mkdir(exist_ok=True)
        os.chdir(self._disk)


class Keys:
    """Somebody who presses every key but those that quit, drawn from a seed."""

    def __init__(self, seed: int, per_second: float, pipeline: LivePipeline) -> None:
        """Begin.

        Args:
            seed: What is pressed when is drawn from it.
            per_second: Keys per second, on average.
            pipeline: Where they are pressed.
        """
        self.pressed = 0
        self._random = random.Random(seed)
        self._pause = 1 / per_second
        self._pipeline = pipeline
        self._keys = [key for action in ACTIONS if action.name != "quit" for key in action.keys]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Press nothing more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._random.expovariate(1 / self._pause)):
            self.pressed += 1
            if self.pressed % _CALM_EVERY == 0:
                self._calm_down()
            elif self._pipeline.controls.entry is not None and self._random.random() < _TYPING:
                self._pipeline.press(self._random.choice(_LETTERS))
            else:
                keys = ["r"] if self.pressed % _RECORD_EVERY == 0 else [*self._keys, "enter"]
                self._pipeline.press(self._random.choice(keys))
            if self._pipeline.controls.frozen:
                self._stop.wait(_FREEZE)
                self._pipeline.change(partial(replace, frozen=False))

    def _calm_down(self) -> None:
        self._pipeline.change(_calmed)


def _calmed(controls: Controls) -> Controls:
    calmed = replace(controls, entry=None, randomised=False, full_screen=False)
    return calmed.with_look(view="overlay")

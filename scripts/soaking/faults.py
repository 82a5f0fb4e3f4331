"""Injects faults, ends them after a while, and waits until the program has recovered."""

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
"""The duration of a fault in seconds, from and to."""
_PATIENCE: Final = 30.0
"""Seconds within which the program must recover from a fault, its own pauses included."""
_POLL: Final = 0.01
_HANDOVER: Final = 0.1
"""Seconds after which a new explanation has certainly reached the drawn image."""
_BLOCK: Final = bytes(1 << 16)
_TYPING: Final = 0.7
"""Share of the keys that are letters while a class is typed."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789 "
_RESET_EVERY: Final = 20
"""Keys after which the view is reset, because views differ in cost."""
_RECORD_EVERY: Final = 7
"""Keys after which the recording key is pressed, in addition to its random share."""
_FREEZE: Final = 0.2
"""Seconds for which the image may stay frozen; nothing new is shown meanwhile."""


class Faults:
    """Injects faults one after the other, drawn from a seed.

    Attributes:
        returns: The recovery times by kind of fault: seconds from its end to the next image or,
            for faults of the network, to the next explanation.
        overdue: The kinds of the faults from which the program did not recover in time.
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
        """Start the thread.

        Args:
            seed: The seed of the faults.
            pause: Mean seconds between two faults.
            camera: The camera to break.
            network: The network to break.
            disk: The program's working folder on a small file system, or None to leave out all
                faults that end a run without a window.
            witness: Observes the recovery.
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
            self._kinds["disk full"] = self._fill_disk
            self._kinds["folder gone"] = self._remove_folder
        self._kind = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the present fault and inject no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._random.expovariate(1 / self._pause)):
            if not self._witness.explanations:
                continue  # a fault before the network is loaded ends a run, by design
            self._kind = self._random.choice(list(self._kinds))
            lasting = self._random.uniform(*_LASTING)
            self._witness.suspend()
            self._kinds[self._kind](lasting)
            self._await_recovery(explained=self._kind.startswith("network"))

    def _await_recovery(self, *, explained: bool) -> None:
        """Wait until new images are shown and explained."""
        ended = time.monotonic()
        shown_at: float | None = None
        while not self._stop.wait(_POLL):
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
        self._stop.wait(_HANDOVER)
        self._witness.resume()

    # ---- the faults ----------------------------------------------------------------------------

    def _break_camera(self, lasting: float) -> None:
        self._camera.fault = self._kind.partition(" ")[2]
        self._stop.wait(lasting)
        self._camera.fault = None

    def _break_network(self, lasting: float) -> None:
        self._network.fault = self._kind.partition(" ")[2]
        self._stop.wait(lasting)
        self._network.fault = None

    def _stop_process(self, lasting: float) -> None:
        """Stop this process as Ctrl-Z does, and let another process continue it."""
        command = f"sleep {lasting}; kill -CONT {os.getpid()}"
        with subprocess.Popen(["sh", "-c", command]):
            os.kill(os.getpid(), signal.SIGSTOP)

    def _fill_disk(self, lasting: float) -> None:
        """Leave no space on the disk."""
        assert self._disk is not None
        filler = self._disk.parent / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(_BLOCK)
        self._stop.wait(lasting)
        filler.unlink(missing_ok=True)

    def _remove_folder(self, lasting: float) -> None:
        """Delete the program's working folder, and replace it by an empty one."""
        assert self._disk is not None
        self._witness.drop_files()
        shutil.rmtree(self._disk, ignore_errors=True)
        self._stop.wait(lasting)
        self._disk.mkdir(exist_ok=True)
        os.chdir(self._disk)


class Keys:
    """Presses random keys, except those that quit."""

    def __init__(self, seed: int, per_second: float, pipeline: LivePipeline) -> None:
        """Start the thread.

        Args:
            seed: The seed of the keys.
            per_second: Mean keys per second.
            pipeline: The pipeline that receives the keys.
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
        """Press no more keys."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._random.expovariate(1 / self._pause)):
            self.pressed += 1
            if self.pressed % _RESET_EVERY == 0:
                self._reset_view()
            elif self._pipeline.controls.entry is not None and self._random.random() < _TYPING:
                self._pipeline.press(self._random.choice(_LETTERS))
            else:
                keys = ["r"] if self.pressed % _RECORD_EVERY == 0 else [*self._keys, "enter"]
                self._pipeline.press(self._random.choice(keys))
            if self._pipeline.controls.frozen:
                self._stop.wait(_FREEZE)
                self._pipeline.change(partial(replace, frozen=False))

    def _reset_view(self) -> None:
        self._pipeline.change(_with_view_reset)


def _with_view_reset(controls: Controls) -> Controls:
    changed = replace(controls, entry=None, randomised=False, full_screen=False)
    return changed.with_look(view="overlay")

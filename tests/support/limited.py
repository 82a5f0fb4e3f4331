"""Opens untrusted files in a separate process with limited memory and time.

A file that crashes a C library, takes all memory or never ends then fails one test instead of
ending the run. Run as `python -m tests.support.limited KIND MEGABYTES`, with paths on its input.
"""

from __future__ import annotations

import importlib
import json
import math
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.support.program import environment
from tests.support.sentences import Rejected, attempt

SECONDS = 60
"""The time limit for each file, far more than it takes on the slowest machine."""
FRAMES = 40
MEGABYTE = 1 << 20


class Outcome(NamedTuple):
    path: str
    read: bool
    text: str
    """The sentence with which the file was rejected, or a description of what was read."""
    megabytes: int
    """The rise of the memory in use, at its peak."""


def opened(kind: str, paths: Iterable[Path], *, megabytes: int) -> dict[str, Outcome]:
    """Open files, and fail at the first one that is neither read nor rejected in one sentence.

    Args:
        kind: `weights`, `labels` or `images` (images and videos).
        paths: The files.
        megabytes: The address space available for the files.

    Returns:
        The outcomes by file name.
    """
    names = [str(path) for path in paths]
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "tests.support.limited", kind, str(megabytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Each thread of a decoder would reserve 64 MB of addresses for its own heap.
        env=environment(MALLOC_ARENA_MAX="1"),
    )
    output, errors = process.communicate("\n".join(names))
    outcomes = [Outcome(*json.loads(line)) for line in output.splitlines()]
    if len(outcomes) < len(names):
        end = f"ended by signal {-process.returncode}" if process.returncode < 0 else "crashed"
        raise AssertionError(f"{names[len(outcomes)]}: {end}\n{errors[-3000:]}")
    return {Path(outcome.path).name: outcome for outcome in outcomes}


def main(kind: str, megabytes: int) -> None:
    read = {"weights": weights_reader, "labels": labels_reader, "images": images_reader}[kind]()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = memory("VmSize") + megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for line in sys.stdin:
        path = line.rstrip("\n")
        signal.alarm(SECONDS)  # its default action ends the process
        before = reset_peak()
        text = attempt(partial(read, Path(path)))
        peak = (memory("VmHWM") - before) // MEGABYTE
        outcome = Outcome(path, not isinstance(text, Rejected), text, peak)
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()


def weights_reader() -> Callable[[Path], str]:
    from live_cam.network.classifier import load_classifier
    from tests.support import tiny

    def read(path: Path) -> str:
        with tiny.registered():
            return f"{len(load_classifier(tiny.NAME, weights=path).labels)} classes"

    return read


def labels_reader() -> Callable[[Path], str]:
    from live_cam.labels import load_labels

    return lambda path: f"{len(load_labels(path))} labels"


def images_reader() -> Callable[[Path], str]:
    import numpy as np

    from live_cam.capture import open_source

    def read(path: Path) -> str:
        sizes: list[Sequence[int]] = []
        last = -1.0
        with open_source(str(path), hold=0) as source:
            while len(sizes) < FRAMES and (frame := source.read()) is not None:
                assert frame.image.dtype == np.uint8
                assert frame.image.ndim == 3
                assert frame.image.size > 0
                assert math.isfinite(frame.timestamp)
                assert last < frame.timestamp < last + 7 * 24 * 3600
                last = frame.timestamp
                sizes.append(frame.image.shape)
        return f"{len(sizes)} images"

    # Imported before the memory is measured, not when the first image is opened.
    for module in ("stills", "video"):
        importlib.import_module(f"live_cam.capture.{module}")
    return read


def memory(field: str) -> int:
    """Return a field of `/proc/self/status`, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise ValueError(f"no {field} in /proc/self/status")


def reset_peak() -> int:
    """Reset the peak of the memory in use, and return the present use in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmHWM")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

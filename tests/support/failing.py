"""`live-cam` with engines that fail like real drivers: `failing.py FAULT ARGUMENTS`.

Runs as a program, in place of `python -m live_cam`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.drivers import LOST, NO_MEMORY

if TYPE_CHECKING:
    from live_cam.engines.engine import Engine

FAILED = Path("failed")
"""Created in the working directory when an engine fails."""
FRAMES = 4
"""How many frames an engine explains after it took over and before it fails."""
TRIAL = 4


def break_down(kind: type[Engine], error: Exception, after: int, device: str = "cpu") -> None:
    """Let every engine of a kind fail from some call on."""
    explain, evidence = kind.explain, kind.evidence
    calls = 0

    def count(engine: Engine) -> None:
        nonlocal calls
        calls += engine.device == device
        if calls > after and engine.device == device:
            FAILED.touch()
            raise error

    def failing_explain(engine: Engine, *arguments: Any) -> Any:
        count(engine)
        return explain(engine, *arguments)

    def failing_evidence(engine: Engine, *arguments: Any) -> Any:
        count(engine)
        return evidence(engine, *arguments)

    kind.explain = failing_explain  # type: ignore[assignment, method-assign]
    kind.evidence = failing_evidence  # type: ignore[assignment, method-assign]


def pretend_to_have_a_gpu() -> None:
    """Report the network's device as `cuda:0` until it is loaded explicitly on the CPU."""
    import torch

    from live_cam.explain import loading
    from live_cam.settings import NetworkSettings

    load = loading.load_network

    def on_gpu(settings: NetworkSettings, *arguments: Any) -> loading.Loaded:
        loaded = load(settings, *arguments)
        if settings.device == "cpu":
            return loaded
        return loaded._replace(device=torch.device("cuda", 0))

    loading.load_network = on_gpu  # type: ignore[assignment]


def inject(fault: str) -> None:
    from live_cam.engines.hook import HookEngine
    from live_cam.engines.openvino import OpenVINOEngine
    from live_cam.engines.torch_engine import TorchEngine

    if fault == "openvino":
        break_down(OpenVINOEngine, LOST["openvino"], TRIAL + FRAMES)
    elif fault == "torch":
        break_down(TorchEngine, LOST["cudnn"], TRIAL + FRAMES)
    elif fault == "gpu":
        pretend_to_have_a_gpu()
        break_down(HookEngine, LOST["cuda"], FRAMES, "cuda:0")
    elif fault == "all":
        break_down(HookEngine, NO_MEMORY["cpu"], FRAMES)


if __name__ == "__main__":
    from live_cam.cli import main

    inject(sys.argv.pop(1))
    main()

from __future__ import annotations

import pytest
import torch

from live_cam.engines.faults import free_memory, known_fault, reason
from live_cam.errors import DeviceLostError, EngineError, OutOfMemoryError
from tests.support.drivers import LOST, NO_MEMORY


@pytest.mark.parametrize("error", NO_MEMORY.values(), ids=NO_MEMORY)
@pytest.mark.parametrize("device", ["cuda:0", "mps", "cpu"])
def test_running_out_of_memory_is_distinguished_from_a_lost_device(
    error: Exception, device: str
) -> None:
    fault = known_fault(error, "torch", device)
    assert isinstance(fault, OutOfMemoryError)
    assert str(fault).startswith("torch has run out of memory (")
    assert "\n" not in str(fault)


@pytest.mark.parametrize("error", LOST.values(), ids=LOST)
def test_a_lost_device_is_recognised(error: Exception) -> None:
    fault = known_fault(error, "torch", "cuda:0")
    assert isinstance(fault, DeviceLostError)
    assert str(fault).startswith("the device cuda:0 has failed (")
    assert "\n" not in str(fault)


def test_a_cpu_is_never_lost() -> None:
    for error in LOST.values():
        assert known_fault(error, "torch", "cpu") is None
    refused = RuntimeError("could not create a primitive")
    assert isinstance(known_fault(refused, "hook cpu fp32", "cpu"), EngineError)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x128 and 64x10)"),
        RuntimeError("frames are explained only between load() and close()"),
    ],
)
def test_a_bug_is_not_classified_as_a_fault(error: Exception) -> None:
    for device in ("cpu", "cuda:0"):
        assert known_fault(error, "torch", device) is None


def test_the_reason_is_the_innermost_one_of_openvino() -> None:
    assert reason(LOST["openvino"]) == "[GPU] clFlush, error code: -5 CL_OUT_OF_RESOURCES"


def test_memory_of_a_lost_device_can_be_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []

    def fail() -> None:
        freed.append("cuda")
        raise LOST["cuda"]

    monkeypatch.setattr(torch.cuda, "empty_cache", fail)
    free_memory("cuda:0")
    free_memory("cpu")
    assert freed == ["cuda"]

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

import pytest
import torch

from live_cam.errors import DeviceError, UsageError
from live_cam.network.precision import Precision, cuda_problem, select_device


def test_auto_finds_a_device_and_its_format() -> None:
    device = select_device("auto")
    assert device.type in ("cpu", "cuda", "mps", "xpu")
    assert (Precision("auto", torch.device("cpu")).name, Precision("auto").scale) == ("fp32", 1.0)


@pytest.mark.parametrize(
    ("kind", "name"), [("cuda", "fp16"), ("mps", "fp16"), ("xpu", "bf16"), ("cpu", "fp32")]
)
def test_auto_takes_the_format_of_the_device(kind: str, name: str) -> None:
    assert Precision("auto", torch.device(kind)).name == name


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_an_absent_device_is_one_clear_error(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}[kind]
    monkeypatch.setattr(backend, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=rf"the device {kind} is not available.*`device=auto`"):
        select_device(kind)


def test_an_index_beyond_the_last_device_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert select_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="there are 2, numbered from cuda:0"):
        select_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:x", ""])
def test_an_unknown_device_is_rejected(name: str) -> None:
    with pytest.raises(UsageError, match="choose auto, cpu, cuda"):
        select_device(name)


def test_an_unknown_precision_is_rejected() -> None:
    with pytest.raises(UsageError, match=r"'fp8'.*fp32, fp16, bf16"):
        Precision("fp8")


TOO_OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). "
    "Please update your GPU driver by downloading and installing a new version from the URL: "
    "http://www.nvidia.com/Download/index.aspx Alternatively, go to: https://pytorch.org to "
    "install a PyTorch version that has been compiled with your version of the CUDA driver. "
    "(Triggered internally at /pytorch/c10/cuda/CUDAFunctions.cpp:109.)"
)
NOT_READY = (
    "CUDA initialization: Unexpected error from cudaGetDeviceCount(). Did you run some cuda "
    "functions before calling NumCudaDevices() that might have already set an error? Error 802: "
    "system not yet initialized (Triggered internally at /pytorch/c10/cuda/CUDAFunctions.cpp:119.)"
)


@pytest.fixture
def cuda_warns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make torch behave as with an unusable CUDA driver: it warns once and finds no device."""
    texts = [request.param]

    def is_available() -> bool:
        if texts:
            warnings.warn(texts.pop(), UserWarning, stacklevel=2)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    cuda_problem.cache_clear()
    yield
    cuda_problem.cache_clear()


@pytest.mark.parametrize(
    ("cuda_warns", "reason"),
    [
        (TOO_OLD, "The NVIDIA driver on your system is too old (found version 11040)"),
        (NOT_READY, "Error 802: system not yet initialized"),
    ],
    indirect=["cuda_warns"],
    ids=["too old", "not ready"],
)
@pytest.mark.usefixtures("cuda_warns")
def test_an_unusable_driver_is_reported(reason: str, recwarn: pytest.WarningsRecorder) -> None:
    messages: list[str] = []
    assert select_device("auto", messages.append) == torch.device("cpu")
    assert messages == [f"Falling back to the CPU: CUDA does not work here ({reason})."]
    with pytest.raises(DeviceError, match=re.escape(reason)) as caught:
        select_device("cuda")
    assert "use `device=auto`" in str(caught.value)
    assert not recwarn.list, "reported, and not warned about as well"


def test_float32_on_cuda_turns_tensor_float_32_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    Precision("fp16", torch.device("cuda"))
    Precision("fp32", torch.device("cpu"))
    assert torch.backends.cudnn.allow_tf32
    Precision("fp32", torch.device("cuda"))
    assert not torch.backends.cudnn.allow_tf32

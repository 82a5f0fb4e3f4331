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
def test_format_by_device(kind: str, name: str) -> None:
    assert Precision("auto", torch.device(kind)).name == name


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_absent_device_is_one_clear_error(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}[kind]
    monkeypatch.setattr(backend, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=rf"the device {kind} is not here.*--device auto"):
        select_device(kind)


def test_number_beyond_the_last_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert select_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match="there are 2, numbered from cuda:0"):
        select_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:x", ""])
def test_no_such_device(name: str) -> None:
    with pytest.raises(UsageError, match="choose auto, cpu, cuda"):
        select_device(name)


def test_no_such_precision() -> None:
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
    """torch as it is where CUDA's driver does not do: it warns once and finds no device."""
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
def test_a_driver_that_does_not_do_is_named(reason: str, recwarn: pytest.WarningsRecorder) -> None:
    said: list[str] = []
    assert select_device("auto", said.append) == torch.device("cpu")
    assert said == [f"Going on with the CPU: CUDA does not work here ({reason})."]
    with pytest.raises(DeviceError, match=re.escape(reason)) as refused:
        select_device("cuda")
    assert "use --device auto" in str(refused.value)
    assert not recwarn.list, "said, and not warned of beside it"


def test_float32_on_cuda_is_no_tensor_float_32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    Precision("fp16", torch.device("cuda"))
    Precision("fp32", torch.device("cpu"))
    assert torch.backends.cudnn.allow_tf32
    Precision("fp32", torch.device("cuda"))
    assert not torch.backends.cudnn.allow_tf32

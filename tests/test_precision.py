from __future__ import annotations

import pytest
import torch

from live_cam.errors import DeviceError, UsageError
from live_cam.precision import Precision, select_device


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

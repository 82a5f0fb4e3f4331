"""Describes the machine of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

import torch

_PACKAGES: Final = ("live-cam", "torch", "torchvision", "openvino", "nncf", "opencv-python")
_CPUINFO = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, str]:
    """Return the facts that timings depend on, such as `CPU`, `Memory`, `GPU` and `System`.

    Unknown facts are left out.
    """
    facts = {
        "CPU": _cpu(),
        "Threads": f"torch computes with {torch.get_num_threads()}, by "
        f"{torch.backends.cpu.get_cpu_capability()}",
        "Memory": _memory(),
        "GPU": _gpus(),
        "System": f"{platform.platform()}, Python {platform.python_version()}",
        "Packages": ", ".join(_versions()),
    }
    return {name: text for name, text in facts.items() if text}


def _cpu() -> str:
    name = platform.processor() or platform.machine()
    if _CPUINFO.exists():
        name = read_cpuinfo(_CPUINFO.read_text(encoding="utf-8", errors="replace")) or name
    elif platform.system() == "Darwin":
        name = _sysctl("machdep.cpu.brand_string") or name
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {usable} logical CPUs usable"


def read_cpuinfo(text: str) -> str:
    """Return the processor named in Linux's `/proc/cpuinfo`, or "" if it names none.

    Args:
        text: The file's content.
    """
    processors = [
        dict(_field(line) for line in block.splitlines() if ":" in line)
        for block in text.strip().split("\n\n")
    ]
    first = processors[0]
    name = first.get("model name", "")
    if not name:
        return ""
    # Virtual machines often see only the brand; family and model identify the generation.
    if "cpu family" in first and not any(character.isdigit() for character in name):
        name += f" (family {first['cpu family']}, model {first.get('model', '?')})"
    cores = {(processor.get("physical id"), processor.get("core id")) for processor in processors}
    virtual = " of a virtual machine" if "hypervisor" in first.get("flags", "").split() else ""
    return f"{name}, {len(cores)} cores{virtual}"


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _sysctl(name: str) -> str:
    result = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return ""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.0f} GiB"


def _gpus() -> str:
    names = [
        backend.get_device_name(index)
        for backend in (torch.cuda, torch.xpu)
        if backend.is_available()
        for index in range(backend.device_count())
    ]
    if torch.backends.mps.is_available():
        names.append("Apple GPU")
    return ", ".join(names)


def _versions() -> list[str]:
    installed = {package.metadata["Name"].lower(): package.version for package in distributions()}
    return [f"{name} {installed[name]}" for name in _PACKAGES if name in installed]

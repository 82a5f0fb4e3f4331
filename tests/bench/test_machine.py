from __future__ import annotations

import torch

from live_cam.bench.machine import describe_machine, read_cpuinfo

EPYC = """\
processor : {number}
cpu family : 26
model : 2
model name : AMD EPYC
physical id : 0
core id : {core}
flags : fpu sse2{more}
"""


def test_a_virtual_machine_is_identified_by_family_and_model() -> None:
    text = "\n".join(
        EPYC.format(number=number, core=number // 2, more=" hypervisor") for number in range(4)
    )
    assert read_cpuinfo(text) == "AMD EPYC (family 26, model 2), 2 cores of a virtual machine"


def test_a_full_processor_name_needs_no_family() -> None:
    text = EPYC.format(number=0, core=0, more="").replace("AMD EPYC", "AMD Ryzen 7 5800X")
    assert read_cpuinfo(text) == "AMD Ryzen 7 5800X, 1 cores"


def test_a_processor_without_a_name_is_left_out() -> None:
    assert read_cpuinfo("processor : 0\nBogoMIPS : 50.0\n") == ""


def test_the_machine_is_described() -> None:
    facts = describe_machine()
    assert {"CPU", "Threads", "System", "Packages"} <= set(facts)
    assert f"torch {torch.__version__.partition('+')[0]}" in facts["Packages"]
    assert all(facts.values())

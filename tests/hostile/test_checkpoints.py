"""Untrusted checkpoints: rejected in one sentence, without a crash, in little memory."""

from __future__ import annotations

import io
import pickle
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision import models

from live_cam.errors import UsageError, WeightsError
from live_cam.network.state_dict import read_state_dict
from live_cam.network.torch_file import heaviest_tuple
from live_cam.network.weights import cached_file, load_pretrained
from tests.support import bombs, tiny
from tests.support.limited import Outcome, opened
from tests.support.mutation import EFFORT, mutated
from tests.support.networks import randomised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")

MEGABYTES = 700
"""The address space of the process that reads them; none needs a tenth of it."""
MUTATIONS = round(120 * EFFORT)
"""The number of mutated files per format."""
State = dict[str, Tensor]


STATE: State = dict(randomised(tiny.tiny(num_classes=3)).state_dict())
WEIGHT, BIAS = list(STATE)[-2:]
# The content of each file, and a part of the error message.
PICKLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a-tuple-300000-deep": (lambda: bombs.deep_key(300_000), "tuples of tuples"),
    "a-tuple-of-2^60": (lambda: bombs.doubling_key(60), "tuples of tuples"),
    "os.system": (lambda: bombs.calling("os.system", "touch executed"), "would call .*system"),
    "builtins.eval": (lambda: bombs.calling("builtins.eval", "1/0"), "would call eval"),
    "12-GB-never-saved": (lambda: bombs.filled(50_000, 60_000), "cannot be read"),
    "200-MB-never-saved": (lambda: bombs.filled(50_000_000), "more than the file has"),
    "a-text-of-4-GB": (lambda: b"\x80\x02X\xff\xff\xff\xff", "broken or cut off"),
    "a-number-of-100000-digits": (lambda: b"I" + b"9" * 100_000 + b"\n.", "broken or cut off"),
    "nothing": (lambda: b"", "broken or cut off"),
    "only-a-stop": (lambda: b".", "broken or cut off"),
    "no-such-memory": (lambda: b"\x80\x02h\x05.", "broken or cut off"),
}
STATES: dict[str, tuple[Callable[[], object], str]] = {
    "a-million-classes-in-4-bytes": (lambda: bombs.stretched(STATE, 10**6), "but there are 4"),
    "a-billion-classes-in-4-bytes": (lambda: bombs.stretched(STATE, 10**9), "but there are 4"),
    "no-class": (
        lambda: STATE | {WEIGHT: torch.zeros(0, 16), BIAS: torch.zeros(0)},
        "without classes",
    ),
    "a-billion-rows-of-nothing": (lambda: STATE | {BIAS: torch.zeros(10**9, 0)}, "another shape"),
    "two-numbers-of-classes": (lambda: STATE | {BIAS: torch.zeros(7)}, "another shape"),
    "a-scalar": (lambda: STATE | {BIAS: torch.tensor(1.0)}, "another shape"),
    "no-numbers": (lambda: STATE | {BIAS: torch.zeros(3, device="meta")}, "no values"),
    "complex": (lambda: STATE | {BIAS: torch.zeros(3, dtype=torch.complex64)}, "complex"),
    "sparse": (lambda: STATE | {BIAS: torch.zeros(3).to_sparse()}, "sparse"),
    "nan": (lambda: STATE | {BIAS: torch.full((3,), torch.nan)}, "NaN or infinity, in 1 of"),
    "infinity": (lambda: STATE | {WEIGHT: STATE[WEIGHT] / 0}, "NaN or infinity"),
    "a-list": (lambda: [STATE], "no state dict"),
    "numbers-for-names": (lambda: dict(enumerate(STATE.values())), "no state dict"),
    "a-name-of-a-megabyte": (lambda: STATE | {"x" * 10**6: torch.zeros(1)}, "unexpected"),
    "another-network": (lambda: {"a": torch.zeros(1)}, "9 missing|8 missing"),
}
HEADERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a-header-of-10^15-bytes": (lambda: bombs.safetensors({}, length=10**15), "header"),
    "a-header-of-2^63-bytes": (lambda: bombs.safetensors({}, length=2**63 + 5), "header"),
    "lists-a-million-deep": (
        lambda: bombs.safetensors(b'{"a":' + b"[" * 10**6 + b"]" * 10**6 + b"}"),
        "recursion",
    ),
    "4-GB-that-are-not-there": (
        lambda: bombs.safetensors({BIAS: bombs.tensor([10**9], 0, 4 * 10**9)}, b"1234"),
        "not fully covered",
    ),
    "2^80-numbers": (
        lambda: bombs.safetensors({BIAS: bombs.tensor([2**40, 2**40], 0, 4)}, b"1234"),
        "overflow",
    ),
    "the-same-bytes-twice": (
        lambda: bombs.safetensors(
            {BIAS: bombs.tensor([1], 0, 4), WEIGHT: bombs.tensor([1], 0, 4)}, b"1234"
        ),
        "invalid offset",
    ),
    "a-billion-rows-in-no-bytes": (
        lambda: bombs.safetensors({BIAS: bombs.tensor([10**9, 0], 0, 0)}),
        "another shape",
    ),
    "no-text": (lambda: bombs.safetensors(b"\xff\xfe{}"), "UTF-8"),
    "only-a-length": (lambda: struct.pack("<Q", 10), "no valid safetensors"),
}


def save_legacy(state: State, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_safetensors(state: State, path: Path) -> None:
    pytest.importorskip("safetensors.torch").save_file(state, path)


WRITERS: dict[str, Callable[[Any, Path], object]] = {
    "zipped.pth": torch.save,
    "legacy.pth": save_legacy,
    "plain.safetensors": save_safetensors,
}


def packed(path: Path) -> None:
    """Write a hundred megabytes into a hundred kilobytes."""
    nones = b"\x80\x02" + b"N0" * (50 << 20) + b"."
    bombs.archive(path, nones, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20


def twice(path: Path) -> None:
    """Write two pickles of the same name; a reader may look at only one."""
    torch.save(STATE, path)
    with zipfile.ZipFile(path, "a") as file:
        name = next(each for each in file.namelist() if each.endswith("data.pkl"))
        file.writestr(name.upper(), bombs.deep_key(10**6))


def two_faced(path: Path) -> None:
    """Write an archive with one directory for Python, right before the end, and one for torch."""
    pickles = {"harmful": bombs.deep_key(300_000), "harmless": pickle.dumps({})}
    longest = max(map(len, pickles.values()))
    harmful, harmless = (
        bombs.archive(path, each.ljust(longest, b"0")).read_bytes() for each in pickles.values()
    )
    # With both parts of one size, the offset at the end points to the first directory.
    path.write_bytes(harmful + harmless)
    with zipfile.ZipFile(path) as seen:
        assert seen.read("archive/data.pkl").startswith(pickles["harmless"])


def repacked(source: Path, target: Path, seed: int) -> None:
    """Write an intact archive with a mutated pickle, which a mutated archive rarely exposes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, mutated(data, seed) if name.endswith("data.pkl") else data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all files."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, (make, _) in PICKLES.items():
        bombs.archive(folder / f"{name}.pth", make())
        (folder / f"{name}.legacy.pth").write_bytes(make())
    for name, (state, _) in STATES.items():
        torch.save(state(), folder / f"{name}.pth")
    for name, (header, _) in HEADERS.items():
        (folder / f"{name}.safetensors").write_bytes(header())
    packed(folder / "packed.pth")
    twice(folder / "twice.pth")
    two_faced(folder / "two-faced.pth")
    for name, save in WRITERS.items():
        save(STATE, folder / name)
        data = (folder / name).read_bytes()
        for seed in range(MUTATIONS):
            (folder / f"{seed}-{name}").write_bytes(mutated(data, seed))
            if name == "zipped.pth":
                repacked(folder / name, folder / f"{seed}-pickle.pth", seed)
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Outcome]:
    return opened("weights", sorted(folder.iterdir()), megabytes=MEGABYTES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((f"{name}.pth", words) for name, (_, words) in (PICKLES | STATES).items()),
        *((f"{name}.safetensors", words) for name, (_, words) in HEADERS.items()),
        ("packed.pth", "compressed, which torch's files never are"),
        ("twice.pth", "two parts of the same name"),
        ("two-faced.pth", "broken or cut off"),
    ],
)
def test_bombs_are_rejected_in_one_sentence(
    outcomes: dict[str, Outcome], folder: Path, name: str, words: str
) -> None:
    outcome = outcomes[name]
    assert not outcome.read
    assert str(folder / name) in outcome.text
    assert re.search(words, outcome.text), outcome.text
    assert outcome.megabytes < 100


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_in_torchs_legacy_format_are_rejected(
    outcomes: dict[str, Outcome], name: str
) -> None:
    outcome = outcomes[f"{name}.legacy.pth"]
    assert not outcome.read
    assert outcome.megabytes < 100


@pytest.mark.parametrize("name", WRITERS)
def test_intact_files_are_read(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].text == "3 classes"


@pytest.mark.parametrize("name", [*WRITERS, "pickle.pth"])
def test_mutated_files_are_read_or_rejected(outcomes: dict[str, Outcome], name: str) -> None:
    mutations = [outcomes[f"{seed}-{name}"] for seed in range(MUTATIONS)]
    assert sum(not outcome.read for outcome in mutations) > MUTATIONS // 4
    assert max(outcome.megabytes for outcome in mutations) < 100


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path = bombs.archive(tmp_path / "a.pth", bombs.calling("os.system", f"touch {mark}"))

    with pytest.raises(UsageError, match=r"would call \w+.system, but code") as caught:
        read_state_dict(path)

    assert not mark.exists()
    assert "weights_only" not in str(caught.value)  # torch's message tells how to execute it


@given(
    nested=st.recursive(st.integers() | st.text(), lambda inner: st.tuples(inner, inner, inner)),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_tuples_weigh_as_much_as_their_content(nested: object, protocol: int) -> None:
    def weight(thing: object) -> int:
        return 1 + sum(map(weight, thing)) if isinstance(thing, tuple) else 1

    pickled = io.BytesIO(pickle.dumps({"a": [nested]}, protocol))
    assert heaviest_tuple(pickled) == weight(nested)
    assert not pickled.read()


@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_raise_only_value_errors(data: bytes) -> None:
    with suppress(ValueError):
        assert heaviest_tuple(io.BytesIO(data)) > 0


def test_cached_weights_are_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    weights = models.get_model_weights("squeezenet1_1").DEFAULT
    cached_file(weights).parent.mkdir()
    bombs.archive(cached_file(weights), bombs.deep_key(300_000))

    with pytest.raises(WeightsError, match=r"broken \(it holds tuples of tuples"):
        load_pretrained("squeezenet1_1", weights)

"""Checks a file from `torch.save` before torch reads it, so that it can do no harm.

A zip archive may unpack to a thousand times its size. A pickle may hold a tuple as a key of a
dictionary, which Python hashes by recursion: a tuple nested 300 000 deep, in as many bytes, crashes
the process, and one that holds the same tuple twice, which holds the same tuple twice, and so on,
takes forever. So the tuples are weighed without unpickling anything.
"""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST_PICKLE: Final = 1 << 23
"""Bytes. Tensors are stored outside the pickle, which takes 4 kB for VGG-19 and 1 MB for a thousand
layers with their optimiser's state."""
_LEGACY_PICKLES: Final = 5
"""A file in torch's format before 1.6 starts with this many pickles: a magic number, the versions
of the format and the system, the state dict, and the names of the storages that follow."""
_HEAVIEST_TUPLE: Final = 256
"""Objects. The tuples that torch writes to rebuild a tensor have about 30."""
_ZIP: Final = b"PK\x03\x04"
_END: Final = struct.Struct("<4s4H2LH")
_LARGE_END: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")

_MARK: Final = -1
_STORING: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_RECALLING: Final = ("GET", "BINGET", "LONG_BINGET")
_HASHING_ITS_PARTS: Final = (
    *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"),
    *("REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
)


def check_file(path: Path) -> None:
    """Reject a file on which `torch.load` would crash or exhaust the memory.

    Args:
        path: An existing file that `torch.save` may have written.

    Raises:
        ValueError: The text says what is wrong with it.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        _check_zip(file) if is_zip(file) else _check_legacy(file)


def is_zip(file: io.BufferedReader) -> bool:
    """Return whether torch would read this file, open at its start, as a zip archive."""
    start = file.read(len(_ZIP))
    file.seek(0)
    return start == _ZIP


def _check_zip(file: io.BufferedReader) -> None:
    """Reject an archive that would unpack to more than its size.

    Raises:
        ValueError: It would, or it is broken or cut off.
    """
    if not _has_one_directory(file):
        raise ValueError("it is broken or cut off")
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ValueError("it is broken or cut off") from error
    with archive:
        entries = archive.infolist()
        # torch stores everything uncompressed, and ignores the case of names.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("it is compressed, which torch's files never are")
        if len({entry.filename.lower() for entry in entries}) < len(entries):
            raise ValueError("it holds two parts of the same name")
        for entry in entries:
            if entry.filename.lower().endswith("data.pkl"):
                if entry.file_size > _LARGEST_PICKLE:
                    raise ValueError("its tensors are described in more than 8 MB")
                _check_pickle(io.BytesIO(archive.read(entry)))


def _has_one_directory(file: io.BufferedReader) -> bool:
    """Whether the archive's directory lies right before its end, where the end record says it is.

    Otherwise Python and torch would find different directories, and the checked content would not
    be the loaded one (APPNOTE.TXT - .ZIP File Format Specification, sections 4.3.14 to 4.3.16).
    """
    end = file.seek(0, io.SEEK_END) - _END.size
    if end < 0:
        return False
    file.seek(end)
    mark, *_, size, start, comment = _END.unpack(file.read(_END.size))
    large = end - _LOCATOR.size
    if large >= _LARGE_END.size:
        file.seek(large)
        if file.read(4) == b"PK\6\7":
            end = large - _LARGE_END.size
            file.seek(end)
            large_mark, *_, size, start = _LARGE_END.unpack(file.read(_LARGE_END.size))
            if large_mark != b"PK\6\6":
                return False
    file.seek(0)
    return bool(mark == b"PK\5\6" and not comment and start + size == end)


def _check_legacy(file: io.BufferedReader) -> None:
    start = io.BytesIO(file.read(_LARGEST_PICKLE))
    for _ in range(_LEGACY_PICKLES):
        _check_pickle(start)


def _check_pickle(pickle: io.BytesIO) -> None:
    try:
        heaviest = heaviest_tuple(pickle)
    except ValueError as error:
        raise ValueError("it is not from torch, or it is broken or cut off") from error
    if heaviest > _HEAVIEST_TUPLE:
        raise ValueError("it holds tuples of tuples, or one of hundreds of things")


def heaviest_tuple(pickle: io.BytesIO) -> int:
    """Return how many objects the heaviest tuple of a pickle holds at all depths.

    Args:
        pickle: Read up to the end of the pickle.

    Raises:
        ValueError: It is no pickle, or a broken one.
    """
    heaviest = 1
    stack: list[int] = []
    memo: dict[int, int] = {}
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in _STORING:
                assert isinstance(argument, int)
                memo[argument] = stack[-1]
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif opcode.name in _RECALLING:
                assert isinstance(argument, int)
                stack.append(memo[argument])
            else:
                weight = 1 + sum(_popped(stack, opcode))
                if opcode.name not in _HASHING_ITS_PARTS:
                    weight = 1
                stack += [
                    _MARK if pushed is pickletools.markobject else weight
                    for pushed in opcode.stack_after
                ]
                heaviest = max(heaviest, weight)
    except (IndexError, KeyError, OverflowError) as error:
        raise ValueError("a broken pickle") from error
    return heaviest


def _popped(stack: list[int], opcode: pickletools.OpcodeInfo) -> Iterator[int]:
    """Pop an opcode's operands off the stack, and yield the weight of each."""
    count = len(opcode.stack_before)
    if pickletools.markobject in opcode.stack_before:
        count = opcode.stack_before.index(pickletools.markobject)
        while (weight := stack.pop()) != _MARK:
            yield weight
    for _ in range(count):
        yield stack.pop()

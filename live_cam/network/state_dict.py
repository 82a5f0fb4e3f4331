"""Checkpoints as a stranger may have made them: read as tensors alone, or refused in one sentence.

Nothing in a file is executed, and none takes more memory than its own size, or more time than it
takes to read it.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING, Final

import torch

from live_cam.errors import UsageError, first_line, shortened
from live_cam.network.pickle_weight import heaviest_tuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_MOST_PICKLED: Final = 1 << 23
"""Bytes. The tensors lie beside the pickle: of VGG-19 it is 4 kB, of a thousand layers with their
optimiser's state 1 MB."""
_LEGACY_PICKLES: Final = 5
"""So many, one after another, begin a file of torch's format before 1.6: a magic number, the
format's version, the system's, the state dict, and the names of the storages that follow."""
_HEAVIEST_TUPLE: Final = 256
"""Objects. Those that torch writes, to build a tensor again, have about 30."""
_ZIP: Final = b"PK\x03\x04"
_END: Final = struct.Struct("<4s4H2LH")
_LARGE_END: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_ASKS_FOR: Final = re.compile(r"GLOBAL (\S+) (?:was not an allowed|whose module)")


def read_checkpoint(path: Path) -> object:
    """Read what a `.safetensors` file or `torch.save` holds, in the CPU's memory.

    Args:
        path: An existing file. Its tensors may go on lying in it, and are not to be changed.

    Returns:
        Whatever lies in it: tensors, numbers and texts, in dictionaries and lists.

    Raises:
        UsageError: It is no checkpoint, is broken or cut off, or asks for something to be executed.
    """
    return _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_torch(path)


def check_file(path: Path) -> None:
    """Refuse what `torch.load` would choke on: it then neither crashes nor takes all the memory.

    Args:
        path: An existing file that `torch.save` may have written.

    Raises:
        ValueError: The text says what is wrong with it.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        _check_zip(file) if _is_zip(file) else _check_legacy(file)


def check_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that are not what a network's weights are.

    Their shapes can be relied upon afterwards: a tensor whose elements are all the same number in
    memory, or that was never filled, claims any size, and to copy it takes that much.

    Args:
        state: The tensors, by their names.
        path: The file that holds them.

    Raises:
        UsageError: A tensor has no numbers, or fewer than its shape says, or those of a kind that
            weights never have; or all together are larger than the file.
    """
    held = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in state.values()
        if _problem(tensor) is None
    }
    if sum(held.values()) > path.stat().st_size:
        raise UsageError(
            f"the tensors in {path} claim {sum(held.values())} bytes, which is more than the file "
            "has; write the weights again with torch.save(model.state_dict(), path)."
        )
    for key, tensor in state.items():
        problem = _problem(tensor)
        if problem:
            raise UsageError(
                f"the tensor {shortened(key)} in {path} {problem}; write the weights again with "
                "torch.save(model.state_dict(), path)."
            )


def _problem(tensor: Tensor) -> str | None:
    if tensor.is_nested or tensor.is_quantized or tensor.layout is not torch.strided:
        return "is sparse, nested or quantised, which a network's weights are not"
    if tensor.is_complex():
        return "is complex, which a network's weights are not"
    if tensor.device.type != "cpu":
        return "has a shape, but no numbers"
    claimed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if claimed > held:
        shape = shortened("×".join(map(str, tensor.shape)))
        return f"claims to be {shape}, {claimed} bytes, but there are {held}"
    return None


def _read_torch(path: Path) -> object:
    try:
        check_file(path)
        with path.open("rb") as file:
            zipped = _is_zip(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors that are refused later
            if not _is_text(path):
                with path.open("rb") as file:
                    return torch.load(file, map_location="cpu", weights_only=True)
            # Mapped, a file does not take its size in memory beside the network's.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except Exception as error:  # torch's unpickler fails on broken files in any way
        raise UsageError(
            f"the weights file {path} cannot be read as a state dict of tensors alone "
            f"({_reason(error)}); write one with torch.save(model.state_dict(), path)."
        ) from error


def _is_text(path: Path) -> bool:
    """Whether a file's name is UTF-8: torch and safetensors open no other one themselves."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_zip(file: io.BufferedReader) -> bool:
    """Decide as torch does, and stay at the beginning."""
    begin = file.read(len(_ZIP))
    file.seek(0)
    return begin == _ZIP


def _check_zip(file: io.BufferedReader) -> None:
    """Refuse an archive that would unpack to more than it is.

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
        # torch stores everything as it is, and finds names whatever their case.
        if any(each.compress_type != zipfile.ZIP_STORED for each in entries):
            raise ValueError("it is compressed, which torch's files never are")
        if len({each.filename.lower() for each in entries}) < len(entries):
            raise ValueError("it holds two parts of the same name")
        for entry in entries:
            if entry.filename.lower().endswith("data.pkl"):
                if entry.file_size > _MOST_PICKLED:
                    raise ValueError("its tensors are described in more than 8 MB")
                _check_pickle(io.BytesIO(archive.read(entry)))


def _has_one_directory(file: io.BufferedReader) -> bool:
    """Whether the archive's directory lies right before its end, and is said to.

    Where it is not, Python finds one directory and torch another: what is looked at here would not
    be what is loaded (APPNOTE.TXT - .ZIP File Format Specification, sections 4.3.14 to 4.3.16).
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
    begin = io.BytesIO(file.read(_MOST_PICKLED))
    for _ in range(_LEGACY_PICKLES):
        _check_pickle(begin)


def _check_pickle(pickle: io.BytesIO) -> None:
    try:
        heaviest = heaviest_tuple(pickle)
    except ValueError as error:
        raise ValueError("it is not one of torch's, or it is broken or cut off") from error
    if heaviest > _HEAVIEST_TUPLE:
        raise ValueError("it holds tuples of tuples, or one of hundreds of things")


def _reason(error: Exception) -> str:
    """Say in the user's terms why a file cannot be read. torch would say how to execute it."""
    text = str(error)
    asked = _ASKS_FOR.search(text)
    if asked:
        return f"it asks for {shortened(asked[1])}, and nothing in a checkpoint is executed"
    _, unpickling, detail = text.partition("WeightsUnpickler error:")
    return first_line(ValueError(detail)) if unpickling else first_line(error)


def _read_safetensors(path: Path) -> object:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as error:
        raise UsageError(
            "reading .safetensors needs the package safetensors; "
            "install it with: pip install 'live-cam[safetensors]'"
        ) from error
    try:
        if not _is_text(path):
            return safetensors.torch.load(path.read_bytes())
        return safetensors.torch.load_file(path)
    except Exception as error:  # its own, and whatever its border to Python lets through
        raise UsageError(
            f"the weights file {path} is no valid safetensors file ({first_line(error)})."
        ) from error

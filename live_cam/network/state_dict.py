"""State dicts from untrusted files: read as tensors alone, or rejected in one sentence.

Nothing in a file is executed, and none takes more memory than its own size or more time than
reading it.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final, TypeAlias

import torch
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from live_cam.errors import UsageError, first_line, shortened
from live_cam.network.torch_file import check_file, is_zip

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

StateDict: TypeAlias = "dict[str, Tensor]"

_NESTED_UNDER: Final = ("state_dict", "model_state_dict", "model")
_FORBIDDEN_GLOBAL: Final = re.compile(r"GLOBAL (\S+) (?:was not an allowed|whose module)")


def read_state_dict(path: Path) -> StateDict:
    """Read a state dict from a `.safetensors` file or one that `torch.save` wrote.

    Nothing in the file is ever executed (`weights_only=True`). A state dict nested in a training
    checkpoint under `state_dict`, `model_state_dict` or `model` is found, and the prefix `module.`
    of a `DataParallel` is removed.

    Args:
        path: The file. The tensors may stay mapped to it and must not be changed.

    Raises:
        UsageError: The file is missing or broken, holds no tensors, or holds tensors that cannot
            be a network's weights.
    """
    if not path.is_file():
        raise UsageError(f"there is no weights file {path}; give `weights` an existing file.")
    safe = path.suffix.lower() == ".safetensors"
    content = _read_safetensors(path) if safe else _read_torch(path)
    for key in _NESTED_UNDER:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    named = content.items() if isinstance(content, dict) else ()
    state = {
        key: value
        for key, value in named
        if isinstance(key, str) and isinstance(value, torch.Tensor)
    }
    if not state:
        raise UsageError(
            f"the weights file {path} holds no state dict; write one with "
            "torch.save(model.state_dict(), path)."
        )
    consume_prefix_in_state_dict_if_present(state, "module.")
    _check_tensors(state, path)
    return state


def _read_torch(path: Path) -> object:
    try:
        check_file(path)
        with path.open("rb") as file:
            zipped = is_zip(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors that are rejected later
            if not _has_utf8_name(path):
                with path.open("rb") as file:
                    return torch.load(file, map_location="cpu", weights_only=True)
            # A mapped file does not take its size in memory in addition to the network's.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except Exception as error:  # torch's unpickler may raise anything on a broken file
        raise UsageError(
            f"the weights file {path} cannot be read as a state dict of tensors alone "
            f"({_reason(error)}); write one with torch.save(model.state_dict(), path)."
        ) from error


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
        if not _has_utf8_name(path):
            return safetensors.torch.load(path.read_bytes())
        return safetensors.torch.load_file(path)
    except Exception as error:  # its own errors, and whatever its Rust code lets through
        raise UsageError(
            f"the weights file {path} is no valid safetensors file ({first_line(error)})."
        ) from error


def _has_utf8_name(path: Path) -> bool:
    """Whether torch and safetensors can open the file by its name, which must be UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    """Return why a file cannot be read, without torch's advice on how to execute it."""
    text = str(error)
    forbidden = _FORBIDDEN_GLOBAL.search(text)
    if forbidden:
        return (
            f"it would call {shortened(forbidden[1])}, but code in a checkpoint is never executed"
        )
    _, unpickling, detail = text.partition("WeightsUnpickler error:")
    return first_line(ValueError(detail)) if unpickling else first_line(error)


def _check_tensors(state: StateDict, path: Path) -> None:
    """Reject tensors that cannot be a network's weights.

    Afterwards their shapes can be trusted: a tensor whose elements share one value in memory, or
    that was never filled, can claim any size, and copying it would take that much memory.

    Raises:
        UsageError: A tensor has no values, fewer than its shape says, or values of a kind that
            weights never have; or all tensors together are larger than the file.
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
        return "has a shape but no values"
    claimed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if claimed > held:
        shape = shortened("×".join(map(str, tensor.shape)))
        return f"claims to be {shape}, {claimed} bytes, but there are {held}"
    return None

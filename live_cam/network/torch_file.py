"""How heavy the tuples in a pickle are, without making anything of it.

Whoever uses a tuple as a key of a dictionary hashes it, and Python hashes what is in it, by
recursion: a tuple nested 300 000 deep, in as many bytes, ends the process, and one that holds the
same tuple twice, which holds the same tuple twice, and so on, takes longer than anyone lives.
"""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

_MARK: Final = -1
_REMEMBERING: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_RECALLING: Final = ("GET", "BINGET", "LONG_BINGET")
_HASHING_ITS_PARTS: Final = (
    *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"),
    *("REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
)


def heaviest_tuple(pickle: io.BytesIO) -> int:
    """Return how many objects the heaviest tuple of a pickle holds, all the way down.

    Args:
        pickle: Is read up to the pickle's end.

    Raises:
        ValueError: It is no pickle, or a broken one.
    """
    heaviest = 1
    stack: list[int] = []
    memo: dict[int, int] = {}
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in _REMEMBERING:
                assert isinstance(argument, int)
                memo[argument] = stack[-1]
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif opcode.name in _RECALLING:
                assert isinstance(argument, int)
                stack.append(memo[argument])
            else:
                weight = 1 + sum(_taken(stack, opcode))
                if opcode.name not in _HASHING_ITS_PARTS:
                    weight = 1
                stack += [
                    _MARK if made is pickletools.markobject else weight
                    for made in opcode.stack_after
                ]
                heaviest = max(heaviest, weight)
    except (IndexError, KeyError, OverflowError) as error:
        raise ValueError("a broken pickle") from error
    return heaviest


def _taken(stack: list[int], opcode: pickletools.OpcodeInfo) -> Iterator[int]:
    """Take off the stack what an opcode takes, and yield the weight of each."""
    count = len(opcode.stack_before)
    if pickletools.markobject in opcode.stack_before:
        count = opcode.stack_before.index(pickletools.markobject)
        while (weight := stack.pop()) != _MARK:
            yield weight
    for _ in range(count):
        yield stack.pop()

"""Changes files at random, reproducibly by a seed, as transmission errors and bad disks do."""

from __future__ import annotations

import os
import random

EFFORT = float(os.environ.get("LIVE_CAM_FUZZ", "1"))
"""The multiple of files and examples to try: 1 in the tests, more for a deeper search."""
_INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
_RUN = 16


def mutated(data: bytes, seed: int) -> bytes:
    """Return a copy of a file that differs in one to eight places."""
    chance = random.Random(seed)
    changed = bytearray(data)
    # Half of the files change only in the header, where single bytes matter most.
    reach = len(data) if chance.random() < 0.5 else min(len(data), 256)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        _change(changed, chance, min(reach, len(changed)))
    return bytes(changed)


def _change(data: bytearray, chance: random.Random, reach: int) -> None:
    if not reach:
        return
    place = chance.randrange(reach)
    match chance.randrange(7):
        case 0:
            data[place] ^= 1 << chance.randrange(8)
        case 1:
            data[place] = chance.choice(_INTERESTING)
        case 2:
            width = chance.choice((2, 4, 8))
            value = chance.choice((0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width) - 1, 100_000))
            number = (value % 2 ** (8 * width)).to_bytes(width, chance.choice(("big", "little")))
            data[place : place + width] = number
        case 3:
            del data[place : place + chance.randrange(1, _RUN)]
        case 4:
            data[place:place] = chance.randbytes(chance.randrange(1, _RUN))
        case 5:
            other = chance.randrange(len(data))
            data[place : place + _RUN] = data[other : other + _RUN]
        case _:
            if chance.random() < 0.3:
                del data[place:]
            else:
                data[place : place + _RUN] = chance.randbytes(_RUN)

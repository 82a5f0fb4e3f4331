"""Small files that claim to be, or unpack to, more than any machine can hold."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from live_cam.runtime.opencv import cv2

# ---- checkpoints -----------------------------------------------------------------------------


def archive(path: Path, pickle: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """Write an archive like those of `torch.save`, with another pickle."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", pickle)
        file.writestr("archive/byteorder", "little")
        file.writestr("archive/version", "3\n")
    return path


def deep_key(depth: int) -> bytes:
    """Return a pickled dictionary whose key is a tuple nested to this depth."""
    return b"\x80\x02}K\x01" + b"\x85" * depth + b"K\x01s."


def doubling_key(times: int) -> bytes:
    """Return a pickled dictionary whose key holds the same tuple twice, nested this many times."""
    doubled = b"".join(b"q%ch%c\x86" % (place, place) for place in range(times))
    return b"\x80\x02}K\x01\x85" + doubled + b"K\x01s."


def calling(function: str, argument: str) -> bytes:
    """Return a pickle that calls a function when it is loaded."""
    module, _, name = function.rpartition(".")
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def filled(*shape: int) -> bytes:
    """Return a pickled dictionary of one tensor of this shape, without its data."""
    sizes = b"".join(b"J" + struct.pack("<i", size) for size in shape)
    return b"\x80\x02}X\x01\0\0\0actorch\nFloatTensor\n(" + sizes + b"tRs."


def stretched(state: dict[str, Tensor], classes: int) -> dict[str, Tensor]:
    """Return a state dict for any number of classes that stores a single number for all."""
    *_, weight, bias = state
    one = torch.zeros(1)
    return state | {
        weight: one.expand(classes, *state[weight].shape[1:]),
        bias: one.expand(classes),
    }


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a file with any header, which declares a length of `length` bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape: Sequence[int], begin: int, end: int, dtype: str = "F32") -> dict[str, object]:
    """Return a tensor's entry in such a header."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


# ---- images and videos ---------------------------------------------------------------------


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    head = struct.pack(">I", len(data) if length is None else length) + kind
    return head + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes = b"", extra: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_checksums(data: bytes) -> bytes:
    """Return a PNG with correct checksums, so that decoders do not stop at them."""
    whole = bytearray(data[:8])
    place = 8
    while place + 8 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        whole += chunk(kind, body, length)
        place += 12 + length
    return bytes(whole)


def black(width: int, height: int) -> bytes:
    """Return the compressed rows of a black PNG, a thousandth of their size."""
    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    return b"".join(packer.compress(row) for _ in range(height)) + packer.flush()


def bmp(width: int, height: int, *, packed: bool = False) -> bytes:
    bits, palette = (8, bytes(1024)) if packed else (24, b"")
    begin = 54 + len(palette)
    head = b"BM" + struct.pack("<IHHI", begin + 2, 0, 0, begin)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, int(packed), 0, 0, 0, 0, 0)
    return head + info + palette + b"\0\1"


def tiff(width: int, height: int) -> bytes:
    """Return the header of one uncompressed grey strip, without its data."""
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1)]
    entries += [(278, height), (279, 16)]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)


def gif(width: int, height: int, frames: int) -> bytes:
    """Return an animation of many frames without an end marker."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    area = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return head + loop + frames * (b"\x21\xf9\x04" + bytes(5) + area + b"\x02\x02\x44\x01\x00")


def jpeg(image: NDArray[np.uint8], width: int | None = None, height: int | None = None) -> bytes:
    """Return a JPEG that declares another size."""
    data = bytearray(cv2.imencode(".jpg", image)[1].tobytes())
    if width and height:
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def scanned(side: int, times: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated many times."""
    whole = io.BytesIO()
    Image.new("L", (side, side), 7).save(whole, "JPEG", progressive=True, quality=5)
    data = whole.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + times * data[last:-2] + data[-2:]


def jpeg2000(width: int, height: int) -> bytes:
    sizes = struct.pack(">8IH", width, height, 0, 0, width, height, 0, 0, 3)
    size = b"\xff\x51" + struct.pack(">HH", 47, 0) + sizes + 3 * b"\x07\x01\x01"
    return b"\xff\x4f" + size + bytes.fromhex("ff52000c00000001000504040001ffd9")


def sun_raster(width: int, height: int) -> bytes:
    """Return a header of Sun's raster format without data."""
    return struct.pack(">8I", 0x59A66A95, width, height, 24, 0, 1, 0, 0)

"""Checksums of a recording: what is stored is what was written, and where it belongs, or `Damaged`.

Each chunk has its CRC-32C behind it, as Zarr's codec of that name asks for. That says nothing of its place, so each
shard file also has a seal, which binds all its chunks to the recording, the array and the number of the file. The
commit record has a checksum over all that it says.
"""

import json
from typing import Any

import numpy as np
from google_crc32c import value as crc32c

CRC = 4  # bytes


class Damaged(ValueError):
    """What is stored is not what was written."""


def with_crc(data: bytes) -> bytes:
    """The bytes with their checksum behind them."""
    return data + crc32c(data).to_bytes(CRC, "little")


def without_crc(data: np.ndarray, what: str) -> np.ndarray:
    """The bytes (n,) uint8 before their checksum. Raises Damaged where they are not sound; `what` they are."""
    if crc32c(data[:-CRC]) != int.from_bytes(data[-CRC:], "little"):
        raise Damaged(f"{what} has a wrong checksum")
    return data[:-CRC]


def record_checksum(facts: dict[str, Any]) -> str:
    """Eight hexadecimal digits: the CRC-32C of the facts, but for a `checksum` among them, as JSON of sorted keys."""
    plain = {name: value for name, value in facts.items() if name != "checksum"}
    return f"{crc32c(json.dumps(plain, sort_keys=True, separators=(',', ':')).encode()):08x}"

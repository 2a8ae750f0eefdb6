"""The CRC-32C behind each chunk and index of a recording: what is stored is what was written, or `Damaged`."""

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

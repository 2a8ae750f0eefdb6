"""What W&B has written while it was offline."""

from pathlib import Path
from zlib import crc32

BLOCK, HEADER = 32_768, 7  # bytes; the format is that of LevelDB's logs
FIRST = 7  # of the file, which say that it is W&B's


def records(path: Path) -> list:
    """The records of a `.wandb` file, in order."""
    from wandb.proto.wandb_internal_pb2 import Record

    found, data, at, part = [], path.read_bytes(), FIRST, b""
    assert data.startswith(b":W&B")
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:  # no room for a header: the rest of a block is empty
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        piece = data[at + HEADER : at + HEADER + size]
        assert int.from_bytes(data[at : at + 4], "little") == crc32(data[at + 6 : at + 7] + piece)
        part, at = part + piece, at + HEADER + size
        if kind in (1, 4):  # a whole record, or the last part of one
            found.append(Record.FromString(part))
            part = b""
    return found

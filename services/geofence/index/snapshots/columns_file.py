"""A file of named columns with a header and, at its end, the digest of all before it."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

Columns: TypeAlias = Mapping[str, NDArray[Any]]

MAGIC = b"CTALERT\x01"
# Columns begin at pages, so that they can be mapped.
PAGE = 4096
# Hashed and written at a time.
CHUNK = 8_000_000
_DIGEST = hashlib.sha256().digest_size
_START = len(MAGIC) + 8


class NotTrusted(Exception):
    """A file that is not what was written, or not for this reader; the reason is a fixed word."""


def write_columns(path: Path, head: Mapping[str, Any], columns: Columns) -> None:
    """Write a file that takes the place of another at once, or not at all; only we may read it.

    Raises:
        OSError: the disk is full, or the folder not ours.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            digest = hashlib.sha256()
            for part in _parts(head, columns):
                file.write(part)
                digest.update(part)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def read_columns(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Map a file into memory; what is written to the columns stays in memory.

    Raises:
        FileNotFoundError: there is none.
        NotTrusted: it is not what was written, or somebody else could have written it.
    """
    about = path.stat()
    if about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise NotTrusted("not-ours-alone")
    if about.st_size < PAGE + _DIGEST:
        raise NotTrusted("cut-off")
    whole = np.asarray(np.memmap(path, np.uint8, mode="c"))
    if whole[: len(MAGIC)].tobytes() != MAGIC:
        raise NotTrusted("another-format")
    digest = hashlib.sha256()
    for at in range(0, whole.size - _DIGEST, CHUNK):
        digest.update(whole[at : min(at + CHUNK, whole.size - _DIGEST)].data)
    if digest.digest() != whole[-_DIGEST:].tobytes():
        raise NotTrusted("cut-off-or-altered")
    # From here on it is what write_columns wrote.
    length = int.from_bytes(whole[len(MAGIC) : _START].tobytes(), "little")
    header = orjson.loads(whole[_START : _START + length].tobytes())
    begin = _paged(_START + length)
    columns = {}
    for name, column in header["columns"].items():
        raw = whole[begin + column["at"] :][: column["bytes"]]
        columns[name] = raw.view(column["dtype"]).reshape(column["shape"])
    return header["head"], columns


def _parts(head: Mapping[str, Any], columns: Columns) -> Iterator[bytes | memoryview]:
    table: dict[str, Any] = {}
    end = 0
    for name, column in columns.items():
        about = {"dtype": column.dtype.str, "shape": column.shape}
        table[name] = about | {"at": end, "bytes": column.nbytes}
        end += _paged(column.nbytes)
    header = orjson.dumps({"head": head, "columns": table})
    yield MAGIC + len(header).to_bytes(8, "little") + header
    yield bytes(_paged(_START + len(header)) - _START - len(header))
    for column in columns.values():
        raw = np.ascontiguousarray(column).reshape(-1).view(np.uint8).data
        for at in range(0, len(raw), CHUNK):
            yield raw[at : at + CHUNK]
        yield bytes(_paged(len(raw)) - len(raw))


def _paged(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

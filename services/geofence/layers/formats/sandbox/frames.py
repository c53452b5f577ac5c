"""Pieces of bytes one after the other in a file, the last of which says what became of the job."""

import struct
from collections.abc import Iterator
from typing import IO, Any

import orjson

_LENGTH = struct.Struct("<Q")


def write_frame(out: IO[bytes], data: bytes) -> None:
    """Append one piece."""
    out.write(_LENGTH.pack(len(data)))
    out.write(data)


class Frames:
    """The pieces of a finished file, read when they are asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._spans: list[tuple[int, int]] = []
        end, at = file.seek(0, 2), 0
        while at < end:
            file.seek(at)
            head = file.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else end
            at += _LENGTH.size
            if at + length > end:
                raise EOFError("a piece is cut off")
            self._spans.append((at, length))
            at += length
        if not self._spans:
            raise EOFError("there is no piece")

    def __iter__(self) -> Iterator[bytes]:
        for at, length in self._spans[:-1]:
            yield self._read(at, length)

    def summary(self) -> dict[str, Any]:
        """Return the last piece, which is JSON."""
        found: dict[str, Any] = orjson.loads(self._read(*self._spans[-1]))
        return found

    def _read(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        return self._file.read(length)

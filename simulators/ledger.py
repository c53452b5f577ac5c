"""The append-only ledger: a line is in the kernel before its request is answered, fsync follows."""

import asyncio
import os
from array import array
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import orjson

# Lines of one fsync: at most what arrives in this time is at risk when the machine itself dies.
_SYNC_EVERY_S = 0.05
_CHUNK_LINES = 500
ACCEPTED_KINDS = frozenset({"sms", "voice", "email"})


class Ledger:
    """A numbered JSON-lines file; numbers start at 1 and have no gaps."""

    name = "simulator-ledger"

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._offsets = array("Q")
        self._dirty = False
        self._end = self._mend()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def last(self) -> int:
        """The number of the newest line, 0 when there is none."""
        return len(self._offsets)

    def append(self, record: dict[str, Any]) -> int:
        """Write one record and return its number; it survives a kill of this process at once."""
        number = len(self._offsets) + 1
        line = orjson.dumps({"n": number, **record}) + b"\n"
        written = os.write(self._file, line)
        while written < len(line):
            written += os.write(self._file, line[written:])
        self._offsets.append(self._end)
        self._end += len(line)
        self._dirty = True
        return number

    def read(
        self, *, after: int = 0, kinds: Collection[str] | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        """Yield the lines after a number, whole and in order; `kinds` chooses among them."""
        number, left = after, limit
        with self._path.open("rb") as file:
            while number < self.last and (left is None or left > 0):
                upto = min(number + _CHUNK_LINES, self.last)
                file.seek(self._offsets[number])
                stop = self._end if upto == self.last else self._offsets[upto]
                for line in file.read(stop - self._offsets[number]).splitlines(keepends=True):
                    if kinds is None or orjson.loads(line)["kind"] in kinds:
                        yield line
                        left = None if left is None else left - 1
                        if left == 0:
                            return
                number = upto

    async def run(self, stop: asyncio.Event) -> None:
        """Make what was written durable in groups, until told to stop."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), _SYNC_EVERY_S)
            except TimeoutError:
                pass
            await self.sync()

    async def sync(self) -> None:
        """Force everything written so far to the disk."""
        if self._dirty:
            self._dirty = False
            await asyncio.to_thread(os.fdatasync, self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _mend(self) -> int:
        """Number the lines that are there and cut a last one torn by a crash of the machine."""
        if not self._path.exists():
            return 0
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offsets.append(end)
                end += len(line)
        os.truncate(self._path, end)
        return end

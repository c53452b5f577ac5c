"""PostGIS as a peer: Debian's server, a GiST index over the places and subdivided areas."""

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import numpy as np
import shapely

from benchmarks.peers.peer import Absent, Count
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd
from ctalert.embedded.account import server_account

T = TypeVar("T")

PACKAGE = "postgresql-15-postgis-3"
CONTROL = "postgresql/*/extension/postgis.control"
# For one table that fits into memory, on a machine with nothing else to do; compiling the
# queries (jit) made every area slower.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "2GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "8GB",
    "fsync": "off",
    "jit": "off",
    "random_page_cost": "1.1",
}
# By itself it gives a few hundred pieces to one core; told so, it takes all there are.
EVERY_CORE = {"min_parallel_table_scan_size": "0", "min_parallel_index_scan_size": "0"}
# Vertices a piece has at most; the quickest is taken for each area.
PIECES = (32, 64, 128)
START_S = 30.0


@contextmanager
def postgis(crowd: Crowd, areas: list[Area], *, pushed: bool = False) -> Iterator[Count]:
    """Run a server of our own with all places in it; give what counts those in an area.

    Each area is cut beforehand, for nothing, into the pieces that are quickest for it. The places
    lie as they came in; `pushed` sorts them along a curve first, as nobody can who takes changes
    in, and has every core count.

    Raises:
        Absent: PostGIS is not installed and cannot be.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="ctalert-postgis-", dir="/var/tmp"))
    folder.chmod(0o711)
    account = server_account()
    try:
        account.make_folder(folder / "run")
        log = folder / "run" / "log"
        data = folder / "run" / "data"
        made = account.run(
            [programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "--locale=C", "-N"], log
        )
        if made != 0:
            raise RuntimeError(log.read_text(errors="replace"))
        chosen = SETTINGS | EVERY_CORE if pushed else SETTINGS
        settings = [f"-c{name}={value}" for name, value in chosen.items()]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder / "run", *settings],
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            **account.options(),
        )
        try:
            with asyncio.Runner() as runner:
                yield _Server(runner, folder / "run").with_places(
                    crowd, areas, "ORDER BY 1" if pushed else ""
                )
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the newest server that PostGIS is installed for.

    Raises:
        Absent: there is none and it cannot be installed.
    """
    if not list(Path("/usr/share").glob(CONTROL)) and os.geteuid() == 0:
        _install()
    versions = [int(file.parts[-3]) for file in Path("/usr/share").glob(CONTROL)]
    if not versions:
        raise Absent(f"PostGIS is not here: install Debian's package {PACKAGE}")
    return Path(f"/usr/lib/postgresql/{max(versions)}/bin")


def _install() -> None:
    sys.stderr.write(f"geofence: installing {PACKAGE}\n")
    for words in (["update"], ["install", "--yes", "--no-install-recommends", PACKAGE]):
        subprocess.run(
            ["apt-get", "--quiet", "--quiet", *words],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
        )


class _Server:
    """One connection, spoken to without an event loop around it."""

    def __init__(self, runner: asyncio.Runner, socket: Path) -> None:
        self._runner = runner
        self._socket = socket
        self._pieces: dict[str, str] = {}

    def with_places(self, crowd: Crowd, areas: list[Area], order: str) -> Count:
        """Take the places in, their rows in this order, and cut the areas."""
        self._connection: Any = self._do(self._connect())
        self._do(self._load(crowd, order))
        for number, area in enumerate(areas):
            self._pieces[area.name] = self._do(self._cut(area, f"area_{number}"))
        return lambda area: self._do(self._count(self._pieces[area.name]))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _connect(self) -> Any:
        deadline = time.monotonic() + START_S
        while True:
            try:
                return await asyncpg.connect(
                    host=str(self._socket), user="bench", database="postgres", timeout=600
                )
            except (OSError, asyncpg.CannotConnectNowError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def _load(self, crowd: Crowd, order: str) -> None:
        tell = self._connection.execute
        await tell("CREATE EXTENSION postgis")
        await tell("CREATE UNLOGGED TABLE given (lon float8, lat float8)")
        await self._connection.copy_to_table("given", source=_binary(crowd), format="binary")
        await tell(
            f"""
            CREATE UNLOGGED TABLE place AS
            SELECT ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS geom FROM given {order}
            """  # noqa: S608  names of ours, here and below
        )
        await tell("CREATE INDEX ON place USING gist (geom)")
        await tell("VACUUM (ANALYZE, FREEZE) place")

    async def _cut(self, area: Area, name: str) -> str:
        """Cut an area into pieces of several sizes; return the table that is counted quickest."""
        quickest, least = "", float("inf")
        for vertices in PIECES:
            table = f"{name}_{vertices}"
            await self._connection.execute(
                f"CREATE UNLOGGED TABLE {table} (geom geometry(Geometry, 4326))"
            )
            await self._connection.execute(
                f"INSERT INTO {table} SELECT ST_Subdivide(ST_GeomFromWKB($1, 4326), $2)",
                shapely.to_wkb(area.geometry),
                vertices,
            )
            await self._connection.execute(f"ANALYZE {table}")
            began = time.perf_counter()
            await self._count(table)
            seconds = time.perf_counter() - began
            if seconds < least:
                quickest, least = table, seconds
        return quickest

    async def _count(self, table: str) -> int:
        pairs = f"{table} AS piece JOIN place ON ST_Intersects(piece.geom, place.geom)"
        return int(await self._connection.fetchval(f"SELECT count(*) FROM {pairs}"))  # noqa: S608


async def _binary(crowd: Crowd) -> Any:
    """Yield the coordinates as PostgreSQL's binary COPY has them."""
    row = np.dtype([("columns", ">i2"), ("a", ">i4"), ("lon", ">f8"), ("b", ">i4"), ("lat", ">f8")])
    yield b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    for at in range(0, len(crowd), 100_000):
        lon, lat = crowd.lon[at : at + 100_000], crowd.lat[at : at + 100_000]
        rows = np.empty(len(lon), row)
        rows["columns"], rows["a"], rows["b"] = 2, 8, 8
        rows["lon"], rows["lat"] = lon, lat
        yield rows.tobytes()
    yield struct.pack(">h", -1)

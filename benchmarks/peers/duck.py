"""DuckDB's spatial extension as a peer: a filter by bounds or an R-tree, whichever is quicker."""

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapely

from benchmarks.peers.peer import Absent, Count
from benchmarks.places.areas import Area
from benchmarks.places.crowd import Crowd

WHEEL = "duckdb_extension_spatial"
BOUNDS = "{'min_x': -75.0, 'min_y': 40.0, 'max_x': -71.0, 'max_y': 43.0}::BOX_2D"


@contextmanager
def duck(crowd: Crowd, areas: list[Area]) -> Iterator[Count]:
    """Hold all places in a database in memory; give what counts those in an area.

    Raises:
        Absent: the wheels duckdb and duckdb-extension-spatial are not installed.
    """
    try:
        import duckdb

        folder = Path(next(iter(importlib.import_module(WHEEL).__path__)))
    except ImportError as error:
        raise Absent(f"DuckDB is not here: install the wheel {error.name}") from error
    extension = next(folder.rglob("spatial.duckdb_extension"))
    # The wheel's own file; its signature is for DuckDB's download site.
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as database:
        database.execute(f"LOAD '{extension}'")
        database.register("given", {"lon": crowd.lon, "lat": crowd.lat})
        database.execute(
            f"""
            CREATE TABLE place AS SELECT lon, lat, ST_Point(lon, lat) AS geom FROM given
             ORDER BY ST_Hilbert(lon, lat, {BOUNDS})
            """  # noqa: S608  constants of ours, here and below
        )
        database.execute("CREATE TABLE tree AS SELECT geom FROM place")
        database.execute("CREATE INDEX tree_geom ON tree USING RTREE (geom)")
        quickest = {area.name: _quickest(database, area) for area in areas}
        yield lambda area: quickest[area.name]()


def _quickest(database: Any, area: Area) -> Callable[[], int]:
    timed = []
    for way in (_by_bounds, _by_tree):
        count = way(database, area)
        began = time.perf_counter()
        count()
        timed.append((time.perf_counter() - began, count))
    return min(timed, key=lambda one: one[0])[1]


def _by_bounds(database: Any, area: Area) -> Callable[[], int]:
    west, south, east, north = area.geometry.bounds
    query = """
        SELECT count(*) FROM place
         WHERE lon BETWEEN ? AND ? AND lat BETWEEN ? AND ?
           AND ST_Intersects(geom, ST_GeomFromWKB(?))
        """
    values = [west, east, south, north, shapely.to_wkb(area.geometry)]
    return lambda: int(database.execute(query, values).fetchone()[0])


def _by_tree(database: Any, area: Area) -> Callable[[], int]:
    # The index is used for a constant only, and all 17 digits of it have to be written.
    text = shapely.to_wkt(area.geometry, rounding_precision=-1)
    query = f"SELECT count(*) FROM tree WHERE ST_Intersects(geom, ST_GeomFromText('{text}'))"  # noqa: S608
    return lambda: int(database.execute(query).fetchone()[0])

"""The process apart: reads a job and a file from its standard input, answers on its output."""

import gc
import os
import sys
from typing import IO, Any

import orjson

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.sandbox.boundaries import Job, read_areas, read_layer
from services.geofence.layers.formats.sandbox.frames import write_frame
from services.geofence.layers.formats.sandbox.lock import bound, close_doors
from shared.connecticut import towns


def main() -> int:
    """Do one job; 0 where it is answered, with what was read or with what is wrong."""
    # A process of one job: to look for cycles among a million positions takes longer than to read
    # them.
    gc.disable()
    given, out = sys.stdin.buffer, os.fdopen(1, "wb", closefd=False)
    job: Job = orjson.loads(given.readline())
    bound(**job["bounds"])
    data = given.read()
    work = _prepare(job, data)
    close_doors()
    try:
        for piece in work(job, data):
            write_frame(out, piece)
    except LayerInvalid as error:
        faults = [(one.feature, one.pointer, one.code, one.detail) for one in error.faults]
        _restart(out, {"faults": faults})
    except MemoryError:
        _restart(out, {"faults": [("", "", "too-complex", "The file needs too much memory.")]})
    except Exception as error:
        # Said by its class alone: its words may be the file's.
        _restart(out, {"crash": type(error).__name__})
    out.flush()
    return 0


def _restart(out: IO[bytes], summary: Job) -> None:
    out.flush()
    out.seek(0)
    out.truncate()
    write_frame(out, orjson.dumps(summary))


def _prepare(job: Job, data: bytes) -> Any:
    """Import and warm up all that the job needs, while files can still be opened."""
    towns()
    if job["format"] in ("shapefile", "gpkg"):
        import services.geofence.layers.formats.gdal.features  # noqa: F401
        from services.geofence.layers.formats.gdal.warm_up import warm_up

        warm_up()
    if job["format"] in ("shapefile", "gpkg") or b'"crs"' in data:
        from services.geofence.layers.formats.crs import projection_of

        projection_of("EPSG:2234")
    if job["purpose"] == "addresses":
        from services.geofence.layers.formats.addresses.read_rows import read_rows

        return read_rows
    return read_areas if job["purpose"] == "areas" else read_layer


if __name__ == "__main__":
    sys.exit(main())

"""Have GDAL open, once, what it opens by itself, and hold its drivers to the ones we want."""

import io
import struct

import numpy as np
import pyogrio
import pyogrio.raw

KEPT = {"ESRI Shapefile", "GPKG"}


def warm_up() -> None:
    """Open GDAL's database of reference systems by writing a point to memory.

    Raises:
        RuntimeError: GDAL has another driver than those that are kept.
    """
    if not set(pyogrio.list_drivers()) <= KEPT:
        raise RuntimeError("GDAL has drivers that it should not have")
    point = np.array([struct.pack("<BIdd", 1, 1, 0.0, 0.0)], object)
    pyogrio.raw.write(
        io.BytesIO(), point, [np.array(["0"], object)], ["code"],
        geometry_type="Point", crs="EPSG:2234", driver="GPKG", layer="layer",
    )  # fmt: skip

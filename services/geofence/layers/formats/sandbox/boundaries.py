"""What the process apart does with a file of boundaries: pieces of bytes, then a summary."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import shapely

from services.geofence.layers.faults import LayerWarning
from services.geofence.layers.formats.checks.neighbours import compare
from services.geofence.layers.formats.checks.whereabouts import check_whereabouts
from services.geofence.layers.formats.collect import MOST_FEATURES, Collector
from services.geofence.layers.formats.members import Members, open_members
from services.geofence.layers.geometry import Caps

Job = dict[str, Any]


def read_layer(job: Job, data: bytes) -> Iterator[bytes]:
    """Read features with codes and names, and compare them with one another.

    Raises:
        LayerInvalid: anything is wrong with the file or with one of them, or a known code stands
            for another place.
    """
    opened = _open(job, data, [job["code_field"], job["name_field"]])
    collected = Collector(
        code_field=job["code_field"], name_field=job["name_field"], to_degrees=opened.to_degrees
    ).read(opened.members)
    check_whereabouts(collected.features, job["kind"])
    features = sorted(collected.features, key=lambda feature: feature.code)
    warnings = compare(features, job["kind"])
    if collected.altitudes:
        detail = f"An altitude was left out in {collected.altitudes} features."
        warnings.insert(0, LayerWarning("altitude-dropped", detail))
    wkbs = shapely.to_wkb(np.array([one.geometry for one in features], object), byte_order=1)
    yield b"".join(wkbs)
    yield orjson.dumps(
        {
            "layer": opened.layer,
            "crs": opened.crs,
            "codes": [one.code for one in features],
            "names": [one.name for one in features],
            "sizes": [len(one) for one in wkbs],
            "warnings": [(one.code, one.detail, one.features) for one in warnings],
        }
    )


def read_areas(job: Job, data: bytes) -> Iterator[bytes]:
    """Read polygons within what may be drawn.

    Raises:
        LayerInvalid: anything is wrong with the file or with one of them.
    """
    opened = _open(job, data, [])
    collector = Collector(to_degrees=opened.to_degrees)
    areas = collector.read_areas(opened.members, Caps())
    wkbs = shapely.to_wkb(np.array(areas, object), byte_order=1)
    yield b"".join(wkbs)
    yield orjson.dumps({"crs": opened.crs, "sizes": [len(one) for one in wkbs]})


def _open(job: Job, data: bytes, fields: list[str]) -> Members:
    return open_members(job["format"], data, layer=job["layer"], fields=fields, most=MOST_FEATURES)

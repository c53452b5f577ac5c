"""Read a file of boundaries into features with codes and names, in a process apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Self

import shapely

from services.geofence.layers.faults import LayerWarning
from services.geofence.layers.formats.media import Format
from services.geofence.layers.formats.sandbox.run_apart import Bounds, run_apart
from services.geofence.layers.kinds import Feature


@dataclass(frozen=True, slots=True)
class LayerFile:
    """What a file held: features by code, its inner layer, reference system and warnings."""

    features: list[Feature]
    format: Format
    layer: str
    crs: str
    warnings: tuple[LayerWarning, ...]

    @classmethod
    def unpack(cls, packed: bytes, said: Mapping[str, Any], format: Format) -> Self:
        """Make it of the geometries end to end and of what was said of them."""
        starts = accumulate(said["sizes"], initial=0)
        geometries = shapely.from_wkb([packed[at:end] for at, end in pairwise(starts)])
        features = [
            Feature(code, name, geometry)
            for code, name, geometry in zip(said["codes"], said["names"], geometries, strict=True)
        ]
        warnings = tuple(
            LayerWarning(code, detail, tuple(codes)) for code, detail, codes in said["warnings"]
        )
        return cls(features, format, said["layer"], said["crs"], warnings)


def read_features(
    data: bytes,
    format: Format,
    *,
    kind: str,
    code_field: str,
    name_field: str,
    layer: str | None = None,
) -> LayerFile:
    """Read a file's features, in degrees WGS 84, in the order of their codes.

    `layer` names the inner layer of a file that has several.

    Raises:
        LayerInvalid: anything is wrong with the file; nothing of it is repaired or left out.
    """
    job = {
        "purpose": "layer", "format": format, "kind": kind, "layer": layer,
        "code_field": code_field, "name_field": name_field,
    }  # fmt: skip
    with run_apart(job, data, bounds=Bounds()) as answer:
        (packed,) = answer
        said = answer.summary()
    return LayerFile.unpack(packed, said, format)

"""Takes a KML document apart: placemarks with polygons, as the strict reader of features wants.

GDAL's reader of KML loses positions that are no numbers and closes rings; this one does not.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from lxml import etree

from services.geofence.layers.faults import whole_file
from services.geofence.layers.formats.archive import open_archive
from services.geofence.layers.formats.choice import choose

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_GEOMETRIES = {
    "Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Model", "Track", "MultiTrack",
}  # fmt: skip


def unpack_kmz(data: bytes) -> bytes:
    """Return the one KML document in the root of a KMZ archive.

    Raises:
        LayerInvalid: a bad archive, or other than one document in its root.
    """
    archive = open_archive(data)
    found = [
        name
        for name in archive.names
        if PurePosixPath(name).suffix.lower() == ".kml" and len(PurePosixPath(name).parts) == 1
    ]
    if len(found) != 1:
        raise whole_file("malformed-file", "The archive's root must hold one KML document.")
    return archive.read(found[0])


def read_placemarks(data: bytes, *, layer: str | None) -> tuple[str, list[object]]:
    """Return the name of the folder with polygons that is meant, and its placemarks as features.

    Raises:
        LayerInvalid: no KML, a DOCTYPE, content elsewhere, or no one folder that is meant.
    """
    root = _parse(data)
    for element in root.iter("{*}NetworkLink", "{*}Update"):
        raise whole_file(
            "incomplete-file", f"Line {element.sourceline}: a part of the document lies elsewhere."
        )
    folders = [
        (_text(folder, "name") or "", placemarks)
        for folder in (root, *root.iter("{*}Document", "{*}Folder"))
        if (placemarks := folder.findall("{*}Placemark"))
        and any(_local(one) == "Polygon" for placemark in placemarks for one in placemark.iter())
    ]
    name = choose([name for name, _ in folders], layer)
    placemarks = next(found for one, found in folders if one == name)
    return name, [_feature(placemark) for placemark in placemarks]


def _parse(data: bytes) -> etree._Element:
    if not data.strip():
        raise whole_file("empty-body", "The file is empty.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        dtd_validation=False, attribute_defaults=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise whole_file(
            "malformed-xml", f"Not well-formed XML, or too deep, at line {line}, column {column}."
        ) from None
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise whole_file("dtd-forbidden", "A DOCTYPE is not allowed.")
    if _local(root) != "kml":
        raise whole_file("malformed-file", "The document is not KML.")
    return root


def _feature(placemark: etree._Element) -> dict[str, object]:
    properties: dict[str, object] = {"name": _text(placemark, "name")}
    for element in placemark.iter("{*}Data", "{*}SimpleData"):
        name = element.get("name")
        if name:
            value = element if _local(element) == "SimpleData" else element.find("{*}value")
            properties[name] = None if value is None else value.text
    found = [one for one in placemark if _local(one) in _GEOMETRIES]
    geometry = _geometry(found) if found else None
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _geometry(found: Sequence[etree._Element]) -> dict[str, object]:
    leaves = list(_leaves(found))
    for leaf in leaves:
        if _local(leaf) != "Polygon":
            return {"type": _local(leaf), "coordinates": []}
    polygons = [_polygon(leaf) for leaf in leaves]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _leaves(found: Sequence[etree._Element]) -> Iterator[etree._Element]:
    for one in found:
        if _local(one) == "MultiGeometry":
            yield from _leaves([child for child in one if _local(child) in _GEOMETRIES])
        else:
            yield one


def _polygon(polygon: etree._Element) -> list[object]:
    outer = polygon.findall("{*}outerBoundaryIs/{*}LinearRing")
    # Without its one outer ring a polygon is its holes, and the first would pass for a shell.
    if len(outer) != 1:
        return []
    return [_ring(one) for one in (*outer, *polygon.findall("{*}innerBoundaryIs/{*}LinearRing"))]


def _ring(ring: etree._Element) -> list[object]:
    return [
        [float(part) if _NUMBER.fullmatch(part) else part for part in position.split(",")]
        for position in (_text(ring, "coordinates") or "").split()
    ]


def _text(element: etree._Element, name: str) -> str | None:
    text = element.findtext(f"{{*}}{name}")
    return text.strip() if text else None


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname

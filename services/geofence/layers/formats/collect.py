"""Makes features of what a file holds, strictly, and reports all that is wrong with them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from services.geofence.layers.faults import MOST_FAULTS, LayerFault, LayerInvalid, whole_file
from services.geofence.layers.formats.positions import ToDegrees, flatten, outside, size_of
from services.geofence.layers.geometry import Caps, GeometryRefused, read_polygon
from services.geofence.layers.kinds import Feature
from shared.connecticut import is_swapped

Area = Polygon | MultiPolygon

MOST_FEATURES = 100_000
MOST_VERTICES = 5_000_000
LONGEST_TEXT = 200
# The finest outline of the State has fewer; whether one of a million crosses itself takes minutes.
LONGEST_RING = 250_000
LARGE = Caps(polygons=MOST_FEATURES, vertices=MOST_VERTICES, ring=LONGEST_RING)


@dataclass(frozen=True, slots=True)
class Collected:
    """Features in the order of the file, and in how many an altitude was left out."""

    features: list[Feature]
    altitudes: int


class Collector:
    """Takes a file's features one after the other and remembers what is wrong with them."""

    def __init__(
        self, *, code_field: str = "", name_field: str = "", to_degrees: ToDegrees | None = None
    ) -> None:
        self.altitudes = 0
        self.faults: list[LayerFault] = []
        self._fields = code_field, name_field
        self._to_degrees = to_degrees
        self._polygons = self._vertices = 0

    def read(self, members: Iterable[object]) -> Collected:
        """Read members as features with a code of their own and a name.

        Raises:
            LayerInvalid: anything is wrong with any of them.
        """
        features: list[Feature] = []
        seen: dict[str, int] = {}
        for number, member in enumerate(members):
            at = f"/features/{number}"
            try:
                feature = self._feature(member, at)
                if feature.code in seen:
                    raise GeometryRefused(
                        "duplicate-code", at, f"Feature {seen[feature.code]} has the same code."
                    )
                seen[feature.code] = number
                features.append(feature)
            except GeometryRefused as error:
                known = text_of(member, self._fields[0]) or f"number {number}"
                self._remember(known, error)
        self._refuse_faults()
        return Collected(features, self.altitudes)

    def read_areas(self, members: Iterable[object], caps: Caps) -> list[Area]:
        """Read the polygons of members, whatever else they say, within what may be drawn.

        Raises:
            LayerInvalid: anything is wrong with any of them.
        """
        areas: list[Area] = []
        for number, member in enumerate(members):
            try:
                areas.append(self._area(member, f"/features/{number}", caps))
            except GeometryRefused as error:
                self._remember(f"number {number}", error)
        self._refuse_faults()
        return areas

    def _feature(self, member: object, at: str) -> Feature:
        _check_feature(member, at)
        code, name = (text_of(member, field) for field in self._fields)
        for what, value in (("code", code), ("name", name)):
            if not value or len(value) > LONGEST_TEXT:
                missing = "longer than is kept" if value else "missing"
                detail = f"The property that holds the {what} is {missing}."
                raise GeometryRefused("property-required", f"{at}/properties", detail)
        return Feature(str(code), str(name), self._area(member, at, LARGE))

    def _area(self, member: object, at: str, caps: Caps) -> Area:
        given = _check_feature(member, at).get("geometry")
        size = size_of(given)
        self._polygons += size.polygons
        self._vertices += size.vertices
        if self._polygons > caps.polygons or self._vertices > caps.vertices:
            raise whole_file(
                "too-complex",
                f"At most {caps.polygons} polygons and {caps.vertices} vertices in all.",
            )
        if size.ring > caps.ring:
            raise whole_file("too-complex", f"At most {caps.ring} vertices a ring.")
        flat, had_altitude = flatten(given, self._to_degrees)
        area = read_polygon(flat, pointer=f"{at}/geometry", caps=caps)
        self.altitudes += had_altitude
        _check_place(area, flat, f"{at}/geometry")
        return area

    def _remember(self, feature: str, error: GeometryRefused) -> None:
        code = "too-complex" if error.status == 413 else error.code
        self.faults.append(LayerFault(feature, error.pointer, code, error.detail))
        if len(self.faults) >= MOST_FAULTS:
            self._refuse_faults()

    def _refuse_faults(self) -> None:
        if self.faults:
            raise LayerInvalid(self.faults)


def text_of(member: object, field: str) -> str | None:
    """Return a property as text: of that name, or the one of that name in any case."""
    properties = member.get("properties") if isinstance(member, dict) else None
    if not isinstance(properties, dict):
        return None
    if field not in properties:
        alike = [name for name in properties if str(name).casefold() == field.casefold()]
        field = alike[0] if len(alike) == 1 else field
    value = properties.get(field)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = " ".join(str(value).split())
    return text if text.isprintable() else None


def _check_feature(member: object, at: str) -> dict[str, object]:
    if not isinstance(member, dict) or member.get("type") != "Feature":
        raise GeometryRefused("not-a-feature", at, "Every member must be a GeoJSON Feature.")
    return member


def _check_place(area: Area, geometry: object, at: str) -> None:
    """Refuse what lies elsewhere in the world, as with swapped axes or a wrong system."""
    corners = shapely.get_coordinates(area)
    pointer = outside(geometry)
    if pointer is None:
        return
    if all(is_swapped(x, y) for x, y in corners[np.linspace(0, len(corners) - 1, 9, dtype=int)]):
        raise GeometryRefused(
            "swapped-coordinates",
            f"{at}{pointer}",
            "Longitude comes first, then latitude; here they seem to be swapped.",
        )
    raise GeometryRefused(
        "outside-service-area", f"{at}{pointer}", "This corner is nowhere near Connecticut."
    )

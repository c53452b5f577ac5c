"""What is drawn elsewhere in the world is refused by its first vertex there."""

from typing import Any

import pytest

from services.geofence.layers.geometry import GeometryRefused
from tests.unit.geofence.areas.test_bad_areas import AT, AWAY, HOLE, SQUARE, many, polygon, read

FAR = [-60.0, 41.5]
WEST = [[-72.8, 41.5], [-72.8, 41.7], [-80.0, 41.6], [-72.8, 41.5]]
OUTSIDE: dict[str, tuple[dict[str, Any], str]] = {
    "all": (polygon([[lon + 5, lat] for lon, lat in SQUARE]), f"{AT}/0/0"),
    "one": (polygon([*SQUARE[:1], FAR, *SQUARE[2:]]), f"{AT}/0/1"),
    "the last before it closes": (polygon([*SQUARE[:3], [-72.8, 55.5], SQUARE[4]]), f"{AT}/0/3"),
    "of the second part": (many([AWAY], [WEST]), f"{AT}/1/0/2"),
    "of the only part of many": (many([[*SQUARE[:1], FAR, *SQUARE[2:]]]), f"{AT}/0/0/1"),
    "behind a hole": (many([SQUARE, HOLE], [[*AWAY[:2], [-50.0, 41.6], AWAY[0]]]), f"{AT}/1/0/2"),
    "excluded": ({"include": polygon(SQUARE)["include"],
                  "exclude": polygon([*SQUARE[:1], FAR, *SQUARE[2:]])["include"]},
                 "/exclude/0/geometry/coordinates/0/1"),
}  # fmt: skip


@pytest.mark.shows("S05", "bad:A10")
@pytest.mark.parametrize("name", OUTSIDE)
def test_the_first_vertex_outside_is_named_without_its_numbers(name: str) -> None:
    area, pointer = OUTSIDE[name]
    with pytest.raises(GeometryRefused) as refused:
        read(area)
    assert (refused.value.code, refused.value.pointer) == ("outside-service-area", pointer)
    assert refused.value.detail == "This point is more than 50 km from Connecticut."


TURNED = [[lat, lon] for lon, lat in SQUARE]


@pytest.mark.shows("bad:A10")
@pytest.mark.parametrize(("area", "pointer"), [
    (polygon([*SQUARE[:2], [41.61234, -72.61234], *SQUARE[3:]]), f"{AT}/0/2"),
    (polygon(TURNED), f"{AT}/0/0"), (many([AWAY], [TURNED]), f"{AT}/1/0/0"),
])  # fmt: skip
def test_numbers_that_lie_here_when_swapped_are_hinted_at_and_not_repeated(
    area: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(GeometryRefused) as refused:
        read(area)
    assert (refused.value.code, refused.value.pointer) == ("swapped-coordinates", pointer)
    assert "swapped" in refused.value.detail
    assert not any(letter.isdigit() for letter in refused.value.detail.replace("50 km", ""))

"""What the geofence refuses of a message is named where the message has it."""

from typing import Any

import pytest

from tests.service.dispatcher.alerts.cap.cap_messages import POLYGON, info, message, post
from tests.service.dispatcher.alerts.cap.test_cap_areas import CIRCLE, areas, geocodes
from tests.service.dispatcher.alerts.desk import Desk, codes

FIRST, SECOND = "/alert/info[1]/area[1]", "/alert/info[1]/area[2]"
OTHER = "<polygon>41.40,-72.93 41.40,-72.91 41.42,-72.92 41.40,-72.93</polygon>"
AREA = areas(POLYGON + OTHER + geocodes(("SAME", "009009")), f"{OTHER}\n{CIRCLE}\n{CIRCLE}")
AT = "/area/include/{}/geometry"
PLACES: dict[str, tuple[str, str, str]] = {
    "a vertex": (AT.format(0) + "/coordinates/0/2", f"{FIRST}/polygon[1]", ", point 3"),
    "of the second polygon": (AT.format(1) + "/coordinates/0/0", f"{FIRST}/polygon[2]",
                              ", point 1"),
    "a ring": (AT.format(1) + "/coordinates/0", f"{FIRST}/polygon[2]", ""),
    "a polygon": (AT.format(0), f"{FIRST}/polygon[1]", ""),
    "a circle": ("/area/include/2", f"{SECOND}/circle[1]", ""),
    "a radius": ("/area/include/2/radius_m", f"{SECOND}/circle[1]", ""),
    "all": ("/area/include", "/alert", ""),
    "the area": ("/area", "/alert", ""),
    "a code beside": ("/area/beside/0/value", "/alert", ""),
}  # fmt: skip


@pytest.mark.shows("bad:C11", "bad:A05", "C11")
@pytest.mark.parametrize("name", PLACES)
async def test_a_fault_of_the_area_points_into_the_message(desk: Desk, name: str) -> None:
    pointer, path, point = PLACES[name]
    desk.geofence.refusing = [(pointer, "self-intersection")]
    body = message(desk.keys["sender"], info(area=AREA))
    refused = await post(desk, body)
    assert (refused.status_code, codes(refused)) == (422, {"self-intersection"})
    [fault] = refused.json()["errors"]
    assert fault["pointer"] == path
    line = 1 + body[: place_of(body, path)].count("\n")
    assert fault["detail"].startswith(f"Line {line}{point}: ")


async def test_every_fault_has_its_place(desk: Desk) -> None:
    desk.geofence.refusing = [
        (AT.format(number) + "/coordinates/0/1", "outside-service-area") for number in (0, 1)
    ]
    refused = await post(desk, message(desk.keys["sender"], info(area=AREA)))
    found: list[dict[str, Any]] = refused.json()["errors"]
    assert [one["pointer"] for one in found] == [f"{FIRST}/polygon[1]", f"{FIRST}/polygon[2]"]
    assert all(", point 2: " in one["detail"] for one in found)


def place_of(body: str, path: str) -> int:
    """Return where in a message the element of a path begins."""
    at = 0
    for step in path.split("/")[1:]:
        name, _, number = step.rstrip("]").partition("[")
        for _ in range(int(number or 1)):
            at = body.index(f"<{name}", at) + 1
    return at

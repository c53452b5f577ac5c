"""An area that is missing, altered or not signed by its owner moves nothing: no row, no send."""

import hashlib
import math
import struct
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import shapely

from shared.events.base import Event
from shared.events.topics import ALERT_APPROVED, DELIVERY
from tests.conftest import KeyRings
from tests.contract.apis.hops import LEFT_OUT, Hops, open_hops
from tests.servers import ServiceDatabase
from tests.service.dispatcher.delivery.stage import chunk_of, run_of
from tests.service.geofence.parts import eventually
from tests.service.geofence.world import AREA, INSIDE, approved


@pytest.fixture(scope="module")
async def hops(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings, kafka: str
) -> AsyncIterator[Hops]:
    """Both services' roles as they are assembled, one resident inside AREA, one live broadcast."""
    async with open_hops(database, keyrings, kafka) as opened:
        yield opened


def area(geometry: shapely.Geometry | bytes, *, bomb: int = 0) -> dict[str, str]:
    """Return an area's two fields with a digest that is right, whatever the area is."""
    wkb = geometry if isinstance(geometry, bytes) else shapely.to_wkb(geometry)
    wkb += b"\0" * bomb
    packed = b64encode(zlib.compress(wkb)).decode()
    return {"area_wkb": packed, "area_digest": hashlib.sha256(wkb).hexdigest()}


BOW_TIE = shapely.Polygon([(-72.8, 41.5), (-72.7, 41.6), (-72.7, 41.5), (-72.8, 41.6)])
NO_NUMBER = shapely.to_wkb(AREA).replace(struct.pack("<d", -72.8), struct.pack("<d", math.nan), 1)
GOOD = area(AREA)
BAD_AREAS: dict[str, dict[str, Any]] = {
    "null": {"area_wkb": None},
    "left out": {"area_wkb": LEFT_OUT},
    "empty": {"area_wkb": ""},
    "blank": {"area_wkb": "    "},
    "number": {"area_wkb": 7},
    "list": {"area_wkb": []},
    "object": {"area_wkb": {"type": "Polygon", "coordinates": []}},
    "no base64": {"area_wkb": "***"},
    "no zlib": {"area_wkb": b64encode(b"everywhere").decode()},
    "cut off": {"area_wkb": GOOD["area_wkb"][:40]},
    "nothing packed": area(b""),
    "garbage packed": area(b"everywhere"),
    "polygon of nothing": area(shapely.Polygon()),
    "multipolygon of nothing": area(shapely.MultiPolygon()),
    "collection of nothing": area(shapely.GeometryCollection()),
    "point": area(shapely.Point(*INSIDE)),
    "line": area(shapely.LineString([(-72.8, 41.5), (-72.6, 41.7)])),
    "flat": area(shapely.Polygon([INSIDE, (-72.6, 41.7), INSIDE])),
    "bow tie": area(BOW_TIE),
    "not a number": area(NO_NUMBER),
    "bomb": area(shapely.to_wkb(AREA), bomb=20_000_000),
    "another's digest": {"area_digest": area(BOW_TIE)["area_digest"]},
    "digest null": {"area_digest": None},
    "digest left out": {"area_digest": LEFT_OUT},
    "digest empty": {"area_digest": ""},
    "digest of nothing": {"area_digest": hashlib.sha256(b"").hexdigest()},
}
# As if by its owner, but it is not: what the owner's key never signed.
ALIENS: dict[str, dict[str, Any]] = {
    "unsigned": {"fields": {"signature": LEFT_OUT}},
    "signature null": {"fields": {"signature": None}},
    "signature empty": {"fields": {"signature": ""}},
    "signature garbled": {"fields": {"signature": "AAAA"}},
    "key unknown": {"fields": {"key_id": "nobody"}},
    "key null": {"fields": {"key_id": None}},
    "changed since": {"fields": {"occurred_at": "2026-01-01T00:00:00Z"}},
    "key of another": {"key": str(UUID(int=7)).encode()},
}


@pytest.mark.shows("S05", "M13", "bad:K15", "bad:K05", "bad:K07", "bad:A02")
@pytest.mark.parametrize("name", BAD_AREAS)
async def test_an_approval_over_a_bad_area_resolves_nobody(hops: Hops, name: str) -> None:
    await hops.refuses(
        approved(uuid4()), by="dispatcher", data=BAD_AREAS[name], signed_by="dispatcher"
    )


@pytest.mark.shows("S40", "S05", "bad:K11", "bad:K12")
@pytest.mark.parametrize("name", ALIENS)
async def test_an_approval_that_is_not_the_dispatchers_resolves_nobody(
    hops: Hops, name: str
) -> None:
    await hops.refuses(approved(uuid4()), by="dispatcher", **ALIENS[name])


@pytest.mark.shows("S40", "bad:K11")
@pytest.mark.parametrize("claims", ["dispatcher", "geofence"])
async def test_an_approval_signed_by_the_geofence_resolves_nobody(hops: Hops, claims: str) -> None:
    """Not under the dispatcher's name, and not under its own."""
    await hops.refuses(approved(uuid4()), by="dispatcher", producer=claims, signed_by="geofence")


@pytest.mark.shows("S05", "M13", "bad:K05", "bad:K07")
@pytest.mark.parametrize("digest", [None, LEFT_OUT, "", "0" * 64, 7, "ab" * 31])
@pytest.mark.parametrize("kind", ["chunk", "run"])
async def test_an_audience_of_another_area_is_not_taken(hops: Hops, kind: str, digest: Any) -> None:
    await hops.refuses(
        audience(hops, kind), by="geofence", data={"area_digest": digest}, signed_by="geofence"
    )


@pytest.mark.shows("S05", "bad:K07")
@pytest.mark.parametrize("inside", [None, LEFT_OUT, "***", "AAAA", 7, ["*"]])
async def test_a_chunk_of_nobody_knows_whom_is_not_taken(hops: Hops, inside: Any) -> None:
    await hops.refuses(
        audience(hops, "chunk"), by="geofence", data={"inside": inside}, signed_by="geofence"
    )


@pytest.mark.shows("S40", "bad:K11", "bad:K12")
@pytest.mark.parametrize("name", ALIENS)
@pytest.mark.parametrize("kind", ["chunk", "run"])
async def test_an_audience_that_is_not_the_geofences_is_not_taken(
    hops: Hops, kind: str, name: str
) -> None:
    await hops.refuses(audience(hops, kind), by="geofence", **ALIENS[name])


@pytest.mark.shows("S40", "bad:K11")
@pytest.mark.parametrize("claims", ["geofence", "dispatcher", "subscriber"])
@pytest.mark.parametrize("kind", ["chunk", "run"])
async def test_an_audience_signed_by_the_dispatcher_is_not_taken(
    hops: Hops, kind: str, claims: str
) -> None:
    await hops.refuses(audience(hops, kind), by="geofence", producer=claims, signed_by="dispatcher")


@pytest.mark.shows("S05", "bad:K10")
async def test_the_same_roles_warn_the_resident_once_when_all_is_right(hops: Hops) -> None:
    """Nothing but the fault stood between the records above and a text."""
    await hops.send(approved(hops.alert_id), by="dispatcher")

    async def is_asked_for() -> bool:
        return await hops.records(*DELIVERY) > 0

    await eventually(is_asked_for)
    moved = await hops.moved()
    assert {name: count for name, count in moved.items() if "run" not in name} == {
        "dispatcher_member": 1, "dispatcher_delivery": 1, "dispatcher_exclusion": 0,
        "dispatcher_chunk": 1, "dispatcher_delivery_member": 1, "geofence_live_alert": 1, "sent": 1,
    }  # fmt: skip
    assert await hops.records(ALERT_APPROVED) > 1


def audience(hops: Hops, kind: str) -> Event:
    """Return what the geofence would say of the live broadcast, about its one resident."""
    given: dict[str, Any] = {"area_digest": GOOD["area_digest"], "run_id": uuid4()}
    if kind == "chunk":
        return chunk_of(hops.alert_id, [hops.resident], **given)
    return run_of(hops.alert_id, chunks=0, members=0, **given)

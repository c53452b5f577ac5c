"""An alert without a good area warns nobody, is set aside and pages; it never widens."""

import uuid
from collections.abc import Callable

import orjson
import pytest
import shapely
from prometheus_client import REGISTRY

from shared.events.alert import AlertApproved
from shared.events.base import Event
from shared.events.envelope import Outgoing, encode
from shared.events.operations import DeadLetter
from shared.events.topics import ALERT_APPROVED, dead
from tests.service.geofence.parts import eventually, running
from tests.service.geofence.world import INSIDE, World, approved, place_changed

Make = Callable[[World], Outgoing]


def signed(world: World, event: Event) -> Outgoing:
    return encode(
        event,
        producer="dispatcher",
        signer=world.dispatcher_keys.signer,
        now=approved().approved_at,
    )


def without_area(world: World) -> Outgoing:
    """Make an approval whose area is null, signed as any other."""
    record = signed(world, approved())
    body = orjson.loads(record.value or b"")
    body.pop("signature")
    body["data"]["area_wkb"] = None
    signer = world.dispatcher_keys.signer
    assert signer is not None
    body["signature"] = signer.sign(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    return Outgoing(record.topic, record.key, orjson.dumps(body))


def of_another_digest(world: World) -> Outgoing:
    alert = approved()
    return signed(world, alert.model_copy(update={"area_digest": "0" * 64}))


def cut_off(world: World) -> Outgoing:
    alert = approved()
    return signed(world, alert.model_copy(update={"area_wkb": alert.area_wkb[:20]}))


def forged(world: World) -> Outgoing:
    record = signed(world, approved())
    body = orjson.loads(record.value or b"")
    body["data"]["expires_at"] = "2027-01-01T00:00:00Z"
    return Outgoing(record.topic, record.key, orjson.dumps(body))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (without_area, "malformed-event"),
        (of_another_digest, "area-broken"),
        (cut_off, "area-broken"),
        (forged, "signature-invalid"),
    ],
)
@pytest.mark.shows("S05", "bad:K15", "bad:K11")
async def test_is_set_aside_and_pages(world: World, make: Make, reason: str) -> None:
    good = approved()
    paged = _pages()
    async with running(world.tail()):
        await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
        await world.roster.loaded.wait()
        async with running(world.audience(world.resolver())):
            await world.producer.send(make(world))
            await world.send(good)
            await eventually(lambda: _is_completed(world, good))
            await eventually(lambda: _has_letter(world, reason))
    assert await world.value("SELECT count(*) FROM geofence_live_alert") == 1
    assert _pages() > paged


async def test_an_alert_whose_area_changed_under_its_version_is_refused(world: World) -> None:
    alert = approved()
    other = approved(alert.alert_id, area=shapely.box(-73.0, 41.5, -72.9, 41.6))
    await world.roster_loaded_and_still()
    async with running(world.audience(world.resolver())):
        await world.send(alert)
        await eventually(lambda: _is_completed(world, alert))
        await world.send(other)
        await eventually(lambda: _has_letter(world, "area-of-another-digest"))
    assert len((await world.heard(alert)).completed) == 1


def _pages() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "ctalert_pages_total"
    )


async def _is_completed(world: World, alert: AlertApproved) -> bool:
    return bool((await world.heard(alert)).completed)


async def _has_letter(world: World, reason: str) -> bool:
    letters = await world.read(dead(ALERT_APPROVED), DeadLetter)
    return reason in {letter.reason for letter in letters}

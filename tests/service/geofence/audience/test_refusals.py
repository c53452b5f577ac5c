"""An alert without a good area warns nobody, is set aside and pages; it never widens."""

import uuid
from collections.abc import Callable

import orjson
import pytest
import shapely
from prometheus_client import REGISTRY

from services.geofence.audience.late_joiners import Areas
from services.geofence.audience.store import live_alerts, note_refused
from shared.db.session import execute
from shared.events.alert import AlertApproved
from shared.events.audience import AudienceRefused
from shared.events.base import Event
from shared.events.envelope import Outgoing, encode
from shared.events.operations import DeadLetter
from shared.events.topics import ALERT_APPROVED, AUDIENCE_REFUSED, dead
from tests.service.geofence.lying import Lying
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


@pytest.mark.parametrize(
    ("make", "reason"),
    [(of_another_digest, "area-broken"), (cut_off, "area-broken")],
    ids=["of_another_digest", "cut_off"],
)
@pytest.mark.shows("M13", "S05")
async def test_the_dispatcher_hears_of_what_is_refused(
    world: World, make: Make, reason: str
) -> None:
    await world.roster_loaded_and_still()
    async with running(world.audience(world.resolver())):
        record = make(world)
        await world.producer.send(record)
        await eventually(lambda: _is_refused(world))
    (refused,) = await world.read(AUDIENCE_REFUSED, AudienceRefused)
    assert (str(refused.alert_id), refused.version) == (record.key.decode(), 1)
    assert refused.reason == reason
    assert (await world.all_heard()) == {}


@pytest.mark.shows("M13")
async def test_an_index_that_contradicts_the_area_stops_the_alert(world: World) -> None:
    alert, lying = approved(), Lying()
    liar = world.seen_by(lying)
    paged = _pages()
    async with running(liar.tail()):
        await world.send_many([place_changed(uuid.uuid4(), 1, INSIDE) for _ in range(5_100)])
        await lying.loaded.wait()
        await liar.indexed()
        async with running(world.audience(liar.resolver())):
            await world.send(alert)
            await eventually(lambda: _is_refused(world))
            await eventually(lambda: _has_letter(world, "audience-outside-area"))
    (refused,) = await world.read(AUDIENCE_REFUSED, AudienceRefused)
    assert refused.alert_id == alert.alert_id
    assert (refused.area_digest, refused.reason) == (alert.area_digest, "audience-outside-area")
    audience = await world.heard(alert)
    # What had been found before was inside; nothing more leaves, and nothing says it is whole.
    assert len(audience.members()) == 5_000
    assert audience.completed == []
    assert _pages() > paged


@pytest.mark.shows("M13", "S05")
async def test_a_live_alert_whose_stored_area_was_altered_takes_nobody_in(world: World) -> None:
    """Its late joiners would be judged by an area nobody has approved."""
    altered, good = approved(), approved()
    await world.roster_loaded_and_still()
    for one in (altered, good):
        await world.resolver().resolve(one)
    wider = shapely.to_wkb(shapely.box(-74, 41, -71, 43))
    async with world.database.transaction() as tx:
        await execute(
            tx,
            "UPDATE geofence_live_alert SET area_wkb = :wkb WHERE alert_id = :id",
            wkb=wider,
            id=altered.alert_id,
        )
    who = uuid.uuid4()
    async with running(world.places(), world.relay()):
        await world.send(place_changed(who, 1, INSIDE))
        await world.kept()
        await world.relayed()
    assert (await world.heard(altered)).members() == set()
    assert (await world.heard(good)).members() == {who}
    (refused,) = await world.read(AUDIENCE_REFUSED, AudienceRefused)
    assert (refused.alert_id, refused.reason) == (altered.alert_id, "area-broken")


@pytest.mark.shows("M13")
async def test_a_stored_area_that_was_altered_is_refused_once_whoever_keeps_the_places(
    world: World,
) -> None:
    """A roster has very many batches; each would page, and hold the alert again."""
    alert = approved()
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    async with world.database.transaction() as tx:
        await execute(tx, "UPDATE geofence_live_alert SET area_wkb = 'altered'")
    paged = _pages()
    for _ in range(2):
        async with running(world.places(), world.relay()):
            for _ in range(2):
                await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
                await world.kept()
            await world.relayed()
    (refused,) = await world.read(AUDIENCE_REFUSED, AudienceRefused)
    assert (refused.alert_id, refused.reason) == (alert.alert_id, "area-broken")
    assert _pages() == paged + 1
    assert (await world.heard(alert)).members() == set()
    # It has not ended: announced again it is resolved again, by the area of the announcement.
    async with running(world.tail()):
        await world.indexed()
        await world.resolver().resolve(alert)
    assert len((await world.heard(alert)).members(late=False)) == 4


async def test_more_live_alerts_than_areas_are_kept_at_hand(world: World) -> None:
    areas, alerts = Areas(most=2), [approved() for _ in range(4)]
    alerts[2:] = [approved(area=shapely.box(-72.9 + n / 100, 41.4, -72.6, 41.7)) for n in range(2)]
    await world.roster_loaded_and_still()
    for one in alerts:
        await world.resolver().resolve(one)
    async with world.database.transaction() as tx:
        live = await live_alerts(tx)
        digests = [(await areas.of(tx, one)).digest for one in live]
        assert digests == [one.area_digest for one in alerts]
        # The first stay; the others are read each time instead of putting one another out.
        assert list(areas._known) == [alerts[0].area_digest, alerts[2].area_digest]
        areas.keep_only(live[3:])
        assert list(areas._known) == []
        assert (await areas.of(tx, live[3])).digest == alerts[3].area_digest


async def test_an_alert_whose_area_changed_under_its_version_is_refused(world: World) -> None:
    alert = approved()
    other = approved(alert.alert_id, area=shapely.box(-73.0, 41.5, -72.9, 41.6))
    await world.roster_loaded_and_still()
    async with running(world.audience(world.resolver())):
        await world.send(alert)
        await eventually(lambda: _is_completed(world, alert))
        await world.send(other)
        await eventually(lambda: _has_letter(world, "area-of-another-digest"))
    (refused,) = await world.read(AUDIENCE_REFUSED, AudienceRefused)
    assert (refused.area_digest, refused.reason) == (other.area_digest, "area-of-another-digest")
    assert len((await world.heard(alert)).completed) == 1
    assert await world.value("SELECT refused_at FROM geofence_live_alert") is None


async def test_an_area_that_breaks_after_another_refusal_is_told_once(world: World) -> None:
    alert = approved()
    await world.roster_loaded_and_still()
    await world.resolver().resolve(alert)
    async with world.database.transaction() as tx:
        (live,) = await live_alerts(tx)
        assert await note_refused(tx, live, digest=live.digest, reason="audience-outside-area")
        await execute(tx, "UPDATE geofence_live_alert SET area_wkb = 'altered'")
    async with running(world.places(), world.relay()):
        for _ in range(2):
            await world.send(place_changed(uuid.uuid4(), 1, INSIDE))
            await world.kept()
        await world.relayed()
    (refused,) = await world.read(AUDIENCE_REFUSED, AudienceRefused)
    assert refused.reason == "area-broken"


def _pages() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "ctalert_pages_total"
    )


async def _is_completed(world: World, alert: AlertApproved) -> bool:
    return bool((await world.heard(alert)).completed)


async def _is_refused(world: World) -> bool:
    return bool(await world.read(AUDIENCE_REFUSED, AudienceRefused))


async def _has_letter(world: World, reason: str) -> bool:
    letters = await world.read(dead(ALERT_APPROVED), DeadLetter)
    return reason in {letter.reason for letter in letters}

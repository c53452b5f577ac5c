"""Taking in, publishing, replaying and relaying the roster, on real PostgreSQL and Kafka."""

import asyncio
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import event

from ctalert.demo.people import make_people
from services.subscriber.consent.history import Address
from services.subscriber.consent.suppress import suppress
from services.subscriber.imports.take_in import BatchRefused, take_in
from services.subscriber.roster.resident import (
    STATUTORY_SINCE,
    NewContact,
    NewPlace,
    NewResident,
    Preferences,
)
from services.subscriber.service import assemble, replay_roster
from services.subscriber.settings import SubscriberSettings
from shared.bus.kafka import Bus
from shared.bus.kafka.fetch import fetch_from
from shared.connecticut import towns
from shared.events.envelope import decode
from shared.events.topics import CONTACT_CHANGED, NOTICE_REQUESTED, PLACE_CHANGED
from shared.identifiers import new_id
from shared.security.keys import KeyRingInvalid
from tests.conftest import KeyRings
from tests.service.subscriber.desk import Desk, new_phone, sms
from tests.waiting import until

HOME = NewPlace(-72.6734, 41.7658, "home")


def newcomer(*contacts: NewContact, **changes: Any) -> NewResident:
    """Return somebody to take in."""
    return NewResident(language="en", contacts=contacts, places=(HOME,), **changes)


async def taken_in(desk: Desk, *residents: NewResident, batch: str = "b1") -> list[UUID]:
    """Take residents in."""
    async with desk.context.database.transaction() as tx:
        return await take_in(
            tx,
            residents,
            batch=batch,
            source="test",
            outbox=desk.context.outbox,
            keys=desk.context.keys,
        )


@pytest.mark.shows("S19")
async def test_a_statutory_landline_is_called_in_emergencies_only(desk: Desk) -> None:
    """It travels with its basis, and its reach says emergency only; an own number ends that."""
    land, own = new_phone(), new_phone()
    statutory = newcomer(NewContact("voice", land, "statutory"))
    both = newcomer(NewContact("voice", land, "statutory"), NewContact("sms", own, "verified"))
    assert await taken_in(desk, statutory, both) == [statutory.subscriber_id, both.subscriber_id]
    place, contact = await desk.state(str(statutory.subscriber_id))
    assert place.version == contact.version == 1
    assert (place.reach.channels, place.reach.emergency_only) == (2, True)
    [point] = desk.card(contact).contact_points
    assert (point.basis, point.channel, point.opted_in_at) == (
        "statutory",
        "voice",
        STATUTORY_SINCE,
    )
    place, contact = await desk.state(str(both.subscriber_id))
    assert (place.reach.channels, place.reach.emergency_only) == (3, False)
    assert [one.basis for one in desk.card(contact).contact_points] == ["statutory", "verified"]


async def test_taking_in_twice_is_as_once(desk: Desk) -> None:
    """Known and erased residents are left out; old STOPs hold."""
    number, stopped = new_phone(), new_phone()
    hashed = desk.context.keys.hasher.hash(stopped)
    async with desk.context.database.transaction() as tx:
        await suppress(tx, [Address("voice", hashed.digest, hashed.key_id)], reason="stop")
    one = newcomer(
        NewContact("sms", number, "verified"),
        NewContact("voice", stopped, "statutory"),
        preferences=Preferences(("Met",), "Severe"),
    )
    assert await taken_in(desk, one, batch="twice") == [one.subscriber_id]
    assert await taken_in(desk, one, batch="twice") == []
    assert await desk.reachable(str(one.subscriber_id)) == {number}
    assert len(await desk.told(str(one.subscriber_id))) == 2
    count = "SELECT residents FROM subscriber_import_batch WHERE batch = 'twice'"
    assert await desk.value(count) == 1

    who = await desk.member()
    await desk.client.delete(who.url, headers=who.headers)
    gone = replace(one, subscriber_id=UUID(who.subscriber_id))
    assert await taken_in(desk, gone) == []


@pytest.mark.parametrize(
    ("resident", "code"),
    [
        (newcomer(), "no-contact-point"),
        (newcomer(NewContact("sms", "+18605550123")), "no-basis"),
        (newcomer(NewContact("sms", "+18605550123", "statutory")), "statutory-not-voice"),
        (newcomer(NewContact("sms", "911", "verified")), "short-code"),
        (newcomer(NewContact("email", "a@b", "verified")), "not-an-address"),
        (
            NewResident(
                language="en",
                contacts=(NewContact("sms", "+18605550123", "verified"),),
                places=(NewPlace(0.0, 0.0),),
            ),
            "outside-service-area",
        ),
    ],
)
async def test_a_bad_resident_stops_the_batch(desk: Desk, resident: NewResident, code: str) -> None:
    """The batch names whom and why, and nobody of it is taken in."""
    good = newcomer(NewContact("sms", new_phone(), "verified"))
    with pytest.raises(BatchRefused) as refused:
        await taken_in(desk, good, resident)
    assert (refused.value.number, refused.value.code) == (1, code)
    assert await desk.told(str(good.subscriber_id)) == []


async def test_thousands_take_few_statements(desk: Desk) -> None:
    """The demo's make-believe people are all taken in, in seconds and a handful of statements."""
    people = make_people(2_000, towns=towns(), seed=7)
    residents = [
        NewResident(
            subscriber_id=person.subscriber_id,
            language=person.language,
            contacts=tuple(
                NewContact(c.channel, c.address, "statutory" if c.statutory else "verified")
                for c in person.contacts
            ),
            places=tuple(NewPlace(lon, lat) for lon, lat in person.places),
        )
        for person in people
    ]
    seen: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = desk.context.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    began = monotonic()
    try:
        assert len(await taken_in(desk, *residents, batch="people")) == 2_000
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(seen) < 20
    assert monotonic() - began < 20
    points = sum(len(person.contacts) for person in people)
    assert points == await desk.value(
        "SELECT count(*) FROM subscriber_contact_point p"
        " JOIN subscriber_resident r USING (subscriber_id) WHERE r.batch = 'people'"
    )


async def test_concurrent_changes_of_one_resident_never_share_a_version(desk: Desk) -> None:
    """Versions rise by one, and the outbox holds them in order."""
    who = await desk.member()
    body = {"label": "more", "lon": -72.9, "lat": 41.3}
    answers = await asyncio.gather(
        *(desk.client.post(who.url + "/places", json=body, headers=who.headers) for _ in range(12))
    )
    assert {answer.status_code for answer in answers} == {201}
    told = await desk.told(who.subscriber_id)
    versions = [row.event.version for row in told if row.topic == PLACE_CHANGED.name]
    assert versions == list(range(2, 15))
    counts = [len(row.event.places) for row in told if row.topic == PLACE_CHANGED.name]
    assert counts == list(range(1, 14))


async def test_the_relay_publishes_and_a_replay_tells_of_everybody_again(
    keyrings: KeyRings, bus: Bus, desk: Desk
) -> None:
    """Rosters and codes reach their topics in order; a replay repeats the newest, erased too."""
    settings = SubscriberSettings(
        kafka_bootstrap=bus.bootstrap,
        bus_namespace=bus.namespace,
        database_url=desk.context.settings.database_url,
        keyring=keyrings.path("subscriber"),
    )
    number = new_phone()
    stays, leaves = await desk.member(sms(number)), await desk.member()
    await desk.client.delete(leaves.url, headers=leaves.headers)
    silent = await desk.signed_up()
    role = await assemble("relay", settings)
    stop = asyncio.Event()
    parts = [asyncio.create_task(part.run(stop)) for part in role.parts]
    try:
        await published(desk)
        ours = {stays.subscriber_id, leaves.subscriber_id, silent}
        assert await newest(bus, PLACE_CHANGED, ours) == {
            stays.subscriber_id: 2,
            leaves.subscriber_id: None,
        }
        assert await newest(bus, CONTACT_CHANGED, ours) == {
            stays.subscriber_id: 2,
            leaves.subscriber_id: None,
        }
        notices = await fetch_from(bus, NOTICE_REQUESTED)
        assert silent.encode() in {record.key for record in notices}

        before = len(await desk.told(stays.subscriber_id))
        told = await replay_roster(settings)
        residents = await desk.value(
            "SELECT count(*) FROM subscriber_resident WHERE confirmed_at IS NOT NULL"
        )
        erased = await desk.value("SELECT count(*) FROM subscriber_erased")
        assert told == residents + erased
        again = (await desk.told(stays.subscriber_id))[before:]
        assert [row.event.version for row in again] == [2, 2]
        assert await desk.reachable(stays.subscriber_id) == {number}
        last = (await desk.told(leaves.subscriber_id))[-4:]
        assert [getattr(row.event, "erased", None) for row in last] == [True, True, None, None]
        assert (await desk.told(silent))[-1].topic == NOTICE_REQUESTED.name
        await published(desk)
        assert (await newest(bus, PLACE_CHANGED, ours))[leaves.subscriber_id] is None
    finally:
        stop.set()
        await asyncio.gather(*parts)
        await role.closing.aclose()


async def published(desk: Desk) -> None:
    """Return when the outbox is empty."""
    count = "SELECT count(*) FROM subscriber_outbox WHERE published_at IS NULL"
    await until(lambda: desk.value(count), lambda left: left == 0)


async def newest(bus: Bus, topic: Any, keys: set[str]) -> dict[str, int | None]:
    """Return the version last told of each resident on a topic, None for a null record."""
    found: dict[str, int | None] = {}
    for record in await fetch_from(bus, topic):
        key = record.key.decode()
        if key in keys:
            event: Any = decode(topic, record.value, None)[1] if record.value else None
            found[key] = event.version if event else None
    return found


async def test_an_unknown_role_is_refused() -> None:
    """The assembly knows its three roles only."""
    with pytest.raises(ValueError, match="no role"):
        await assemble(f"role-{new_id()}")


@pytest.mark.shows("bad:J28")
async def test_the_api_role_is_ready_when_its_database_answers(
    desk: Desk, keyrings: KeyRings
) -> None:
    """It serves the application on its port, and says so when the database is away."""
    settings = SubscriberSettings(
        kafka_bootstrap="127.0.0.1:1",
        database_url=desk.context.settings.database_url,
        keyring=keyrings.path("subscriber"),
        port=18_081,
    )
    role = await assemble("api", settings)
    assert (role.port, await role.health.ready()) == (18_081, [])
    assert role.app is not None
    await role.closing.aclose()

    away = settings.model_copy(
        update={"database_url": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
    )
    cut_off = await assemble("api", away)
    assert await cut_off.health.ready() == ["database", "schema"]
    assert cut_off.app is not None
    transport = httpx2.ASGITransport(app=cut_off.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/v1/subscribers", json=desk.body())
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    await cut_off.closing.aclose()


async def test_a_keyring_without_the_keys_for_residents_is_refused(
    desk: Desk, keyrings: KeyRings
) -> None:
    """Another service's keyring does not start this one."""
    settings = SubscriberSettings(
        kafka_bootstrap="127.0.0.1:1",
        database_url=desk.context.settings.database_url,
        keyring=keyrings.path("geofence"),
    )
    with pytest.raises(KeyRingInvalid):
        await assemble("api", settings)

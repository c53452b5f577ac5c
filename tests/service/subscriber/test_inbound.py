"""What residents text and providers report, heard over Kafka by the real worker role."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.subscriber.inbound.consumers import GROUP
from services.subscriber.service import assemble
from services.subscriber.settings import SubscriberSettings
from shared.bus.kafka import Bus
from shared.events.base import Event
from shared.events.envelope import encode
from shared.events.inbound import ContactReported, InboundReceived
from shared.identifiers import new_id
from tests.service.subscriber.desk import Desk, Member, new_phone, sms
from tests.waiting import until


class Line:
    """The way in from the dispatcher: puts events on the bus and waits till they are heard."""

    def __init__(self, desk: Desk, bus: Bus) -> None:
        self._desk = desk
        self._bus = bus

    def said(self, address: str, words: str, **changes: Any) -> InboundReceived:
        """Return what the dispatcher tells of a text."""
        hashed = self._desk.context.keys.hasher.hash(address)
        inbound_id = changes.pop("inbound_id", f"SM{uuid4().hex}")
        fields: dict[str, Any] = {
            "channel": "sms",
            "kind": "text",
            "received_at": datetime.now(UTC),
            "suppressed": False,
        }
        return InboundReceived(
            inbound_id=inbound_id,
            address_hash=hashed.digest.hex(),
            hash_key_id=hashed.key_id,
            body_sealed=self._desk.context.keys.sealer.seal(
                words.encode(), context=f"inbound:{inbound_id}"
            ),
            **(fields | changes),
        )

    def reported(self, address: str, reason: Any, **changes: Any) -> ContactReported:
        """Return what the dispatcher tells of an address."""
        hashed = self._desk.context.keys.hasher.hash(address)
        fields: dict[str, Any] = {"channel": "sms", "reported_at": datetime.now(UTC)}
        return ContactReported(
            report_id=new_id(),
            address_hash=hashed.digest.hex(),
            hash_key_id=hashed.key_id,
            reason=reason,
            code="21610",
            **(fields | changes),
        )

    async def tell(self, *events: Event) -> None:
        """Publish events and return when the service has taken them in."""
        now = datetime.now(UTC)
        async with self._bus.producer() as producer:
            await producer.send_many(
                [encode(one, producer="dispatcher", signer=None, now=now) for one in events]
            )

        async def heard() -> bool:
            lags = [await self._bus.lag(topic, GROUP) for topic in {e.topic() for e in events}]
            return not any(lags)

        await until(heard)


@pytest.fixture
async def line(desk: Desk, bus: Bus) -> AsyncIterator[Line]:
    """A running worker role on a bus of its own, and the way to it."""
    context = desk.context.settings
    settings = SubscriberSettings(
        kafka_bootstrap=bus.bootstrap,
        bus_namespace=bus.namespace,
        database_url=context.database_url,
        keyring=context.keyring,
    )
    role = await assemble("worker", settings)
    stop = asyncio.Event()
    parts = [asyncio.create_task(part.run(stop)) for part in role.parts]
    yield Line(desk, bus)
    stop.set()
    await asyncio.gather(*parts)
    await role.closing.aclose()


async def actions(desk: Desk, subscriber_id: str) -> list[str]:
    """Return a resident's consent history."""
    rows = await desk.rows(
        "SELECT action FROM subscriber_consent WHERE subscriber_id = CAST(:id AS uuid)"
        " ORDER BY consent_id",
        id=subscriber_id,
    )
    return [row["action"] for row in rows]


async def places(desk: Desk, who: Member) -> int:
    """Return of how many places the geofence has been told."""
    return len((await desk.state(who.subscriber_id))[0].places)


@pytest.mark.shows("R7", "R9", "S24", "M12")
async def test_stop_and_start_hold_for_the_whole_household(desk: Desk, line: Line) -> None:
    """STOP takes the number out of every card, is confirmed once, and START brings it back."""
    number, mail = new_phone(), f"{uuid4().hex}@example.com"
    one = await desk.member(sms(number), {"channel": "email", "address": mail})
    await desk.confirm(one.subscriber_id, 1)
    other = await desk.member(sms(number))
    unproved = await desk.signed_up(sms(new_phone()))

    await line.tell(line.said(number, "Please STOP texting me!", suppressed=True))
    assert await desk.reachable(one.subscriber_id) == {mail}
    assert await desk.reachable(other.subscriber_id) == set()
    assert [await places(desk, who) for who in (one, other)] == [1, 0]
    answers = [
        notice
        for who in (one, other)
        for notice in await desk.notices(who.subscriber_id)
        if notice.template == "opted_out"
    ]
    assert len(answers) == 1
    assert await actions(desk, other.subscriber_id) == ["given", "verified", "opted_out"]

    await line.tell(line.said(number, "resume normal life"), line.said(number, "yes"))
    assert await desk.reachable(other.subscriber_id) == set()
    stopped_at = (await desk.state(other.subscriber_id))[1]

    await line.tell(line.said(number, "START"))
    assert await desk.reachable(one.subscriber_id) == {number, mail}
    assert await desk.reachable(other.subscriber_id) == {number}
    assert [await places(desk, who) for who in (one, other)] == [1, 1]
    back = (await desk.state(other.subscriber_id))[1]
    assert back.version == stopped_at.version + 1
    assert back.opted_in_at is not None
    assert (await desk.told(unproved))[-1].topic == "notice.requested"


@pytest.mark.shows("S19", "S24")
async def test_start_proves_nothing(desk: Desk, line: Line) -> None:
    """An unproved number that says STOP and START is still unproved."""
    number = new_phone()
    one = await desk.signed_up(sms(number))
    await line.tell(line.said(number, "STOP", suppressed=True))
    await line.tell(line.said(number, "START"))
    point = await desk.point(one, 0)
    assert point["state"] == "unverified"
    assert {row.topic for row in await desk.told(one)} == {"notice.requested"}


async def test_what_is_heard_late_or_twice_changes_nothing(desk: Desk, line: Line) -> None:
    """A STOP told again after the START is older than it; the version does not move."""
    number = new_phone()
    one = await desk.member(sms(number))
    stop = line.said(number, "STOP", suppressed=True)
    await line.tell(stop)
    start = line.said(number, "START", received_at=stop.received_at + timedelta(seconds=1))
    await line.tell(start)
    version = (await desk.state(one.subscriber_id))[0].version
    await line.tell(stop, start, stop)
    assert (await desk.state(one.subscriber_id))[0].version == version
    assert await desk.reachable(one.subscriber_id) == {number}
    history = await actions(desk, one.subscriber_id)
    assert history == ["given", "verified", "opted_out", "rejoined"]


@pytest.mark.shows("R7")
async def test_help_is_answered_each_time_and_changes_nothing(desk: Desk, line: Line) -> None:
    """A help notice goes out for each HELP, the same one for the same message."""
    number = new_phone()
    one = await desk.member(sms(number))
    version = (await desk.state(one.subscriber_id))[0].version
    asked = line.said(number, "Help")
    await line.tell(asked, line.said(number, "HELP"), asked)
    helped = [n for n in await desk.notices(one.subscriber_id) if n.template == "help"]
    assert len({notice.notice_id for notice in helped}) == 2
    assert (await desk.state(one.subscriber_id))[0].version == version


@pytest.mark.shows("R10", "R11", "bad:U26")
async def test_each_channel_stops_for_itself(desk: Desk, line: Line) -> None:
    """Key 9 stops calls, a click stops e-mail, and texts go on."""
    number, mail = new_phone(), f"{uuid4().hex}@example.com"
    one = await desk.member(
        sms(number),
        {"channel": "voice", "address": number},
        {"channel": "email", "address": mail},
    )
    await desk.confirm(one.subscriber_id, 2)
    click = line.said(mail, "", channel="email", kind="unsubscribe", suppressed=True)
    again = line.said(mail, "", channel="email", kind="unsubscribe", suppressed=True)
    await line.tell(line.said(number, "1", channel="voice", kind="key"))
    assert (await desk.state(one.subscriber_id))[0].reach.channels == 7
    await line.tell(line.said(number, "9", channel="voice", kind="key"), click, again)
    assert (await desk.state(one.subscriber_id))[0].reach.channels == 1
    assert (await actions(desk, one.subscriber_id)).count("opted_out") == 2


async def test_reports_of_providers_mark_the_address(desk: Desk, line: Line) -> None:
    """A wrong number is suspended until a code arrives there; 21610 is a STOP."""
    number, other = new_phone(), new_phone()
    one = await desk.member(sms(number), sms(other))
    await desk.confirm(one.subscriber_id, 1)
    await line.tell(line.reported(number, "invalid"), line.reported(other, "opted_out"))
    assert await desk.reachable(one.subscriber_id) == set()
    assert await places(desk, one) == 0
    profile = (await desk.client.get(one.url, headers=one.headers)).json()
    assert [point["suspended_for"] for point in profile["contact_points"]] == ["invalid", None]

    await desk.client.post(one.url + "/codes", json={"contact": 0})
    assert (await desk.confirm(one.subscriber_id)).status_code == 200
    assert await desk.reachable(one.subscriber_id) == {number}
    assert await places(desk, one) == 1
    await line.tell(line.reported(other, "rejoined"))
    assert await desk.reachable(one.subscriber_id) == {number, other}
    early = datetime.now(UTC) - timedelta(days=1)
    await line.tell(line.reported(number, "invalid", reported_at=early))
    assert await desk.reachable(one.subscriber_id) == {number, other}


@pytest.mark.shows("S24")
async def test_a_stop_from_a_stranger_is_remembered(desk: Desk, line: Line) -> None:
    """Only its hash is kept; START from there forgets it."""
    number = new_phone()
    digest = desk.context.keys.hasher.hash(number).digest
    count = "SELECT count(*) FROM subscriber_suppression WHERE address_hash = :digest"
    await line.tell(line.said(number, "stop", suppressed=True))
    assert await desk.value(count, digest=digest) == 1
    await line.tell(line.said(number, "start"))
    assert await desk.value(count, digest=digest) == 0

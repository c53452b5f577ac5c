"""The geofence's parts on a real database and broker, taken one by one so that order is forced."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import shapely
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.area import normalise
from services.geofence.audience.consumers import (
    AUDIENCE_GROUP,
    PLACES_GROUP,
    audience_handlers,
    places_handlers,
    publisher,
)
from services.geofence.audience.footing import Footing
from services.geofence.audience.keeper import Keeper
from services.geofence.audience.resolve import Resolver
from services.geofence.audience.run import Publish
from services.geofence.index.tail import Roster, RosterTail
from shared.bus.errors import BusError
from shared.bus.kafka.bus import Bus
from shared.bus.kafka.producer import Producer
from shared.bus.outbox import REST, Outbox
from shared.bus.relay import Relay
from shared.bus.worker import Worker
from shared.clock import SystemClock
from shared.db.session import Database, fetch, fetch_value
from shared.events.alert import AlertApproved, AlertEnded
from shared.events.audience import AudienceCompleted, AudienceResolved
from shared.events.base import Event
from shared.events.envelope import encode, tombstone
from shared.events.subscriber import Place, PlaceChanged, Reach
from shared.events.topics import AUDIENCE_COMPLETED, AUDIENCE_RESOLVED, PLACE_CHANGED, Topic
from shared.security.keys import KeyRing
from shared.service import Part
from tests.service.geofence.audience.listening import Audience
from tests.service.geofence.parts import PATIENCE_S, Beside, eventually, running

E = TypeVar("E", bound=Event)

AREA = shapely.box(-72.8, 41.5, -72.6, 41.7)
INSIDE, OUTSIDE = (-72.7, 41.6), (-73.2, 41.6)


def place_changed(
    who: uuid.UUID,
    version: int,
    *spots: tuple[float, float],
    erased: bool = False,
    uncertainty_m: float = 0.0,
) -> PlaceChanged:
    """Make a roster event of one resident's whole set of places."""
    return PlaceChanged(
        subscriber_id=who,
        version=version,
        erased=erased,
        places=tuple(
            Place(place_id=uuid.uuid4(), lon=lon, lat=lat, uncertainty_m=uncertainty_m)
            for lon, lat in spots
        ),
        reach=Reach(channels=7, language="en-US"),
    )


def approved(
    alert_id: uuid.UUID | None = None,
    *,
    version: int = 1,
    area: BaseGeometry = AREA,
    lives_s: float = 3600.0,
) -> AlertApproved:
    """Make the approval of an alert over an area."""
    packed = normalise([area])
    now = datetime.now(UTC)
    return AlertApproved(
        alert_id=alert_id or uuid.uuid4(),
        version=version,
        status="Actual",
        severity="Severe",
        emergency=True,
        area_wkb=packed.packed,
        area_digest=packed.digest,
        approved_at=now,
        expires_at=now + timedelta(seconds=lives_s),
    )


def ended(alert: AlertApproved) -> AlertEnded:
    """Make the end of an alert version."""
    return AlertEnded(
        alert_id=alert.alert_id,
        version=alert.version,
        reason="cancelled",
        ended_at=datetime.now(UTC),
    )


@dataclass
class World:
    """One geofence: its database, its bus, its keys and what of it runs."""

    bus: Bus
    database: Database
    keys: KeyRing
    dispatcher_keys: KeyRing
    producer: Producer
    roster: Roster = field(default_factory=Roster)

    def resolver(
        self, *, bus: Bus | None = None, publish: Publish | None = None, patience_s: float = 5.0
    ) -> Resolver:
        """Make a resolver on this world's index."""
        return Resolver(
            database=self.database,
            bus=bus or self.bus,
            roster=self.roster,
            publish=publish or self.publish(),
            patience_s=patience_s,
            look_again_s=0.05,
        )

    def publish(self) -> Publish:
        """Make what publishes the events of a run."""
        return publisher(producer=self.producer, signer=self.keys.signer, clock=SystemClock())

    def outbox(self) -> Outbox:
        """Make what late joiners are put into."""
        return Outbox("geofence", signer=self.keys.signer, clock=SystemClock())

    def replica(self) -> "World":
        """Make the same geofence as seen by another replica: with an index of its own."""
        return self.seen_by(Roster())

    def seen_by(self, roster: Roster) -> "World":
        """Make the same geofence with another index."""
        return replace(self, roster=roster)

    def tail(self) -> RosterTail:
        """Make the part that feeds the index."""
        return RosterTail(
            bus=self.bus,
            database=self.database,
            verifier=self.keys.verifier,
            roster=self.roster,
        )

    def places(self, *, look_round_s: float = 0.2) -> Part:
        """Make the part that keeps the place tables."""
        keeper = self.keeper(look_round_s=look_round_s)
        worker = Worker(
            name="places",
            bus=self.bus,
            group=PLACES_GROUP,
            handlers=places_handlers(keeper),
            verifier=self.keys.verifier,
        )
        return Beside(worker, keeper)

    def keeper(self, *, look_round_s: float = 0.2) -> Keeper:
        """Make what is handed the records of the roster topic."""
        return Keeper(
            database=self.database,
            outbox=self.outbox(),
            footing=Footing(self.bus, verifier=self.keys.verifier),
            look_round_s=look_round_s,
        )

    def audience(self, resolver: Resolver, *, drain_s: float = 15.0) -> Worker:
        """Make the part that hears of alerts."""
        return Worker(
            name="audience",
            bus=self.bus,
            group=AUDIENCE_GROUP,
            handlers=audience_handlers(database=self.database, resolver=resolver),
            verifier=self.keys.verifier,
            max_batch=1,
            drain_s=drain_s,
        )

    def relay(self) -> Relay:
        """Make the part that publishes late joiners."""
        return Relay(service="geofence", database=self.database, bus=self.bus, lane=REST)

    async def send(self, *events: Event) -> None:
        """Send events as the services that own them would."""
        for event in events:
            dispatcher = event.SIGNED
            await self.producer.send(
                encode(
                    event,
                    producer="dispatcher" if dispatcher else "subscriber",
                    signer=self.dispatcher_keys.signer if dispatcher else None,
                    now=datetime.now(UTC),
                )
            )

    async def send_many(self, events: Sequence[PlaceChanged]) -> None:
        """Send roster events together."""
        now = datetime.now(UTC)
        await self.producer.send_many(
            [encode(event, producer="subscriber", signer=None, now=now) for event in events]
        )

    async def roster_loaded_and_still(self) -> None:
        """Load the index from the tables and let it stay as it is."""
        async with running(self.tail()):
            await self.roster.loaded.wait()
            await self.indexed()

    async def topic_made_again(self, topic: Topic) -> None:
        """Make a deleted topic again, once the broker has forgotten the old one."""

        async def made() -> bool:
            try:
                await self.bus.create_topics([topic])
                await self.bus.topic_id(topic)
            except BusError:
                return False
            return True

        await eventually(made)

    async def send_null(self, who: uuid.UUID) -> None:
        """Let the roster topic forget a resident."""
        await self.producer.send(tombstone(PLACE_CHANGED, str(who)))

    async def indexed(self) -> None:
        """Return when the index holds all that is on the roster topic."""
        ends = await self.bus.end_offsets(PLACE_CHANGED)
        topic_id = await self.bus.topic_id(PLACE_CHANGED)
        assert await self.roster.reached(ends, topic_id=topic_id, within_s=PATIENCE_S)

    async def kept(self) -> None:
        """Return when the place tables hold all that is on the roster topic."""
        ends = await self.bus.end_offsets(PLACE_CHANGED)
        topic_id = await self.bus.topic_id(PLACE_CHANGED)

        async def done() -> bool:
            rows = await self.rows(
                "SELECT partition, next_offset FROM geofence_roster_offset WHERE topic_id = :id",
                id=topic_id,
            )
            known: dict[Any, Any] = {row["partition"]: row["next_offset"] for row in rows}
            return all(known.get(one, 0) >= end for one, end in ends.items())

        await eventually(done)

    async def rows(self, sql: str, **params: object) -> Sequence[dict[str, object]]:
        """Return rows of the database."""
        async with self.database.transaction() as tx:
            return [dict(row) for row in await fetch(tx, sql, **params)]

    async def value(self, sql: str, **params: object) -> object:
        """Return one value of the database."""
        async with self.database.transaction() as tx:
            return await fetch_value(tx, sql, **params)

    async def heard(self, alert: AlertApproved) -> Audience:
        """Return all that the audience topics hold now of an alert version."""
        return (await self.all_heard())[alert.alert_id, alert.version]

    async def all_heard(self) -> dict[tuple[uuid.UUID, int], Audience]:
        """Return all that the audience topics hold now, by alert version."""
        found: defaultdict[tuple[uuid.UUID, int], Audience] = defaultdict(lambda: Audience([], []))
        for chunk in await self.read(AUDIENCE_RESOLVED, AudienceResolved):
            found[chunk.alert_id, chunk.version].chunks.append(chunk)
        for run in await self.read(AUDIENCE_COMPLETED, AudienceCompleted):
            found[run.alert_id, run.version].completed.append(run)
        return found

    async def relayed(self) -> None:
        """Return when everything in the outbox has been published."""

        async def done() -> bool:
            return not await self.value(
                "SELECT count(*) FROM geofence_outbox WHERE published_at IS NULL"
            )

        await eventually(done)

    async def read(self, topic: Topic, kind: type[E]) -> list[E]:
        """Return all events that a topic holds now."""
        ends = await self.bus.end_offsets(topic)
        found: list[E] = []
        tail = await self.bus.tail(topic, verifier=self.keys.verifier)
        async with asyncio.timeout(PATIENCE_S), tail:
            while any(tail.positions()[one] < end for one, end in ends.items()):
                async for batch in tail.poll():
                    found += [m.event for m in batch.messages if isinstance(m.event, kind)]
        return found

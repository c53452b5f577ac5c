"""Outbox and relay on real servers: id order, one leader, a fenced zombie, nothing lost."""

import asyncio
import os
import signal
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from shared.bus import store
from shared.bus.errors import Fenced
from shared.bus.kafka import Bus
from shared.bus.kafka.fetch import fetch_from
from shared.bus.outbox import Outbox, replay_outbox
from shared.bus.relay import Relay
from shared.clock import SystemClock
from shared.db.session import Database, fetch_value
from shared.events.base import Event
from shared.events.envelope import TooLarge, decode
from shared.events.subscriber import ContactChanged, PlaceChanged, Reach
from shared.events.topics import CONTACT_CHANGED, PLACE_CHANGED, RECEIPT_RECEIVED
from tests.contract.bus.conftest import SERVICE, receipt, running, sealed
from tests.waiting import until

RESIDENT = uuid.UUID(int=7)


def _outbox() -> Outbox:
    return Outbox(SERVICE, signer=None, clock=SystemClock())


def _place(version: int, subscriber: uuid.UUID = RESIDENT) -> PlaceChanged:
    return PlaceChanged(
        subscriber_id=subscriber,
        version=version,
        places=(),
        reach=Reach(channels=1, language="en-US"),
    )


def _relay(database: Database, bus: Bus, **settings: object) -> Relay:
    given: dict[str, object] = {"service": SERVICE, "lane": 1} | settings
    return Relay(database=database, bus=bus, **given)  # type: ignore[arg-type]


async def _put(database: Database, *events: Event) -> None:
    async with database.transaction() as tx:
        await _outbox().put(tx, *events)


async def _nothing_waits(database: Database) -> bool:
    async with database.transaction() as tx:
        return await store.waiting_count(tx, SERVICE) == 0


async def _versions(bus: Bus) -> list[int]:
    return [
        decode(PLACE_CHANGED, one.value, None)[1].version  # type: ignore[attr-defined]
        for one in await fetch_from(bus, PLACE_CHANGED)
    ]


async def test_what_was_put_arrives_once_and_in_order(bus: Bus, database: Database) -> None:
    for start in range(1, 1_201, 300):
        await _put(database, *(_place(version) for version in range(start, start + 300)))
    async with running(_relay(database, bus)):
        await until(lambda: _nothing_waits(database))
    assert await _versions(bus) == list(range(1, 1_201))


async def test_a_transaction_that_rolls_back_says_nothing(bus: Bus, database: Database) -> None:
    async def fails() -> None:
        async with database.transaction() as tx:
            await _outbox().put(tx, _place(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    await _put(database, _place(2))
    async with running(_relay(database, bus)):
        await until(lambda: _nothing_waits(database))
    assert await _versions(bus) == [2]


async def test_rosters_and_the_rest_have_a_lane_each(bus: Bus, database: Database) -> None:
    await _put(database, _place(1), receipt(1))
    async with running(_relay(database, bus, lane=2)):

        async def only_the_roster_waits() -> bool:
            async with database.transaction() as tx:
                return await store.waiting_count(tx, SERVICE) == 1

        await until(only_the_roster_waits)
    assert len(await fetch_from(bus, RECEIPT_RECEIVED)) == 1
    assert await _versions(bus) == []


@pytest.mark.shows("F21")
async def test_an_older_id_that_commits_late_is_published(bus: Bus, database: Database) -> None:
    opened, may_commit = asyncio.Event(), asyncio.Event()

    async def late() -> None:
        async with database.transaction() as tx:
            await _outbox().put(tx, _place(1))
            opened.set()
            await may_commit.wait()

    async with running(_relay(database, bus)), asyncio.TaskGroup() as group:
        group.create_task(late())
        await opened.wait()
        for start in range(100, 1_100, 250):
            await _put(database, *(_place(n, uuid.UUID(int=n)) for n in range(start, start + 250)))
        await until(lambda: _nothing_waits(database))
        assert len(await _versions(bus)) == 1_000
        may_commit.set()

        await until(lambda: _versions(bus), lambda seen: 1 in seen, within_s=5)
    assert len(await _versions(bus)) == 1_001


async def test_two_candidates_and_one_leads(bus: Bus, database: Database) -> None:
    first, second = _relay(database, bus), _relay(database, bus)
    async with running(second):
        async with running(first):
            await asyncio.wait(
                [asyncio.ensure_future(one.wait_leads()) for one in (first, second)],
                return_when=asyncio.FIRST_COMPLETED,
            )
            await _put(database, *(_place(n) for n in range(1, 501)))
            await until(lambda: _nothing_waits(database))
            assert first.leads != second.leads
        async with asyncio.timeout(20):
            await second.wait_leads()
        await _put(database, _place(501))
        await until(lambda: _nothing_waits(database))
    assert await _versions(bus) == list(range(1, 502))


async def test_a_silent_holder_is_ended_by_the_standby(bus: Bus, database: Database) -> None:
    async with database.engine.connect() as holder:
        await holder.execution_options(isolation_level="AUTOCOMMIT")
        assert await store.try_lead(holder, SERVICE, lane=1, holder="silent")
        standby = _relay(database, bus, silent_s=0.5, beat_s=0.2)
        await _put(database, _place(1))
        async with running(standby):
            await until(lambda: _nothing_waits(database))
        with pytest.raises(Exception, match=r"terminat|closed"):
            await fetch_value(holder, "SELECT 1")


async def test_a_holder_that_beats_is_left_alone(bus: Bus, database: Database) -> None:
    leader = _relay(database, bus, beat_s=0.1)
    standby = _relay(database, bus, silent_s=1.0, beat_s=0.1)
    async with running(leader):
        await leader.wait_leads()
        async with running(standby):
            for version in range(1, 11):
                await _put(database, _place(version))
                await until(lambda: _nothing_waits(database))
            assert leader.leads
            assert not standby.leads


async def test_a_zombie_can_send_nothing_more(bus: Bus) -> None:
    name = f"relay.{SERVICE}.1"
    async with bus.producer(transactional_id=name) as zombie:
        await zombie.send_many([sealed(_place(4))])
        async with bus.producer(transactional_id=name) as successor:
            await successor.open()
            with pytest.raises(Fenced):
                await zombie.send_many([sealed(_place(5))])
            await successor.send_many([sealed(_place(4)), sealed(_place(5))])
    assert await _versions(bus) == [4, 4, 5]


async def test_a_fenced_leader_steps_down_and_comes_back(bus: Bus, database: Database) -> None:
    relay = _relay(database, bus, beat_s=0.2)
    async with running(relay):
        await relay.wait_leads()
        async with bus.producer(transactional_id=f"relay.{SERVICE}.1") as other:
            await other.open()
        await _put(database, _place(1))
        await until(lambda: _nothing_waits(database))
    assert await _versions(bus) == [1]


@pytest.mark.shows("bad:K08")
async def test_an_event_too_large_is_refused_before_it_is_written(database: Database) -> None:
    event = ContactChanged(subscriber_id=RESIDENT, version=1, card_sealed="x" * 100_000)
    huge = event.model_copy(update={"card_sealed": "x" * 1_100_000})
    with pytest.raises(TooLarge):
        await _put(database, huge)


@pytest.mark.shows("bad:K08")
async def test_a_row_that_can_never_be_sent_is_set_aside_and_pages(
    bus: Bus, database: Database
) -> None:
    pages: list[str] = []

    async def page(reason: str) -> None:
        pages.append(reason)

    await _put(database, _place(1))
    async with database.transaction() as tx:
        await store.insert_rows(
            tx,
            SERVICE,
            lanes=[1, 1, 1],
            topics=[PLACE_CHANGED.name, "no.such.topic", CONTACT_CHANGED.name],
            keys=[b"a", b"b", b"c"],
            # 1.2 MB passes our own producer and is refused by the broker.
            values=[b"x" * 1_200_000, b"{}", b"x" * 2_000_000],
        )
    await _put(database, _place(2))
    async with running(_relay(database, bus, on_page=page)):
        await until(lambda: _nothing_waits(database))
        await until(lambda: _three(pages))
    assert set(await _versions(bus)) == {1, 2}


async def _three(pages: list[str]) -> bool:
    return len(pages) == 3


async def test_published_rows_go_after_seven_days_and_replay_sends_the_rest_again(
    bus: Bus, database: Database, outbox_urls: tuple[str, str]
) -> None:
    await _put(database, receipt(1), receipt(2), receipt(3))
    async with running(_relay(database, bus, lane=2)):
        await until(lambda: _nothing_waits(database))
    admin = await asyncpg.connect(outbox_urls[1].replace("+asyncpg", ""))
    await admin.execute(
        "UPDATE subscriber_outbox SET published_at = published_at - interval '8 days' WHERE id = 1"
    )
    await admin.close()
    async with database.transaction() as tx:
        assert await store.prune(tx, SERVICE, days=7, limit=100) == 1
        since = datetime.now(UTC) - timedelta(hours=1)
        assert await replay_outbox(tx, SERVICE, topic=RECEIPT_RECEIVED, since=since) == 2
    async with running(_relay(database, bus, lane=2)):
        await until(lambda: _nothing_waits(database))
    keys = [one.key for one in await fetch_from(bus, RECEIPT_RECEIVED)]
    assert sorted(keys.count(key) for key in set(keys)) == [1, 2, 2]


async def test_a_tombstone_travels_as_null(bus: Bus, database: Database) -> None:
    async with database.transaction() as tx:
        await _outbox().put_tombstone(tx, PLACE_CHANGED, str(RESIDENT))
    async with running(_relay(database, bus)):
        await until(lambda: _nothing_waits(database))
    (record,) = await fetch_from(bus, PLACE_CHANGED)
    assert (record.key, record.value) == (str(RESIDENT).encode(), None)


_PROGRAM = """
import asyncio, sys
from shared.bus.kafka import Bus
from shared.bus.relay import Relay
from shared.db.session import open_database

async def main(url, bootstrap, namespace):
    database = open_database(url, application_name="relay")
    bus = Bus(bootstrap, namespace=namespace, partitions=2)
    relay = Relay(service="subscriber", database=database, bus=bus, lane=1, batch=100)
    await relay.run(asyncio.Event())

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.shows("F05")
async def test_killed_between_ack_and_mark_the_rows_are_sent_twice_and_none_is_lost(
    bus: Bus, database: Database, outbox_urls: tuple[str, str]
) -> None:
    kills, count = 3, 1_000
    await _put(database, *(_place(n, uuid.UUID(int=n)) for n in range(1, count + 1)))
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "CTALERT_ENVIRONMENT": "development",
        "CT_FAILPOINTS": "bus.relay_after_ack=kill@2",
    }
    for _ in range(kills):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM, outbox_urls[0], bus.bootstrap, bus.namespace,
            env=environment,
        )  # fmt: skip
        async with asyncio.timeout(30):
            assert await process.wait() == -signal.SIGKILL
    async with running(_relay(database, bus)):
        await until(lambda: _nothing_waits(database))
    versions = await _versions(bus)
    assert set(versions) == set(range(1, count + 1))
    assert len(versions) == count + kills * 100

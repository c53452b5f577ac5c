"""Orders in which claim, outcome, receipt and cancel may come; and the whole way on Kafka."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from services.dispatcher.delivery import store
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.consumers import delivery_handler, notice_handler
from services.dispatcher.delivery.raise_states import raise_states
from services.dispatcher.delivery.request import Requests, Using, delivery_group
from services.dispatcher.delivery.states import (
    ALLOWED,
    RANK,
    TERMINAL,
    DeliveryState,
    Outcome,
    StateUpdate,
)
from services.dispatcher.delivery.timers import Timers
from services.dispatcher.recipients.consumers import card_handler, chunk_handler, run_handler
from shared.bus.kafka.bus import Bus
from shared.bus.worker import Worker
from shared.clock import SystemClock
from shared.db.session import ALL_TOWNS
from shared.events.envelope import encode
from shared.events.subscriber import NoticeRequested
from shared.events.topics import (
    AUDIENCE_COMPLETED,
    AUDIENCE_RESOLVED,
    CONTACT_CHANGED,
    NOTICE_REQUESTED,
    delivery_topic,
)
from tests.fakes_provider import FakeProvider
from tests.service.dispatcher.delivery.stage import Stage, chunk_of, open_stage, run_of

S = DeliveryState


@pytest.fixture
async def stage(fresh_database: Any, keyrings: Any) -> AsyncIterator[Stage]:
    async with open_stage(fresh_database("dispatcher"), keyrings) as opened:
        yield opened


async def receipt(
    stage: Stage, delivery_id: UUID, state: DeliveryState, sid: str = "SID-1", **changes: Any
) -> str:
    update = StateUpdate(delivery_id, state, "fake", sid, epoch=1, **changes)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        return (await raise_states(tx, [update]))[0]


async def outcome(
    stage: Stage, delivery_id: UUID, state: DeliveryState, sid: str | None = "SID-1"
) -> int:
    record = Outcome(delivery_id, 1, state, "x", sid=sid, due_in_s=0.0)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        return await store.record_outcomes(tx, [record])


@pytest.mark.shows("F27")
@pytest.mark.parametrize("order", list(itertools.permutations(("outcome", "sent", "delivered"))))
async def test_outcome_and_receipts_end_the_same_in_every_order(
    stage: Stage, order: tuple[str, ...]
) -> None:
    _, (one,) = await stage.sendable(1)
    await stage.claim(one)
    for step in order:
        if step == "outcome":
            await outcome(stage, one, S.ACCEPTED)
        else:
            await receipt(stage, one, S(step))
    row = await stage.delivery(one)
    assert (row["state"], row["sid"], row["attempts"]) == ("delivered", "SID-1", 1)
    assert row["handed_over_at"] is not None
    assert row["delivered_at"] is not None


@pytest.mark.parametrize("state", [S.UNKNOWN, S.RETRY_WAIT, S.FAILED, S.PENDING])
async def test_a_receipt_that_came_first_stands_whatever_the_outcome_says(
    stage: Stage, state: DeliveryState
) -> None:
    _, (one,) = await stage.sendable(1)
    await stage.claim(one)
    assert await receipt(stage, one, S.SENT) == "moved"
    await outcome(stage, one, state, sid=None)
    assert (await stage.delivery(one))["state"] == "sent"
    assert await stage.claim(one) == []


async def test_a_late_receipt_of_the_first_attempt_is_believed(stage: Stage) -> None:
    _, (one,) = await stage.sendable(1)
    await stage.claim(one)
    await outcome(stage, one, S.RETRY_WAIT, sid=None)
    assert await receipt(stage, one, S.ACCEPTED, "SID-late") == "moved"
    assert await stage.claim(one) == []
    row = await stage.delivery(one)
    assert (row["state"], row["sid"]) == ("accepted", "SID-late")


async def test_bad_news_of_an_older_attempt_changes_nothing(stage: Stage) -> None:
    _, (one,) = await stage.sendable(1)
    await stage.claim(one)
    await outcome(stage, one, S.RETRY_WAIT, sid=None)
    (second,) = await stage.claim(one)
    record = Outcome(one, second.epoch, S.ACCEPTED, "x", sid="SID-2")
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await store.record_outcomes(tx, [record])
    for state in (S.UNDELIVERED, S.FAILED, S.RETRY_WAIT):
        assert await receipt(stage, one, state, "SID-1", retry_in_s=1.0) == "evidence"
    assert await receipt(stage, one, S.DELIVERED, "SID-1") == "moved"


async def test_a_temporary_failure_is_tried_again_until_it_is_too_late(stage: Stage) -> None:
    alert_id, (one, other) = await stage.sendable(2)
    for delivery_id in (one, other):
        await stage.claim(delivery_id)
        await outcome(stage, delivery_id, S.ACCEPTED, sid=f"SID-{delivery_id}")
    assert await receipt(stage, one, S.RETRY_WAIT, f"SID-{one}", retry_in_s=60.0) == "moved"
    row = await stage.delivery(one)
    assert (row["state"], row["rank"], row["sid"]) == ("retry_wait", 0, None)
    assert await stage.claim(one) == []  # not before its time
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await stop_broadcast(tx, alert_id=alert_id, version=1, reason="x", correction=None)
    assert await receipt(stage, other, S.RETRY_WAIT, f"SID-{other}", retry_in_s=1.0) == "moved"
    assert (await stage.delivery(other))["state"] == "undelivered"


async def test_every_move_made_is_a_move_allowed(stage: Stage) -> None:
    """Every receipt and outcome from every state: what moves, moves by the table."""
    for start in S:
        for target in (S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.RETRY_WAIT):
            _, (one,) = await stage.sendable(1)
            await stage.run(
                """UPDATE dispatcher_delivery
                   SET state = :state, rank = :rank, sid = :sid, epoch = 1
                   WHERE delivery_id = :id""",
                state=start.value,
                rank=RANK[start],
                sid="SID-1" if RANK[start] else None,
                id=one,
            )
            await receipt(stage, one, target, retry_in_s=1.0)
            now = S((await stage.delivery(one))["state"])
            assert now == start or now in ALLOWED[start], (start, target, now)
            assert start not in TERMINAL or now == start


async def test_a_cancel_beside_an_outcome_leaves_the_outcome(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(10)
    await stage.claim(*ids)

    async def cancel() -> None:
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            await stop_broadcast(tx, alert_id=alert_id, version=1, reason="x", correction=None)

    await asyncio.gather(
        cancel(), *(outcome(stage, one, S.ACCEPTED, sid=f"SID-{one}") for one in ids)
    )
    assert await stage.states(alert_id) == {"accepted": 10}


@pytest.mark.shows("F37", "D16")
async def test_from_cards_and_chunks_to_the_provider_on_kafka(
    stage: Stage, bus: Bus, keyrings: Any
) -> None:
    clock, provider = SystemClock(), FakeProvider()
    requests = Requests(bus, database=stage.database, clock=clock)
    deliverer = stage.deliverer(provider, slots=16)
    verifier = stage.ring.verifier
    stop, parts = asyncio.Event(), []

    def worker(group: str, handlers: Any, tool: Any) -> Worker:
        made = Worker(name=group, bus=bus, group=group, handlers=handlers, verifier=verifier)
        parts.append(Using(made, tool))
        return made

    cards = card_handler(stage.database, requests, sealer=stage.sealer)
    chunks = chunk_handler(stage.database, requests, page=stage.page)
    runs = run_handler(stage.database, page=stage.page)
    notices = notice_handler(stage.database, requests)
    workers = [
        worker("contacts", {CONTACT_CHANGED: cards, NOTICE_REQUESTED: notices}, requests),
        worker("fanout", {AUDIENCE_RESOLVED: chunks, AUDIENCE_COMPLETED: runs}, requests),
        *(
            worker(
                delivery_group("sms", one),
                {delivery_topic("sms", one): delivery_handler(deliverer, one)},
                deliverer,
            )
            for one in ("notice", "urgent")
        ),
    ]
    running = [asyncio.create_task(part.run(stop)) for part in parts]
    await asyncio.gather(*(one.wait_ready() for one in workers))

    alert_id, people = await stage.broadcast(), [uuid4() for _ in range(120)]
    made = [stage.card(one, ("sms", f"+1475{n % 100:07}")) for n, one in enumerate(people)]
    geofence = keyrings.ring("geofence").signer
    now = clock.now()
    notice_id = uuid4()
    number = stage.hasher.hash("+18605559999")
    notice = NoticeRequested(
        notice_id=notice_id, template="confirm_code", channel="sms", language="en-US",
        address_sealed=stage.sealer.seal(b"+18605559999", context="address"),
        address_hash=number.digest.hex(), hash_key_id=number.key_id,
        values_sealed=stage.sealer.seal(orjson.dumps({"code": "123456"}),
                                        context=f"notice:{notice_id}"),
        expires_at=now.replace(year=now.year + 1),
    )  # fmt: skip
    out = [encode(notice, producer="subscriber", signer=None, now=now)]
    for half, run in ((people[:60], 0), (people[60:], 1)):
        event = chunk_of(alert_id, half, n=run)
        out.append(encode(event, producer="geofence", signer=geofence, now=now))
    end = run_of(alert_id, chunks=2, members=120)
    out.append(encode(end, producer="geofence", signer=geofence, now=now))
    # Half of the cards come before the audience, half after it; the audience comes twice.
    carded = [
        encode(one.event, producer="subscriber", signer=None, now=now)
        for one in made
        if one.event is not None
    ]
    async with bus.producer() as producer:
        await producer.send_many([*carded[:60], *out, *carded[60:], *out])
        timers = Timers(stage.database, bus=bus, requests=requests)
        async with asyncio.timeout(30):
            while len(provider.ledger) < 101:
                await stage.complete()
                await timers.ask_for_chunks()
                await provider.more()
    stop.set()
    await asyncio.wait_for(asyncio.gather(*running), 20)
    assert len(provider.ledger) == 101
    assert set(provider.sent().values()) == {1}
    code = [one.body for one in provider.ledger if one.address == "+18605559999"]
    assert code == [
        "123456 is your CT Alert code. It is good for 10 minutes. Not you? Ignore this message."
    ]
    assert await stage.states(alert_id) == {"accepted": 100}
    (row,) = await stage.rows("SELECT fanned_out_at FROM dispatcher_run")
    assert row["fanned_out_at"] is not None
    assert stage.pages == []
    await bus.close()


async def test_lost_records_are_asked_for_again_and_sent_once(stage: Stage, bus: Bus) -> None:
    provider, requests = FakeProvider(), Requests(bus, database=stage.database, clock=SystemClock())
    timers = Timers(stage.database, bus=bus, requests=requests)
    alert_id, ids = await stage.sendable(6)
    old = "published_at = now() - interval '5 minutes'"
    await stage.run(f"UPDATE dispatcher_chunk SET {old}")  # noqa: S608
    await stage.run(f"UPDATE dispatcher_delivery SET {old}")  # noqa: S608
    async with requests:
        # The group has read nothing, and there is nothing to read: all of it is lost.
        assert await timers.sweep() == 6
        # What was asked for before the oldest unread record is not among those that are unread.
        await stage.run(f"UPDATE dispatcher_delivery SET {old}")  # noqa: S608
        assert await timers.sweep() == 6
    deliverer, stop = stage.deliverer(provider), asyncio.Event()
    made = Worker(
        name="sms", bus=bus, group=delivery_group("sms", "urgent"),
        handlers={delivery_topic("sms", "urgent"): delivery_handler(deliverer, "urgent")},
    )  # fmt: skip
    running = asyncio.create_task(Using(made, deliverer).run(stop))
    async with asyncio.timeout(20):
        while len(provider.ledger) < 6:
            await provider.more()
    stop.set()
    await running
    assert provider.sent() == dict.fromkeys(ids, 1)
    assert await stage.states(alert_id) == {"accepted": 6}
    await bus.close()

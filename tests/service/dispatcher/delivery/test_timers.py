"""Due work on a real database: nothing waits for ever, and nothing is asked for without need."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.dispatcher.delivery import store_due
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.raise_states import raise_states
from services.dispatcher.delivery.states import DeliveryState, Found, StateUpdate, Texts
from services.dispatcher.delivery.timers import Timers
from services.dispatcher.delivery.unknown import adopt, give_up, take_unknown
from shared.bus.errors import BusUnavailable
from shared.bus.kafka.bus import Bus
from shared.db.session import ALL_TOWNS, fetch_value
from tests.fakes_provider import FakeRequests
from tests.service.dispatcher.delivery.stage import Stage, open_stage


@pytest.fixture
async def stage(fresh_database: Any, keyrings: Any) -> AsyncIterator[Stage]:
    async with open_stage(fresh_database("dispatcher"), keyrings) as opened:
        yield opened


@pytest.fixture
def requests(stage: Stage) -> FakeRequests:
    return FakeRequests(stage.database)


@pytest.fixture
def timers(stage: Stage, requests: FakeRequests) -> Timers:
    return Timers(stage.database, bus=Bus("127.0.0.1:1"), requests=requests)


async def put(stage: Stage, delivery_id: UUID, sets: str) -> None:
    await stage.run(
        f"UPDATE dispatcher_delivery SET {sets} WHERE delivery_id = :id",  # noqa: S608
        id=delivery_id,
    )


@pytest.mark.shows("F02")
async def test_a_process_killed_after_its_claim(
    stage: Stage, timers: Timers, requests: FakeRequests
) -> None:
    _, (sms,) = await stage.sendable(1)
    (claimed,) = await stage.claim(sms)
    assert await timers.end_leases() == 0
    await put(stage, sms, "lease_until = now() - interval '1 s'")
    assert await timers.end_leases() == 1
    row = await stage.delivery(sms)
    assert (row["state"], row["attempts"]) == ("unknown", 1)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await take_unknown(tx, "sms", 10) == []  # held for a callback to come first
    await put(stage, sms, "due_at = now()")
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        (taken,) = await take_unknown(tx, "sms", 10)
    assert (taken.delivery_id, taken.epoch) == (sms, claimed.epoch)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await take_unknown(tx, "sms", 10) == []  # nobody else looks it up meanwhile
        assert await give_up(tx, [(sms, claimed.epoch)]) == 1
    assert (await stage.delivery(sms))["state"] == "retry_wait"
    await put(stage, sms, "due_at = now()")
    assert await timers.ask_for_due() == 1
    assert requests.ids() == [sms]
    (again,) = await stage.claim(sms)
    assert again.epoch == claimed.epoch + 1


async def test_what_the_provider_has_is_adopted_once(stage: Stage) -> None:
    _, ids = await stage.sendable(2)
    claimed = await stage.claim(*ids)
    for one in ids:
        await put(stage, one, "state = 'unknown', lease_until = NULL, due_at = now()")
    found = [Found(one.delivery_id, one.epoch, "fake", "SID-same") for one in claimed]
    for one in found:
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            await adopt(tx, [one])
    states = sorted([(await stage.delivery(one))["state"] for one in ids])
    assert states == ["accepted", "unknown"]


async def test_an_unknown_delivery_of_an_alert_that_is_over_is_closed(stage: Stage) -> None:
    for state, end in (("stopped", "cancelled"), ("ended", "expired")):
        alert_id, (delivery_id,) = await stage.sendable(1)
        (claimed,) = await stage.claim(delivery_id)
        await put(stage, delivery_id, "state = 'unknown', due_at = now()")
        await stage.run(
            "UPDATE dispatcher_broadcast SET state = :state WHERE alert_id = :id",
            state=state,
            id=alert_id,
        )
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            await give_up(tx, [(delivery_id, claimed.epoch)])
        assert (await stage.delivery(delivery_id))["state"] == end


async def test_a_chunk_nobody_asked_for_is_asked_for(
    stage: Stage, timers: Timers, requests: FakeRequests
) -> None:
    _alert_id, ids = await stage.sendable(3)
    assert await timers.ask_for_chunks() == 0  # its maker has two seconds
    await stage.run("UPDATE dispatcher_chunk SET created_at = now() - interval '3 s'")
    requests.fault = BusUnavailable("no broker")
    with pytest.raises(BusUnavailable):
        await timers.ask_for_chunks()
    requests.fault = None
    assert await timers.ask_for_chunks() == 1
    assert sorted(requests.ids()) == sorted(ids)
    assert await timers.ask_for_chunks() == 0


async def test_what_is_due_while_the_bus_is_away_stays_due(
    stage: Stage, timers: Timers, requests: FakeRequests
) -> None:
    _, (sms,) = await stage.sendable(1)
    await put(stage, sms, "state = 'retry_wait', due_at = now()")
    requests.fault = BusUnavailable("no broker")
    with pytest.raises(BusUnavailable):
        await timers.ask_for_due()
    assert (await stage.delivery(sms))["due_at"] is not None
    requests.fault = None
    await put(stage, sms, "due_at = now()")
    assert await timers.ask_for_due() == 1
    assert requests.ids() == [sms]


@pytest.mark.shows("D7", "P1")
async def test_what_is_over_is_closed_in_small_batches(stage: Stage, timers: Timers) -> None:
    stopped, ids = await stage.sendable(4)
    ended, _ = await stage.sendable(3)
    (sending,) = await stage.claim(ids[0])
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await stop_broadcast(tx, alert_id=stopped, version=1, reason="wrong", correction=None)
    await stage.run(
        "UPDATE dispatcher_broadcast SET expires_at = now() WHERE alert_id = :id", id=ended
    )
    assert await timers.close() == 6
    assert await stage.states(stopped) == {"cancelled": 3, "sending": 1}
    assert await stage.states(ended) == {"expired": 3}
    await put(stage, sending.delivery_id, "state = 'accepted', rank = 1")
    assert await timers.close() == 0
    rows = await stage.rows("SELECT closed_at FROM dispatcher_broadcast")
    assert all(row["closed_at"] is not None for row in rows)


@pytest.mark.shows("M8", "F36", "goal:G6")
async def test_the_correction_goes_to_what_was_or_turns_out_to_be_handed_over(
    stage: Stage, timers: Timers, requests: FakeRequests
) -> None:
    alert_id, ids = await stage.sendable(5)
    claimed = {one.delivery_id: one for one in await stage.claim(*ids[:3])}
    await put(stage, ids[0], "state='accepted', rank=1, sid='SID-0', handed_over_at=now()")
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        version = await stop_broadcast(
            tx, alert_id=alert_id, version=1, reason="wrong",
            correction={"en-US": Texts(sms="CANCELLED")},
        )  # fmt: skip
    assert version == 2
    assert await timers.add_corrections() == 1
    # Beside the cancel: one outcome says accepted, one row is unknown and is found out later.
    update = StateUpdate(ids[1], DeliveryState.ACCEPTED, "fake", "SID-1", epoch=1)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await raise_states(tx, [update]) == ["moved"]
    assert await timers.add_corrections() == 1
    await put(stage, ids[2], "state = 'unknown', lease_until = NULL, due_at = now()")
    found = Found(ids[2], claimed[ids[2]].epoch, "fake", "SID-2")
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await adopt(tx, [found])
    assert await timers.add_late_corrections() == 1
    assert await timers.add_corrections() == 0
    await timers.close()
    assert await stage.states(alert_id, version=1) == {"accepted": 3, "cancelled": 2}
    assert await stage.states(alert_id, version=2) == {"pending": 3}
    corrected = await stage.rows(
        """SELECT n.address_hash = o.address_hash AS same FROM dispatcher_delivery AS n
           JOIN dispatcher_delivery AS o USING (alert_id, channel, address_hash)
           WHERE n.version = 2 AND o.version = 1 AND o.handed_over_at IS NOT NULL"""
    )
    assert len(corrected) == 3
    # A correction is sent like any other delivery, to the same people.
    sent = await stage.claim(*requests.ids())
    assert {one.version for one in sent} == {2}


async def test_the_sweeper_asks_only_for_what_no_record_covers(stage: Stage) -> None:
    _, ids = await stage.sendable(4)
    await stage.run("UPDATE dispatcher_chunk SET published_at = now() - interval '90 s'")
    lost, covered, claimed, fresh = ids
    for one in (lost, claimed):
        await put(stage, one, "published_at = now() - interval '90 s'")
    await put(stage, covered, "published_at = now() - interval '40 s'")
    await stage.claim(claimed)

    async def sweep(before_s: float) -> list[UUID]:
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            before = await store_due.database_time(tx)
            found = await store_due.sweep(
                tx, channel="sms", priority="urgent", limit=100, grace_s=30,
                before=before - timedelta(seconds=before_s),
            )  # fmt: skip
        return [one.delivery_id for one in found]

    # The oldest unread record is two minutes old: everything may still be read.
    assert await sweep(before_s=120.0) == []
    # It is fifty seconds old: only what was asked for before that, and a grace, is lost.
    assert await sweep(before_s=50.0) == [lost]
    assert await sweep(before_s=0.0) == [covered]
    assert fresh not in await sweep(before_s=0.0)


async def test_a_row_swept_in_vain_waits_twice_as_long(stage: Stage) -> None:
    _, (one,) = await stage.sendable(1)
    await stage.run("UPDATE dispatcher_chunk SET published_at = now() - interval '1 day'")
    waits = []
    for swept, age_s in ((0, 31), (1, 31), (1, 61), (3, 200), (3, 241)):
        await put(stage, one, f"swept = {swept}, published_at = now() - interval '{age_s} seconds'")
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            before = await store_due.database_time(tx)
            found = await store_due.sweep(
                tx, channel="sms", priority="urgent", before=before, grace_s=30, limit=9
            )
        waits.append(bool(found))
    assert waits == [True, False, True, False, True]


async def test_after_three_days_no_receipt_is_awaited(stage: Stage, timers: Timers) -> None:
    _alert_id, (one,) = await stage.sendable(1)
    await put(stage, one, "state = 'sent', rank = 2, sid = 'SID-x', handed_over_at = now()")
    await stage.run(
        """UPDATE dispatcher_broadcast SET state = 'ended', closed_at = now(),
               ended_at = now() - interval '71 hours'"""
    )
    await timers.close_receipts()
    assert (await stage.delivery(one))["state"] == "sent"
    await stage.run("UPDATE dispatcher_broadcast SET ended_at = now() - interval '73 hours'")
    await timers.close_receipts()
    assert (await stage.delivery(one))["state"] == "no_receipt"
    late = StateUpdate(one, DeliveryState.DELIVERED, "fake", "SID-x")
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        assert await raise_states(tx, [late]) == ["moved"]
    assert (await stage.delivery(one))["state"] == "delivered"


@pytest.mark.shows("O8", "S10")
async def test_a_town_sees_no_other_town_s_broadcast(stage: Stage) -> None:
    alert_id = await stage.broadcast(town="0952000")
    seen = {}
    for town in ("0952000", "0937000", None, "*"):
        async with stage.database.transaction(town=town) as tx:
            seen[town] = await fetch_value(
                tx, "SELECT count(*) FROM dispatcher_broadcast WHERE alert_id = :id", id=alert_id
            )
    assert seen == {"0952000": 1, "0937000": 0, None: 0, "*": 1}

"""Receipts settled on a real database: every order, every repeat, and what others are told."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest

from services.dispatcher.delivery.pacing import budget_s
from shared.bus.kafka.bus import Bus
from tests.service.dispatcher.receipts.room import Room, a_receipt, open_room


@pytest.fixture
async def room(database: Any, keyrings: Any) -> AsyncIterator[Room]:
    async with open_room(database("dispatcher"), keyrings, Bus("127.0.0.1:1")) as opened:
        yield opened


STATUSES = ("queued", "sending", "sent", "delivered", "undelivered")
ENDS_OF_A_TEXT = ("delivered", "undelivered")
PERMANENT, TEMPORARY = "30005", "30003"


def end_of(order: Sequence[str], code: str) -> tuple[str, int]:
    """Return state and rank that a text comes to: one that may be tried again waits for it."""
    if code == TEMPORARY:
        return ("delivered", 3) if "delivered" in order else ("retry_wait", 0)
    return next(status for status in order if status in ENDS_OF_A_TEXT), 3


@pytest.mark.shows("F27", "bad:W07", "bad:W08")
@pytest.mark.parametrize(
    ("code", "at_once"), [(PERMANENT, False), (TEMPORARY, False), (TEMPORARY, True)]
)
async def test_all_orders_of_a_text_s_receipts_each_five_times(
    room: Room, code: str, at_once: bool
) -> None:
    unheard = [status for status in STATUSES if status != "delivered"]
    orders = [*itertools.permutations(STATUSES), *itertools.permutations(unheard)]
    deliveries = [await room.a_delivery(state="sending", attempts=0) for _ in orders]
    batches: list[list[Any]] = [[] for _ in STATUSES]
    for delivery_id, order in zip(deliveries, orders, strict=True):
        for step, status in enumerate(order):
            receipt = a_receipt(delivery_id, status, sid=f"SM{delivery_id}", error_code=code)
            batches[0 if at_once else step] += [receipt] * 5
    for batch in batches:
        await room.settle(*batch)
    for delivery_id, order in zip(deliveries, orders, strict=True):
        row = await room.delivery(delivery_id)
        assert (row["state"], row["rank"], row["attempts"]) == (*end_of(order, code), 1), order
        assert (row["due_at"] is not None) == (row["state"] == "retry_wait")
    kept = await room.rows(
        "SELECT effect FROM dispatcher_receipt WHERE delivery_id = ANY(:ids)", ids=deliveries
    )
    assert len(orders) == 120 + 24
    assert len(kept) == sum(len(order) for order in orders)


@pytest.mark.shows("F27")
async def test_the_first_end_holds(room: Room) -> None:
    for first, second in (("delivered", "undelivered"), ("undelivered", "delivered")):
        delivery_id = await room.a_delivery(sid=f"SM{first}", rank=1)
        receipts = [
            a_receipt(delivery_id, status, sid=f"SM{first}", error_code="30005")
            for status in (first, second)
        ]
        await room.settle(*receipts)
        assert (await room.delivery(delivery_id))["state"] == first


@pytest.mark.parametrize("state", ["sending", "unknown", "retry_wait"])
async def test_a_receipt_may_come_before_its_outcome(room: Room, state: str) -> None:
    delivery_id = await room.a_delivery(state=state, attempts=0)
    await room.settle(a_receipt(delivery_id, "sent", sid=f"SM-{state}"))
    row = await room.delivery(delivery_id)
    assert (row["state"], row["sid"], row["provider"]) == ("sent", f"SM-{state}", "twilio")


@pytest.mark.shows("bad:W04", "bad:W05", "bad:W09")
async def test_what_nobody_knows_is_kept_and_changes_nothing(room: Room) -> None:
    delivery_id, stranger = await room.a_delivery(sid="SMa", rank=1), uuid4()
    await room.settle(
        a_receipt(delivery_id, "teleported", sid="SMa"),
        a_receipt(stranger, "delivered", sid="SMb"),
    )
    assert (await room.delivery(delivery_id))["state"] == "accepted"
    rows = await room.rows(
        "SELECT effect FROM dispatcher_receipt WHERE delivery_id = ANY(:ids) ORDER BY effect",
        ids=[delivery_id, stranger],
    )
    assert [row["effect"] for row in rows] == ["evidence", "unknown"]
    odd = await room.a_delivery(sid="SMc", rank=1)
    await room.settle(a_receipt(odd, "undelivered", sid="SMc", error_code="9" * 60))
    assert (await room.delivery(odd))["state"] == "undelivered"


# Channel, status, code, who answered: the state, its reason, what the subscriber service hears.
ENDS = [
    ("sms", "undelivered", "30003", None, "retry_wait", "unreachable", None),
    ("sms", "undelivered", "30005", None, "undelivered", "refused", None),
    ("sms", "undelivered", "30006", None, "undelivered", "landline", "landline"),
    ("sms", "failed", "21610", None, "undelivered", "opted_out", "opted_out"),
    ("sms", "failed", "30014", None, "undelivered", "invalid_address", "invalid"),
    ("sms", "undelivered", "30007", None, "undelivered", "refused", None),
    ("sms", "undelivered", "30008", None, "retry_wait", "unreachable", None),
    ("sms", "undelivered", "30034", None, "undelivered", "sender_refused", None),
    ("sms", "failed", None, None, "undelivered", "refused", None),
    ("voice", "completed", None, "human", "delivered", None, None),
    ("voice", "completed", None, "machine_end_beep", "delivered", "machine", None),
    ("voice", "completed", None, "fax", "undelivered", "fax", None),
    ("voice", "busy", None, None, "retry_wait", "busy", None),
    ("voice", "no-answer", None, None, "retry_wait", "no_answer", None),
    ("voice", "failed", "13224", None, "undelivered", "refused", None),
]


@pytest.mark.parametrize(("channel", "status", "code", "by", "state", "reason", "report"), ENDS)
async def test_each_end_has_its_state_reason_and_report(
    room: Room, channel: str, status: str, code: str | None, by: str | None, state: str,
    reason: str | None, report: str | None,
) -> None:  # fmt: skip
    sid = f"{channel}-{status}-{code}-{by}"
    number = f"+1860{uuid4().int % 10**7:07d}"
    delivery_id = await room.a_delivery(channel=channel, sid=sid, rank=1, address=number)
    receipt = a_receipt(
        delivery_id, status, channel=channel, sid=sid, error_code=code, answered_by=by
    )
    before = len(await room.published("contact.reported"))
    await room.settle(receipt)
    await room.settle(receipt)
    row = await room.delivery(delivery_id)
    assert (row["state"], row["reason"]) == (state, reason)
    reports = (await room.published("contact.reported"))[before:]
    assert [one["reason"] for one in reports] == ([report] if report else [])
    suppressed = await room.rows(
        "SELECT 1 FROM dispatcher_suppression WHERE address_hash = :hash AND lifted_at IS NULL",
        hash=bytes(row["address_hash"]),
    )
    assert bool(suppressed) == (report == "opted_out")
    assert bool(room.pages) == (code == "30034")


async def test_tries_for_one_reason_are_counted(room: Room) -> None:
    for attempts, state in ((1, "retry_wait"), (3, "retry_wait"), (4, "undelivered")):
        sid = f"SM-tries-{attempts}"
        delivery_id = await room.a_delivery(sid=sid, rank=1, attempts=attempts)
        await room.settle(a_receipt(delivery_id, "undelivered", sid=sid, error_code="30003"))
        assert (await room.delivery(delivery_id))["state"] == state


async def test_two_settlers_with_the_same_receipts(room: Room) -> None:
    deliveries = [await room.a_delivery(state="sending", attempts=0) for _ in range(20)]
    receipts = [
        a_receipt(one, status, sid=f"SM{one}") for one in deliveries for status in ("sent",)
    ]
    await asyncio.gather(room.settle(*receipts), room.settle(*reversed(receipts)))
    assert {(await room.delivery(one))["state"] for one in deliveries} == {"sent"}
    assert {(await room.delivery(one))["attempts"] for one in deliveries} == {1}


@pytest.mark.shows("F27")
async def test_late_news_of_a_failed_text_take_no_retry_back(room: Room) -> None:
    delivery_id = await room.a_delivery(sid="SM-first", rank=1)
    failure = a_receipt(delivery_id, "undelivered", sid="SM-first", error_code=TEMPORARY)
    await room.settle(failure, a_receipt(delivery_id, "sent", sid="SM-first"))
    assert (await room.delivery(delivery_id))["state"] == "retry_wait"
    await room.run(
        """UPDATE dispatcher_delivery SET state = 'sending', epoch = epoch + 1
           WHERE delivery_id = :id""",
        id=delivery_id,
    )
    late = [
        a_receipt(delivery_id, "queued", sid="SM-first"),
        a_receipt(delivery_id, "failed", sid="SM-first", error_code=TEMPORARY, epoch=None),
    ]
    await room.settle(*late)
    row = await room.delivery(delivery_id)
    assert (row["state"], row["epoch"], row["sid"]) == ("sending", 3, None)
    await room.settle(
        a_receipt(delivery_id, "undelivered", sid="SM-next", error_code=TEMPORARY, epoch=3)
    )
    row = await room.delivery(delivery_id)
    assert (row["state"], row["epoch"], row["attempts"]) == ("retry_wait", 4, 2)
    await room.settle(a_receipt(delivery_id, "delivered", sid="SM-first"))
    row = await room.delivery(delivery_id)
    assert (row["state"], row["sid"], row["due_at"]) == ("delivered", "SM-first", None)


@pytest.mark.shows("F27")
async def test_a_failure_and_late_news_settled_side_by_side(room: Room) -> None:
    deliveries = [await room.a_delivery(state="sending", attempts=0) for _ in range(20)]
    failed = [
        a_receipt(one, "undelivered", sid=f"SM{one}", error_code=TEMPORARY) for one in deliveries
    ]
    sent = [a_receipt(one, "sent", sid=f"SM{one}") for one in reversed(deliveries)]
    await asyncio.gather(room.settle(*failed), room.settle(*sent), room.settle(*failed))
    assert {(await room.delivery(one))["state"] for one in deliveries} == {"retry_wait"}


@pytest.mark.parametrize("severity", ["Extreme", "Severe", "Moderate", "Unknown"])
async def test_a_retry_begins_within_the_time_a_delivery_is_tried(
    room: Room, severity: str
) -> None:
    """The first wait for a handset is a minute: half of one before its end is too late."""
    for left_s, state in ((90.0, "retry_wait"), (30.0, "undelivered")):
        sid = f"SM-{severity}-{left_s}"
        delivery_id = await room.a_delivery(sid=sid, rank=1)
        await room.run(
            "UPDATE dispatcher_broadcast SET severity = :severity WHERE alert_id = :id",
            severity=severity, id=(await room.delivery(delivery_id))["alert_id"],
        )  # fmt: skip
        await room.run(
            """UPDATE dispatcher_delivery
               SET created_at = clock_timestamp() - make_interval(secs => :age_s)
               WHERE delivery_id = :id""",
            age_s=budget_s(severity) - left_s, id=delivery_id,
        )  # fmt: skip
        await room.settle(a_receipt(delivery_id, "undelivered", sid=sid, error_code=TEMPORARY))
        row = await room.delivery(delivery_id)
        assert (row["state"], row["reason"]) == (state, "unreachable")

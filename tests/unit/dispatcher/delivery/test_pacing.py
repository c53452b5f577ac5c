"""Pacing without I/O: classes of failure, pauses, budgets, and who gets a free slot."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.dispatcher.delivery.pacing import Rest, Slots, backoff_s, budget_s, hold_s, pace
from services.dispatcher.delivery.states import Claimed, DeliveryState
from services.dispatcher.providers.base import (
    Ambiguous,
    Lapsed,
    Misconfigured,
    Refused,
    Temporary,
    TooMany,
    Unreachable,
)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def claimed(
    *, attempts: int = 0, epoch: int = 1, age_s: float = 1, left_s: float = 3600,
    severity: str = "Severe", channel: str = "sms", priority: str = "urgent",
) -> Claimed:  # fmt: skip
    return Claimed(
        delivery_id=UUID(int=1), epoch=epoch, attempts=attempts, alert_id=UUID(int=2), version=1,
        kind="alert", channel=channel, priority=priority, severity=severity, language="en-US",
        reference="7F3K9Q", address_sealed="", address_hash=b"", hash_key_id="k", started_at=NOW,
        created_at=NOW - timedelta(seconds=age_s), opened_at=NOW,
        expires_at=NOW + timedelta(seconds=left_s), seconds_left=left_s,
    )  # fmt: skip


@pytest.mark.shows("D6")
def test_each_class_has_its_way() -> None:
    cases = [
        (Ambiguous("x", "?"), DeliveryState.UNKNOWN, True),
        (Misconfigured("x", "?"), DeliveryState.PENDING, False),
        (Lapsed("x", "?"), DeliveryState.EXPIRED, True),
        (Refused("x", "?"), DeliveryState.FAILED, True),
        (Temporary("x", "?"), DeliveryState.RETRY_WAIT, True),
        (TooMany("x", "?"), DeliveryState.RETRY_WAIT, False),
        (Unreachable("x", "?"), DeliveryState.RETRY_WAIT, False),
    ]
    for error, state, counted in cases:
        outcome = pace(error, claimed(), provider="fake")
        assert (outcome.state, outcome.counted) == (state, counted), error


def test_the_first_safe_retry_is_at_once_and_later_ones_wait_longer_with_full_jitter() -> None:
    assert backoff_s(1) == 0.0
    for tries, longest in ((2, 1), (3, 2), (5, 8), (9, 60), (40, 60)):
        pauses = [backoff_s(tries) for _ in range(200)]
        assert 0 <= min(pauses) < longest * 0.2
        assert longest * 0.8 < max(pauses) <= longest


def test_attempts_and_time_are_a_budget() -> None:
    error = Temporary("x", "?")
    assert pace(error, claimed(attempts=6), provider="p").state is DeliveryState.RETRY_WAIT
    assert pace(error, claimed(attempts=7), provider="p").state is DeliveryState.FAILED
    once = Temporary("x", "?", most_tries=2)
    assert pace(once, claimed(attempts=1), provider="p").state is DeliveryState.FAILED
    for severity, seconds in (("Extreme", 1800), ("Severe", 7200), ("Minor", 14400)):
        assert budget_s(severity) == seconds
        late = claimed(severity=severity, age_s=seconds + 1)
        assert pace(error, late, provider="p").state is DeliveryState.EXPIRED
    assert pace(error, claimed(left_s=0), provider="p").state is DeliveryState.EXPIRED


def test_an_outage_of_the_provider_uses_up_no_attempts() -> None:
    gone = Unreachable("refused", "?")
    for epoch in (1, 8, 80):
        assert (
            pace(gone, claimed(attempts=7, epoch=epoch), provider="p").state
            is DeliveryState.RETRY_WAIT
        )


def test_what_the_provider_asks_for_is_kept() -> None:
    outcome = pace(TooMany("429", "?", retry_after_s=17.0), claimed(), provider="p")
    assert outcome.due_in_s == 17.0
    paced = Temporary("30003", "?", waits_s=(60.0, 300.0))
    for attempts, about in ((0, 60.0), (1, 300.0), (4, 300.0)):
        wait_s = pace(paced, claimed(attempts=attempts), provider="p").due_in_s
        assert wait_s == pytest.approx(about, rel=0.11)


def test_holds_are_those_of_the_table() -> None:
    assert (hold_s("sms", "urgent"), hold_s("voice", "routine")) == (5.0, 20.0)
    assert hold_s("email", "urgent") == 60.0


@pytest.mark.shows("D16")
async def test_the_urgent_wait_in_front() -> None:
    slots = Slots(1)
    await slots.take(1, rank=2)
    order: list[str] = []

    async def wait(name: str, rank: int) -> None:
        await slots.take(1, rank=rank)
        order.append(name)
        slots.give_back()

    waiting = [asyncio.create_task(wait(name, rank)) for name, rank in
               (("routine", 2), ("exercise", 3), ("urgent", 1), ("notice", 0))]  # fmt: skip
    await asyncio.sleep(0)
    slots.give_back()
    await asyncio.gather(*waiting)
    assert order == ["notice", "urgent", "routine", "exercise"]


async def test_slots_are_never_more_than_there_are() -> None:
    slots = Slots(8)
    assert await slots.take(3, rank=1) == 3
    assert await slots.take(50, rank=1) == 5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await slots.take(1, rank=0)
    slots.give_back(8)
    assert slots.free == 8


async def test_a_provider_rests_after_failures_and_goes_on_after_success() -> None:
    rest = Rest()
    await rest.over()
    rest.note(TooMany("429", "?", retry_after_s=30.0))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await rest.over()

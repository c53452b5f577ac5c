"""Claim, hand-over and outcome on a real database with a provider that does as it is told."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from services.dispatcher.contacts.suppress import suppress
from services.dispatcher.delivery.broadcasts.stop_broadcast import stop_broadcast
from services.dispatcher.delivery.states import Texts
from services.dispatcher.providers.base import (
    Ambiguous,
    InvalidAddress,
    Misconfigured,
    OptedOut,
    Refused,
    Temporary,
    Unreachable,
)
from shared.db.session import ALL_TOWNS
from tests.fakes_provider import FakeProvider
from tests.service.dispatcher.delivery.stage import Stage, asked, hand_over, ids_of


async def test_a_delivery_is_claimed_sent_and_written(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(20)
    provider = FakeProvider()
    await hand_over(stage, provider, *ids, *ids)
    assert provider.sent() == dict.fromkeys(ids, 1)
    assert await stage.states(alert_id) == {"accepted": 20}
    row = await stage.delivery(ids[0])
    assert (row["rank"], row["epoch"], row["attempts"]) == (1, 1, 1)
    assert row["sid"] == f"SID-{ids[0]}-1"
    assert row["handed_over_at"] is not None
    assert row["lease_until"] is None
    message = provider.ledger[0]
    assert (message.body, message.reference) == ("Storm. Ref 7F3K9Q", "7F3K9Q")
    attempts = await stage.rows(
        "SELECT outcome, sid FROM dispatcher_attempt WHERE delivery_id = :id", id=ids[0]
    )
    assert attempts == [{"outcome": "accepted", "sid": row["sid"]}]
    assert provider.closed


@pytest.mark.shows("F37")
async def test_asking_again_for_what_was_sent_sends_nothing(stage: Stage) -> None:
    _, ids = await stage.sendable(5)
    provider = FakeProvider()
    for _ in range(3):
        await hand_over(stage, provider, *ids)
    assert provider.sent() == dict.fromkeys(ids, 1)


async def test_no_more_are_under_way_than_there_are_slots(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(30)
    provider = FakeProvider()
    provider.gate.clear()
    async with stage.deliverer(provider, slots=4) as worker:
        handling = asyncio.create_task(worker.handle(asked(*ids), priority="urgent"))
        await provider.busy(4)
        assert await stage.states(alert_id) == {"sending": 4, "pending": 26}
        provider.gate.set()
        await handling
    assert provider.most_at_once == 4
    assert provider.sent() == dict.fromkeys(ids, 1)


@pytest.mark.shows("F39")
async def test_an_opt_out_between_fan_out_and_claim_is_not_sent(stage: Stage) -> None:
    _alert_id, ids = await stage.sendable(3)
    row = await stage.delivery(ids[0])
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await suppress(tx, channel="sms", address_hash=row["address_hash"],
                       hash_key_id=row["hash_key_id"], reason="opted_out",
                       at=datetime.now(UTC))  # fmt: skip
    provider = FakeProvider()
    await hand_over(stage, provider, *ids)
    assert ids[0] not in provider.sent()
    assert len(provider.sent()) == 2
    row = await stage.delivery(ids[0])
    assert (row["state"], row["reason"], row["epoch"]) == ("suppressed", "opted_out", 0)


@pytest.mark.shows("F35", "D5")
async def test_nothing_is_sent_after_its_time(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(3)
    await stage.run(
        "UPDATE dispatcher_broadcast SET expires_at = now() - interval '1 s' WHERE alert_id = :id",
        id=alert_id,
    )
    provider = FakeProvider()
    await hand_over(stage, provider, *ids)
    assert provider.ledger == []
    assert await stage.states(alert_id) == {"expired": 3}


FAULTS = [
    (Ambiguous("20500", "?"), "unknown", 1, True),
    (Temporary("30001", "?"), "retry_wait", 1, True),
    (Unreachable("refused", "?"), "retry_wait", 0, True),
    (Misconfigured("20003", "?"), "pending", 0, True),
    (Refused("30007", "?"), "failed", 1, False),
    (InvalidAddress("21211", "?"), "failed", 1, False),
    (OptedOut("21610", "?"), "failed", 1, False),
    (RuntimeError("a fault of ours"), "unknown", 1, True),
]


@pytest.mark.parametrize(("fault", "state", "attempts", "due"), FAULTS)
async def test_each_class_of_failure_goes_its_way(
    stage: Stage, fault: Exception, state: str, attempts: int, due: bool
) -> None:
    _, (delivery_id,) = await stage.sendable(1)
    provider = FakeProvider()
    provider.faults.append(fault)
    await hand_over(stage, provider, delivery_id)
    row = await stage.delivery(delivery_id)
    assert (row["state"], row["attempts"]) == (state, attempts)
    assert (row["due_at"] is not None) is due
    told = await stage.rows(
        "SELECT 1 FROM dispatcher_outbox WHERE topic = 'contact.reported' AND key = :key",
        key=row["address_hash"].hex().encode(),
    )
    assert bool(told) is isinstance(fault, InvalidAddress | OptedOut)


@pytest.mark.shows("D10")
async def test_a_stop_that_the_provider_knows_suppresses_the_number(stage: Stage) -> None:
    _, (delivery_id,) = await stage.sendable(1)
    provider = FakeProvider()
    provider.faults.append(OptedOut("21610", "?"))
    await hand_over(stage, provider, delivery_id)
    row = await stage.delivery(delivery_id)
    kept = await stage.rows(
        "SELECT reason FROM dispatcher_suppression WHERE address_hash = :hash",
        hash=row["address_hash"],
    )
    assert kept == [{"reason": "opted_out"}]


async def test_a_misconfigured_provider_pages_and_rests(stage: Stage) -> None:
    _, ids = await stage.sendable(2)
    provider = FakeProvider()
    provider.faults.append(Misconfigured("20003", "The account is closed"))
    async with stage.deliverer(provider) as worker:
        await worker.handle(asked(ids[0]), priority="urgent")
        await asyncio.wait_for(stage.paged.wait(), 5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await worker.handle(asked(ids[1]), priority="urgent")
    assert "The account is closed" in stage.pages[0]
    assert provider.ledger == []
    assert (await stage.delivery(ids[1]))["state"] == "pending"


@pytest.mark.shows("R15")
async def test_a_language_without_a_text_for_the_channel_borrows_one(stage: Stage) -> None:
    texts = {"es-US": Texts(email_subject="T", email_body="T"), "en-US": Texts(sms="Storm")}
    alert_id, who = await stage.broadcast(texts=texts), uuid4()
    await stage.keep(stage.card(who, ("sms", "+18605556001"), language="es-US"))
    provider = FakeProvider()
    await hand_over(stage, provider, *ids_of(await stage.fan_out(alert_id, [who])))
    assert [one.body for one in provider.ledger] == ["Storm"]


@pytest.mark.shows("R11", "D12")
async def test_a_mail_is_prebuilt_dated_and_leaves_by_one_click(stage: Stage) -> None:
    alert_id, who = await stage.broadcast(), uuid4()
    await stage.keep(stage.card(who, ("email", "a@example.org")))
    (delivery_id,) = ids_of(await stage.fan_out(alert_id, [who]))
    provider = FakeProvider("email")
    await hand_over(stage, provider, delivery_id)
    (mail,) = provider.ledger
    assert isinstance(mail.body, bytes)
    assert b"A storm comes." in mail.body
    assert mail.address == "a@example.org"
    assert stage.ring.links is not None
    assert mail.unsubscribe_url is not None
    token = mail.unsubscribe_url.rpartition("/")[2]
    payload = stage.ring.links.read("unsubscribe", token, max_age_s=60)
    assert payload == {"delivery": str(delivery_id)}
    (row,) = await stage.rows(
        "SELECT opened_at FROM dispatcher_broadcast WHERE alert_id = :id", id=alert_id
    )
    assert mail.dated == row["opened_at"]


@pytest.mark.shows("F36", "goal:G6")
async def test_a_cancel_and_claims_beside_each_other(stage: Stage) -> None:
    for _ in range(10):
        alert_id, ids = await stage.sendable(12)

        async def cancel(alert_id: UUID = alert_id) -> datetime:
            async with stage.database.transaction(town=ALL_TOWNS) as tx:
                await stop_broadcast(
                    tx, alert_id=alert_id, version=1, reason="wrong", correction=None
                )
            return datetime.now(UTC)

        results = await asyncio.gather(
            *(stage.claim(*ids[n : n + 2]) for n in range(0, 6, 2)),
            cancel(),
            *(stage.claim(*ids[n : n + 2]) for n in range(6, 12, 2)),
        )
        claimed = [one for batch in results if isinstance(batch, list) for one in batch]
        stopped_at = (
            await stage.rows(
                "SELECT stopped_at FROM dispatcher_broadcast WHERE alert_id = :id", id=alert_id
            )
        )[0]["stopped_at"]
        assert all(one.started_at < stopped_at for one in claimed)
        assert await stage.claim(*ids) == []
        states = await stage.states(alert_id)
        assert states.get("sending", 0) == len(claimed)
        assert states.get("cancelled", 0) == 12 - len(claimed)

"""Contact cards and suppressions on a real database, whatever order they come in."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.dispatcher.contacts.lift import lift
from services.dispatcher.contacts.report_contact import report_contact
from services.dispatcher.contacts.suppress import suppress
from shared.bus.message import Message
from shared.bus.outbox import Outbox
from shared.clock import SystemClock
from shared.db.session import ALL_TOWNS
from shared.events.envelope import Poison
from tests.service.dispatcher.delivery.stage import Stage, message_of

PHONE = "+18605557001"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def erased(card: Message) -> Message:
    assert card.event is not None
    return message_of(card.event.model_copy(update={"erased": True, "card_sealed": None}))


async def phones(stage: Stage, who: UUID) -> list[str]:
    rows = await stage.rows(
        "SELECT address_sealed FROM dispatcher_contact WHERE subscriber_id = :id", id=who
    )
    return sorted(
        stage.sealer.unseal(row["address_sealed"], context="address").decode() for row in rows
    )


async def card_of(stage: Stage, who: UUID) -> dict[str, Any]:
    (row,) = await stage.rows("SELECT * FROM dispatcher_card WHERE subscriber_id = :id", id=who)
    return row


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
@pytest.mark.parametrize("together", [True, False])
async def test_the_newest_version_stands_in_every_order(
    stage: Stage, order: tuple[int, ...], together: bool
) -> None:
    who = uuid4()
    cards = [stage.card(who, ("sms", f"+1860555800{n}"), version=n) for n in order]
    for batch in [cards] if together else [[one] for one in cards]:
        await stage.keep(*batch)
    assert (await card_of(stage, who))["version"] == 3
    assert await phones(stage, who) == ["+18605558003"]


@pytest.mark.shows("R24")
@pytest.mark.parametrize("together", [True, False])
async def test_the_erased_never_come_back(stage: Stage, together: bool) -> None:
    who = uuid4()
    cards = [
        stage.card(who, ("sms", PHONE), version=1),
        erased(stage.card(who, version=2)),
        stage.card(who, ("sms", PHONE), version=1),
        stage.card(who, ("sms", PHONE), version=9),
    ]
    for batch in [cards] if together else [[one] for one in cards]:
        await stage.keep(*batch)
    row = await card_of(stage, who)
    assert (row["erased"], row["language"], row["opted_in_at"]) == (True, None, None)
    assert await phones(stage, who) == []


@pytest.mark.shows("R24")
async def test_a_null_record_forgets_also_whoever_was_never_met(stage: Stage) -> None:
    known, stranger = uuid4(), uuid4()
    await stage.keep(stage.card(known, ("sms", PHONE), version=4))
    await stage.keep(message_of(None, key=str(known)), message_of(None, key=str(stranger)))
    for who in (known, stranger):
        await stage.keep(stage.card(who, ("sms", PHONE), version=8))
        assert (await card_of(stage, who))["erased"] is True
        assert await phones(stage, who) == []


async def test_a_card_replaces_all_contact_points(stage: Stage) -> None:
    who = uuid4()
    await stage.keep(stage.card(who, ("sms", PHONE), ("email", "a@example.org"), version=1))
    await stage.keep(stage.card(who, ("email", "b@example.org"), version=2))
    assert await phones(stage, who) == ["b@example.org"]


@pytest.mark.shows("S14")
async def test_nothing_readable_is_stored(stage: Stage) -> None:
    who = uuid4()
    await stage.keep(stage.card(who, ("sms", "+18605557777")))
    rows = await stage.rows(
        "SELECT CAST(c AS text) AS line FROM dispatcher_contact AS c WHERE subscriber_id = :id",
        id=who,
    )
    assert "8605557777" not in rows[0]["line"]


async def test_a_card_that_does_not_open_is_poison(stage: Stage) -> None:
    who = uuid4()
    good = stage.card(who, version=1)
    assert good.event is not None
    moved = good.event.model_copy(update={"version": 2})
    with pytest.raises(Poison):
        await stage.keep(message_of(moved))
    with pytest.raises(Poison):
        await stage.keep(message_of(None, key="nobody"))


async def is_suppressed(stage: Stage, address: str) -> bool:
    rows = await stage.rows(
        """SELECT 1 FROM dispatcher_suppression
           WHERE address_hash = :hash AND lifted_at IS NULL""",
        hash=stage.hasher.hash(address).digest,
    )
    return bool(rows)


async def stop(stage: Stage, address: str, at: datetime) -> bool:
    hashed = stage.hasher.hash(address)
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        return await suppress(
            tx,
            channel="sms",
            address_hash=hashed.digest,
            hash_key_id=hashed.key_id,
            reason="opted_out",
            at=at,
        )


@pytest.mark.shows("R7", "S24")
async def test_only_a_later_opt_in_lifts_a_stop(stage: Stage) -> None:
    who, phone = uuid4(), "+18605557101"
    await stage.keep(stage.card(who, ("sms", phone), opted_in_at=NOON))
    assert await stop(stage, phone, NOON + timedelta(hours=1)) is True
    # The card changes for another reason: the STOP stands.
    await stage.keep(stage.card(who, ("sms", phone), version=2, opted_in_at=NOON, language="es-US"))
    assert await is_suppressed(stage, phone)
    await stage.keep(
        stage.card(who, ("sms", phone), version=3, opted_in_at=NOON + timedelta(hours=2))
    )
    assert not await is_suppressed(stage, phone)
    # A STOP that was on its way all the time is older than the new opt-in.
    assert await stop(stage, phone, NOON + timedelta(hours=1)) is False
    assert await stop(stage, phone, NOON + timedelta(hours=3)) is True


async def test_a_statutory_landline_lifts_nothing(stage: Stage) -> None:
    who, phone = uuid4(), "+18605557102"
    assert await stop(stage, phone, NOON)
    await stage.keep(
        stage.card(who, ("sms", phone), opted_in_at=NOON + timedelta(days=9), basis="statutory")
    )
    assert await is_suppressed(stage, phone)


async def test_lifting_needs_a_later_moment(stage: Stage) -> None:
    phone = "+18605557103"
    digest = stage.hasher.hash(phone).digest
    await stop(stage, phone, NOON)
    for moment, lifted in ((NOON, False), (NOON + timedelta(seconds=1), True)):
        async with stage.database.transaction(town=ALL_TOWNS) as tx:
            assert await lift(tx, channel="sms", address_hash=digest, at=moment) is lifted


@pytest.mark.shows("D10")
async def test_a_provider_s_stop_counts_here_and_is_told(stage: Stage) -> None:
    hashed = stage.hasher.hash("+18605557104")
    outbox = Outbox("dispatcher", signer=stage.ring.signer, clock=SystemClock())
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        await report_contact(
            tx,
            report_id=uuid4(),
            channel="sms",
            address_hash=hashed.digest,
            hash_key_id=hashed.key_id,
            reason="opted_out",
            code="21610",
            at=datetime.now(UTC),
            outbox=outbox,
        )
    assert await is_suppressed(stage, "+18605557104")
    rows = await stage.rows("SELECT value FROM dispatcher_outbox WHERE topic = 'contact.reported'")
    assert hashed.digest.hex() in bytes(rows[-1]["value"]).decode()

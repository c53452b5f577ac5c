"""Sends of unknown outcome, looked up at the real simulator: found, not there, cannot tell."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.dispatcher.delivery.states import Claimed
from services.dispatcher.delivery.wording.compose import Composer
from services.dispatcher.providers.base import Ambiguous, Message, Provider
from services.dispatcher.providers.choose import open_provider
from services.dispatcher.providers.sink import Sink
from services.dispatcher.receipts.look_up import LookUp
from services.dispatcher.settings import DispatcherSettings
from shared.bus.kafka.bus import Bus
from tests.fakes_provider import FakeProvider
from tests.service.dispatcher.receipts.room import Room, a_receipt, open_room
from tests.simulated import Running, a_message, simulating


@pytest.fixture
async def simulators(tmp_path: Path) -> AsyncIterator[Running]:
    async with simulating(tmp_path, public_url="http://127.0.0.1:9") as running:
        yield running


@pytest.fixture
async def room(database: Any, keyrings: Any, simulators: Running) -> AsyncIterator[Room]:
    given = {"twilio_base_url": simulators.url, "smtp_host": "127.0.0.1", "smtp_tls": "none",
             "smtp_port": simulators.smtp_port}  # fmt: skip
    async with open_room(database("dispatcher"), keyrings, Bus("127.0.0.1:1"), **given) as opened:
        yield opened


def look_up_of(room: Room, channel: str, provider: Provider) -> LookUp:
    composer = Composer(
        room.context.database, keyring=room.context.keyring, public_url="http://x", authority="CT"
    )

    async def compose(claimed: Claimed) -> Message:
        await composer.prepare([claimed])
        return composer.compose(claimed)

    return LookUp(
        channel=channel,
        database=room.context.database,
        provider=provider,
        compose=compose,
        sink=Sink(channel),
    )


@pytest.mark.parametrize("channel", ["sms", "voice"])
async def test_what_was_accepted_is_adopted_and_what_was_not_is_sent_again(
    simulators: Running, room: Room, channel: str
) -> None:
    provider = open_provider(channel, room.context.settings, reply_within_s=0.4)
    rows = []
    await simulators.rules(
        {"to": "+18605550001", "reply": {"mode": "accept_reset"}, "receipts": []},
        {"to": "+18605550002", "reply": {"mode": "hang"}},
    )
    for number in ("+18605550001", "+18605550002"):
        delivery_id = await room.a_delivery(
            channel=channel, state="unknown", due_s=0, address=number, attempts=1
        )
        rows.append(delivery_id)
        message = a_message(channel, number, delivery_id=delivery_id, body="Flood. Ref CT-1")
        with pytest.raises(Ambiguous):
            await provider.send(message)
    assert await look_up_of(room, channel, provider).look_up() == 2
    accepted, lost = [await room.delivery(one) for one in rows]
    (kept,) = await simulators.ledger(channel)
    assert (accepted["state"], accepted["sid"]) == ("accepted", kept["sid"])
    assert (lost["state"], lost["sid"]) == ("retry_wait", None)
    assert await look_up_of(room, channel, provider).look_up() == 0
    await provider.close()


@pytest.mark.shows("bad:W06")
async def test_a_message_that_answers_for_another_is_not_adopted(
    simulators: Running, room: Room
) -> None:
    provider = open_provider("sms", room.context.settings)
    number = "+18605550021"
    taken = await provider.send(a_message("sms", number, body="Flood. Ref CT-1"))
    other = await room.a_delivery(address=number, sid=taken.sid, rank=1)
    unsure = await room.a_delivery(address=number, state="unknown", due_s=0)
    await look_up_of(room, "sms", provider).look_up()
    assert (await room.delivery(unsure))["state"] == "retry_wait"
    assert (await room.delivery(other))["sid"] == taken.sid
    # Known only from a receipt, as when the outcome was never written.
    receipted = await provider.send(a_message("sms", number, body="Flood. Ref CT-1"))
    await room.settle(a_receipt(uuid4(), "sent", sid=receipted.sid))
    again = await room.a_delivery(address=number, state="unknown", due_s=0)
    await look_up_of(room, "sms", provider).look_up()
    assert (await room.delivery(again))["state"] == "retry_wait"
    await provider.close()


async def test_while_nobody_can_tell_nothing_is_sent_again(room: Room) -> None:
    settings = room.context.settings.model_copy(update={"twilio_base_url": "http://127.0.0.1:9"})
    assert isinstance(settings, DispatcherSettings)
    provider = open_provider("sms", settings)
    delivery_id = await room.a_delivery(state="unknown", due_s=0)
    await look_up_of(room, "sms", provider).look_up()
    assert (await room.delivery(delivery_id))["state"] == "unknown"
    await provider.close()


async def test_a_mail_is_sent_again_without_asking(room: Room) -> None:
    provider = open_provider("email", room.context.settings)
    delivery_id = await room.a_delivery(
        channel="email", state="unknown", due_s=0, address="ada@example.com"
    )
    await look_up_of(room, "email", provider).look_up()
    assert (await room.delivery(delivery_id))["state"] == "retry_wait"
    await provider.close()


@pytest.mark.shows("D6", "goal:G1")
async def test_a_call_of_a_later_alert_is_never_taken_for_an_earlier_one(
    simulators: Running, room: Room
) -> None:
    """The first was never taken, and the outcome of the second has not been written yet."""
    provider, number = open_provider("voice", room.context.settings), "+18605550031"
    first = await room.a_delivery(channel="voice", state="unknown", due_s=0, address=number)
    await room.run(
        """UPDATE dispatcher_attempt SET started_at = now() - interval '66 seconds'
           WHERE delivery_id = :id""",
        id=first,
    )
    await provider.send(a_message("voice", number, body="Flood."))
    await look_up_of(room, "voice", provider).look_up()
    row = await room.delivery(first)
    assert (row["state"], row["sid"]) == ("retry_wait", None)
    await provider.close()


async def test_a_look_up_that_stops_leaves_the_provider_to_those_who_send(room: Room) -> None:
    """A mail whose last dot has left is repeated if its connection is closed under it."""
    provider = FakeProvider("sms")
    stop = asyncio.Event()
    stop.set()
    await look_up_of(room, "sms", provider).run(stop)
    assert not provider.closed

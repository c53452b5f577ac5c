"""What residents text, press and click, on a real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from services.dispatcher.contacts.lift import lift
from shared.bus.kafka.bus import Bus
from tests.service.dispatcher.receipts.room import Room, open_room

TEXT = "/v1/inbound/twilio/sms"


@pytest.fixture
async def room(database: Any, keyrings: Any) -> AsyncIterator[Room]:
    async with open_room(database("dispatcher"), keyrings, Bus("127.0.0.1:1")) as opened:
        yield opened


def a_number() -> str:
    return f"+1860{uuid4().int % 10**7:07d}"


def a_text(number: str, body: str, sid: str | None = None) -> dict[str, str]:
    return {"MessageSid": sid or "SM" + uuid4().hex, "From": number, "To": "+18605550100",
            "Body": body}  # fmt: skip


async def suppressed(room: Room, number: str) -> list[str]:
    assert room.context.keyring.hasher is not None
    rows = await room.rows(
        """SELECT channel FROM dispatcher_suppression
           WHERE address_hash = :hash AND lifted_at IS NULL ORDER BY channel""",
        hash=room.context.keyring.hasher.hash(number).digest,
    )
    return [row["channel"] for row in rows]


@pytest.mark.shows("R7", "S24", "bad:W12")
@pytest.mark.parametrize("body", ["STOP", "🛑 Stop!", "please stop", "ALTO", "opt out"])
async def test_a_stop_holds_at_once_and_on_its_channel_only(room: Room, body: str) -> None:
    number = a_number()
    answer = await room.post(TEXT, a_text(number, body))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<Message>" not in answer.text
    assert await suppressed(room, number) == ["sms"]
    (*_, event) = await room.published("inbound.received")
    assert (event["suppressed"], event["kind"], event["channel"]) == (True, "text", "sms")
    assert room.context.keyring.sealer is not None
    body_again = room.context.keyring.sealer.unseal(
        event["body_sealed"], context=f"inbound:{event['inbound_id']}"
    )
    assert body_again.decode() == body


@pytest.mark.shows("R8", "R9", "bad:W13")
@pytest.mark.parametrize(
    "body", ["resume normal life", "START", "YES", "1", "HELP", "06510", "don't stop", ""]
)
async def test_everything_else_is_passed_on_and_stops_nothing(room: Room, body: str) -> None:
    number = a_number()
    before = len(await room.published("inbound.received"))
    assert (await room.post(TEXT, a_text(number, body))).status_code == 200
    assert await suppressed(room, number) == []
    (event,) = (await room.published("inbound.received"))[before:]
    assert not event["suppressed"]


@pytest.mark.shows("bad:W07")
async def test_a_text_twice_is_heard_once(room: Room) -> None:
    number, sid = a_number(), "SM" + uuid4().hex
    before = len(await room.published("inbound.received"))
    for _ in range(3):
        assert (await room.post(TEXT, a_text(number, "STOP", sid))).status_code == 200
    assert len(await room.published("inbound.received")) == before + 1


@pytest.mark.shows("S25")
async def test_a_forged_stop_silences_nobody(room: Room) -> None:
    number = a_number()
    answer = await room.post(TEXT, a_text(number, "STOP"), signature="forged")
    assert answer.status_code == 403
    assert await suppressed(room, number) == []


async def test_nine_leaves_and_one_confirms(room: Room) -> None:
    number, path = a_number(), f"/v1/inbound/twilio/voice/{uuid4()}"
    press = {"CallSid": "CA" + uuid4().hex, "To": number, "From": "+18605550101",
             "Direction": "outbound-api"}  # fmt: skip
    confirmed = await room.post(path, press | {"Digits": "1"})
    assert "<Say" in confirmed.text
    assert await suppressed(room, number) == []
    left = await room.post(path, press | {"Digits": "9"})
    assert left.status_code == 200
    assert "no more calls" in left.text
    assert await suppressed(room, number) == ["voice"]
    (*_, event) = await room.published("inbound.received")
    assert (event["kind"], event["channel"], event["suppressed"]) == ("key", "voice", True)
    nothing = await room.post(path, press)
    assert "<Hangup/>" in nothing.text


@pytest.mark.shows("bad:U26", "bad:U27")
async def test_one_click_leaves_and_a_scanner_s_visit_does_not(room: Room) -> None:
    address = f"{uuid4().hex}@example.com"
    delivery_id = await room.a_delivery(channel="email", address=address)
    assert room.context.keyring.links is not None
    token = room.context.keyring.links.make("unsubscribe", {"delivery": str(delivery_id)})
    path = f"/v1/inbound/email/unsubscribe/{token}"
    shown = await room.client.get(path)
    assert shown.status_code == 200
    assert await suppressed(room, address) == []
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        body = b"List-Unsubscribe=One-Click"
        clicked = await room.client.post(path, content=body, headers=form)
        assert clicked.status_code == 200, clicked.text
    assert await suppressed(room, address) == ["email"]
    hashed = room.context.keyring.hasher
    assert hashed is not None
    later = datetime.now(UTC) + timedelta(minutes=2)
    async with room.context.database.transaction() as tx:
        digest = hashed.hash(address).digest
        assert await lift(tx, channel="email", address_hash=digest, at=later)
    assert await suppressed(room, address) == []
    with time_machine.travel(later):
        assert (await room.client.post(path, content=body, headers=form)).status_code == 200
    assert await suppressed(room, address) == ["email"]
    forged = await room.client.post(path[:-3] + "AAA")
    assert forged.status_code == 410
    stranger = room.context.keyring.links.make("unsubscribe", {"delivery": str(uuid4())})
    gone = await room.client.post(f"/v1/inbound/email/unsubscribe/{stranger}")
    assert gone.status_code == 410

"""Webhooks on the way in: who signed them, what they hold, what comes of a broken bus."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import TopicPartition

from services.dispatcher.receipts.consumers import consumers
from shared.bus.kafka.bus import Bus
from shared.events.envelope import decode
from shared.events.receipt import ReceiptReceived
from shared.events.topics import RECEIPT_RECEIVED
from simulators.signature import sign_request
from tests.fakes_provider import FakeProvider
from tests.service.dispatcher.receipts.room import PUBLIC_URL, Room, open_room
from tests.simulated import ACCOUNT, TOKEN

OLD_TOKEN = "00112233445566778899aabbccddeeff"


@pytest.fixture
async def room(database: Any, keyrings: Any, bus: Bus) -> AsyncIterator[Room]:
    async with open_room(database("dispatcher"), keyrings, bus) as opened:
        yield opened


@pytest.fixture
async def cut_off(database: Any, keyrings: Any) -> AsyncIterator[Room]:
    async with open_room(database("dispatcher"), keyrings, Bus("127.0.0.1:9")) as opened:
        yield opened


def path(delivery_id: UUID | None = None, channel: str = "sms", epoch: str = "1") -> str:
    return f"/v1/receipts/twilio/{channel}/{delivery_id or uuid4()}?epoch={epoch}"


def text(status: str = "delivered", **more: str) -> dict[str, str]:
    return {"MessageSid": "SM" + uuid4().hex, "MessageStatus": status, "To": "+18605551234",
            "From": "+18605550100"} | more  # fmt: skip


async def received(room: Room) -> list[ReceiptReceived]:
    """Return every receipt on the bus."""
    events: list[ReceiptReceived] = []
    bus = room.context.bus
    ends = await bus.end_offsets(RECEIPT_RECEIVED)
    consumer = bus.consumer()
    await consumer.start()
    try:
        name = bus.topic_name(RECEIPT_RECEIVED)
        places = [TopicPartition(name, partition) for partition in ends]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while len(events) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    _, event = decode(RECEIPT_RECEIVED, record.value, room.context.keyring.verifier)
                    assert isinstance(event, ReceiptReceived)
                    events.append(event)
    finally:
        await consumer.stop()
    return events


@pytest.mark.shows("S25")
async def test_a_signed_receipt_is_on_the_bus_before_it_is_answered(room: Room) -> None:
    delivery_id = uuid4()
    params = text("undelivered", ErrorCode="30005")
    answer = await room.post(path(delivery_id, epoch="4"), params)
    assert (answer.status_code, answer.content) == (204, b"")
    call = {"CallSid": "CA1", "CallStatus": "completed", "AnsweredBy": "machine_end_beep"}
    assert (await room.post(path(delivery_id, "voice"), call)).status_code == 204
    events = sorted(await received(room), key=lambda one: one.channel)
    assert [(one.delivery_id, one.channel, one.status, one.epoch) for one in events] == [
        (delivery_id, "sms", "undelivered", 4), (delivery_id, "voice", "completed", 1),
    ]  # fmt: skip
    assert (events[0].sid, events[0].error_code) == (params["MessageSid"], "30005")
    assert events[1].answered_by == "machine_end_beep"
    assert "+1860" not in "".join(one.model_dump_json() for one in events)


@pytest.mark.shows("S25", "bad:W01", "bad:W02")
async def test_what_is_not_signed_for_us_has_no_effect(room: Room) -> None:
    where, params = path(), text()
    whole = {"AccountSid": ACCOUNT, **params}
    good = sign_request(TOKEN, PUBLIC_URL + where, whole)
    other = "AC" + "9" * 32
    refused = [
        await room.post(where, params, signature=""),
        await room.post(where, params, signature="not base64"),
        await room.post(where, params, signature=good.swapcase()),
        await room.post(where, params, token=OLD_TOKEN),
        await room.post(where, params, base=PUBLIC_URL.replace("https", "http")),
        await room.post(where, params, base="https://elsewhere.example"),
        await room.post(path(), params, signature=good),
        await room.post(where, params | {"Extra": "1"}, signature=good),
        await room.post(where, params, account=other),
        await room.post(where + "&more=1", params, signature=good),
        await room.post(where, [*params.items(), ("MessageStatus", "sent")], signature=good),
    ]
    for answer in refused:
        assert answer.status_code == 403, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert await received(room) == []


@pytest.mark.shows("bad:W03", "bad:W10", "bad:W11")
async def test_what_cannot_be_read_is_refused(room: Room) -> None:
    where, params = path(), text()
    json = await room.post(where, params, headers={"Content-Type": "application/json"})
    assert (json.status_code, json.headers["accept"]) == (415, "application/x-www-form-urlencoded")
    assert (await room.post(where, params, content=b"a=b&" * 250_000)).status_code == 413
    many = {f"P{n}": "" for n in range(300)}
    assert (await room.post(where, many)).status_code == 400
    assert (await room.post(where, params, content=b"\xff\xfe=1")).status_code == 400
    # Properly signed, and still saying two things at once.
    twice = [*params.items(), ("MessageStatus", "sent")]
    pairs = [("AccountSid", ACCOUNT), *twice]
    made = PUBLIC_URL + where + "".join(n + v for n, v in sorted(set(pairs)))
    signature = base64.b64encode(hmac.new(TOKEN.encode(), made.encode(), hashlib.sha1).digest())
    answer = await room.post(where, twice, signature=signature.decode())
    assert answer.status_code == 400
    hashed = where + "&bodySHA256=" + "0" * 64
    assert (await room.post(hashed, params)).status_code == 403
    for one in (json, answer):
        assert one.headers["content-type"] == "application/problem+json"
    assert await received(room) == []


@pytest.mark.shows("bad:W04", "bad:W05", "bad:W09")
async def test_what_the_provider_would_only_repeat_is_taken(room: Room) -> None:
    huge = await room.post(path(), text("never-heard-of-this", ErrorCode="9" * 500))
    nameless = await room.post("/v1/receipts/twilio/sms/not-an-id?epoch=1", text())
    empty = await room.post(path(), {"To": "+18605551234"})
    odd = await room.post(path(epoch="99999999999999999999"), text())
    assert [one.status_code for one in (huge, nameless, empty, odd)] == [204] * 4
    assert len(await received(room)) == 2
    assert (await room.post(path(channel="fax"), text())).status_code == 404


@pytest.mark.shows("bad:W16")
async def test_without_a_bus_the_provider_is_asked_to_come_again(cut_off: Room) -> None:
    answer = await cut_off.post(path(), text())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"


async def test_get_changes_nothing(room: Room) -> None:
    answer = await room.client.get(path())
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_from_the_callback_to_the_row(room: Room) -> None:
    (settling,) = consumers(room.context, "settle")
    delivery_id = await room.a_delivery(state="sending", attempts=0)
    stop = asyncio.Event()
    working = asyncio.create_task(settling.run(stop))
    params = text("sent")
    for status in ("sent", "delivered"):
        answer = await room.post(path(delivery_id), params | {"MessageStatus": status})
        assert answer.status_code == 204
    row = await room.until(delivery_id, "delivered")
    stop.set()
    await working
    assert (row["sid"], row["provider"]) == (params["MessageSid"], "twilio")


async def test_each_channel_s_role_looks_up(room: Room) -> None:
    for channel in ("sms", "voice"):
        (part,) = consumers(room.context, channel, FakeProvider(channel))
        stop = asyncio.Event()
        stop.set()
        await part.run(stop)
    assert consumers(room.context, "fanout") == []

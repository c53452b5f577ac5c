"""Bad records among good ones on a real broker: put aside with a reason, nobody held up."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from shared.bus.dead_letters import read_dead_letters
from shared.bus.errors import BusError, BusUnavailable, NotYet
from shared.bus.kafka import Bus
from shared.bus.message import Message
from shared.bus.worker import Worker
from shared.events.alert import AlertEnded
from shared.events.topics import ALERT_ENDED, dead
from shared.security.signing import Verifier
from tests.contract.bus.conftest import Desk, delivery, running, sealed
from tests.contract.bus.raw_records import QUICK, SMS, committed, good_record, send_raw
from tests.waiting import until

NUMBER = "+12035550123"


def _changed(n: int, **fields: Any) -> bytes:
    record = orjson.loads(sealed(delivery(n)).value or b"")
    data = fields.pop("data", {})
    record |= fields
    record["data"] |= data
    return orjson.dumps(record)


def _key(n: int) -> bytes:
    return sealed(delivery(n)).key


def _poison() -> dict[str, tuple[bytes, bytes | None, int]]:
    """Each bad record by the reason it is put aside for, as `reason/number`."""
    without = orjson.loads(sealed(delivery(1)).value or b"")
    del without["data"]["delivery_id"]
    good = _changed(1)
    return {
        "empty-value/K01": (_key(1), b"", 0),
        "empty-value/K01 null": (_key(1), None, 0),
        "not-json/K02": (_key(1), b"call " + NUMBER.encode(), 0),
        "not-json/K03": (_key(1), b'{"id": "\xff\xfe"}', 0),
        "not-json/K03 mark": (_key(1), b"\xef\xbb\xbf" + good, 0),
        "unknown-major-version/K04": (_key(1), _changed(1, version="2.0"), 0),
        "malformed-event/K05": (_key(1), orjson.dumps(without), 0),
        "malformed-event/K07": (_key(1), _changed(1, data={"delivery_id": 2**63}), 0),
        "not-json/K07 NaN": (_key(1), good.replace(b'"sms"', b"NaN"), 0),
        "malformed-event/K07 huge": (_key(1), good.replace(b'"sms"', str(2**70).encode()), 0),
        "key-of-another-body/K12": (NUMBER.encode(), good, 0),
        "malformed-event/K17": (_key(1), _changed(1, occurred_at="1970-01-01T00:00:00Z"), 0),
        "malformed-event/K17 late": (_key(1), _changed(1, occurred_at="9999-12-31T00:00:00Z"), 0),
        "too-many-headers/K18": (_key(1), good, 1_000),
        "event-of-another-topic/wrong channel": (
            _key(1),
            _changed(1, data={"channel": "voice"}),
            0,
        ),
        "not-an-object/list": (_key(1), b"[]", 0),
    }


@pytest.mark.shows(
    "F15", "bad:K01", "bad:K02", "bad:K03", "bad:K04", "bad:K05", "bad:K07", "bad:K12",
    "bad:K17", "bad:K18",
)  # fmt: skip
async def test_poison_is_put_aside_with_its_reason_and_the_good_go_on(bus: Bus) -> None:
    poison = _poison()
    mixed: list[tuple[bytes, bytes | None, int]] = []
    for n, bad in enumerate(poison.values()):
        mixed += [good_record(100 + n), bad]
    await send_raw(bus, SMS, [*mixed, good_record(999)])
    desk = Desk()
    worker = Worker(name="test", bus=bus, group="sms", handlers={SMS: desk}, patience=QUICK)
    async with running(worker):
        await desk.until(lambda one: len(one.seen) == len(poison) + 1)
        await until(lambda: committed(bus, len(mixed) + 1))
    letters = await read_dead_letters(bus, SMS)
    assert [letter.reason for letter in letters] == [name.split("/")[0] for name in poison]
    assert [letter.offset for letter in letters] == list(range(1, len(mixed), 2))
    written = orjson.dumps([letter.model_dump(mode="json") for letter in letters])
    assert NUMBER.encode() not in written
    assert NUMBER[1:].encode() not in written


@pytest.mark.shows("bad:K06", "bad:K13")
async def test_unknown_fields_and_repeated_ids_reach_the_handler(bus: Bus) -> None:
    newer = _changed(1, version="1.7", more={"a": 1}, data={"colour": "red"})
    await send_raw(bus, SMS, [(_key(1), newer, 0), (_key(1), newer, 0)])
    desk = Desk()
    async with running(Worker(name="test", bus=bus, group="sms", handlers={SMS: desk})):
        await desk.until(lambda one: len(one.seen) == 2)
    assert len({one.envelope.id for one in desk.seen if one.envelope}) == 1


@pytest.mark.shows("bad:K20")
async def test_a_record_that_raises_five_times_is_put_aside_alone(bus: Bus) -> None:
    await send_raw(bus, SMS, [good_record(n) for n in range(1, 21)])
    bad = uuid.UUID(int=7)
    tries: list[int] = []

    def fails(messages: Sequence[Message]) -> Exception | None:
        if not any(one.event.delivery_id == bad for one in messages):  # type: ignore[union-attr]
            return None
        tries.append(len(messages))
        return ValueError(f"no such number {NUMBER}")

    desk = Desk(fails=fails)
    worker = Worker(name="test", bus=bus, group="sms", handlers={SMS: desk}, patience=QUICK)
    async with running(worker):
        await desk.until(lambda one: len(one.seen) == 19)
        await until(lambda: committed(bus, 20))
    assert tries.count(1) == 5
    (letter,) = await read_dead_letters(bus, SMS)
    assert (letter.reason, letter.detail, letter.attempts) == ("handler-raised", "ValueError", 5)


@pytest.mark.shows("bad:K09")
async def test_what_has_not_come_yet_is_waited_for_three_times(bus: Bus) -> None:
    await send_raw(bus, SMS, [good_record(1), good_record(2)])
    never, soon = uuid.UUID(int=1), uuid.UUID(int=2)
    waited = {never: 0, soon: 0}

    def fails(messages: Sequence[Message]) -> Exception | None:
        for one in messages:
            delivery_id = one.event.delivery_id  # type: ignore[union-attr]
            waited[delivery_id] += 1
            if delivery_id == never or waited[soon] < 3:
                return NotYet("no such alert")
        return None

    desk = Desk(fails=fails)
    worker = Worker(name="test", bus=bus, group="sms", handlers={SMS: desk}, patience=QUICK)
    async with running(worker):
        await desk.until(lambda one: len(one.seen) == 1)
        await until(lambda: committed(bus, 2))
    # Written again where the answer to its commit was lost: the same record, at least once.
    letters = await read_dead_letters(bus, SMS)
    assert {(one.offset, one.reason) for one in letters} == {(0, "not-yet-for-too-long")}


@pytest.mark.shows("bad:K22")
async def test_a_dead_letter_that_cannot_be_written_stops_the_worker(bus: Bus) -> None:
    pages: list[str] = []

    async def page(reason: str) -> None:
        pages.append(reason)

    await send_raw(bus, SMS, [(_key(1), b"poison", 0), good_record(2)])
    await bus.delete_topics([dead(SMS)])

    async def gone() -> bool:
        with suppress(BusError):
            await bus.partitions(dead(SMS))
            bus._known.clear()
            return False
        return True

    await until(gone)
    desk = Desk()
    worker = Worker(
        name="test", bus=bus, group="sms", handlers={SMS: desk}, patience=QUICK, on_page=page
    )
    bus.timeout_s = 1.0
    async with asyncio.timeout(40):
        with pytest.raises(BusUnavailable):
            await worker.run(asyncio.Event())
    assert (await bus.committed(SMS, "sms")).get(0, 0) == 0
    assert any("no dead letter" in one for one in pages)


def _ended(version: int) -> AlertEnded:
    return AlertEnded(
        alert_id=uuid.UUID(int=5), version=version, reason="cancelled", ended_at=datetime.now(UTC)
    )


@pytest.mark.shows("bad:K11")
async def test_unsigned_and_forged_alerts_are_put_aside_and_page(
    bus: Bus, verifier: Verifier
) -> None:
    pages: list[str] = []

    async def page(reason: str) -> None:
        pages.append(reason)

    good = sealed(_ended(1))
    unsigned = orjson.loads(good.value or b"") | {"signature": None}
    forged = orjson.loads(good.value or b"")
    forged["data"]["version"] = 9
    alien = sealed(_ended(3), producer="geofence").value
    records = [orjson.dumps(unsigned), orjson.dumps(forged), alien, good.value]
    await send_raw(bus, ALERT_ENDED, [(good.key, value, 0) for value in records])
    desk = Desk()
    worker = Worker(
        name="test", bus=bus, group="geofence", handlers={ALERT_ENDED: desk}, verifier=verifier,
        on_page=page, patience=QUICK,
    )  # fmt: skip
    async with running(worker):
        await desk.until(lambda one: len(one.seen) == 1)

        async def paged() -> bool:
            return len(pages) == 3

        await until(paged)
    reasons = [letter.reason for letter in await read_dead_letters(bus, ALERT_ENDED)]
    assert reasons == ["signature-missing", "signature-invalid", "signature-of-another-service"]
    assert [one.event.version for one in desk.seen] == [1]  # type: ignore[union-attr]


@pytest.mark.shows("bad:K04")
async def test_a_newer_major_version_on_an_alert_topic_holds_the_partition(
    bus: Bus, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    paged = asyncio.Event()

    async def page(reason: str) -> None:
        assert "unknown major version" in reason
        paged.set()

    before, after = sealed(_ended(1)), sealed(_ended(3))
    with monkeypatch.context() as newer:
        newer.setattr(AlertEnded, "VERSION", "2.0")
        from_the_future = sealed(_ended(2))
    records = [(one.key, one.value, 0) for one in (before, from_the_future, after)]
    await send_raw(bus, ALERT_ENDED, records)
    desk = Desk()
    worker = Worker(
        name="test", bus=bus, group="geofence", handlers={ALERT_ENDED: desk}, verifier=verifier,
        on_page=page, stall_s=0.5,
    )  # fmt: skip
    async with running(worker) as (task,):
        async with asyncio.timeout(30):
            await paged.wait()

        async def held() -> bool:
            return (await bus.committed(ALERT_ENDED, "geofence")).get(0) == 1

        await until(held)
        assert not task.done()
    assert [one.event.version for one in desk.seen] == [1]  # type: ignore[union-attr]
    assert await read_dead_letters(bus, ALERT_ENDED) == []

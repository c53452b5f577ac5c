"""What was put aside is replayed from where it points; a null on a roster is no dead letter."""

from collections.abc import Sequence

import pytest

from shared.bus.dead_letters import read_dead_letters, replay_dead_letters
from shared.bus.errors import BusError
from shared.bus.kafka import Bus
from shared.bus.message import Message
from shared.bus.worker import Worker
from shared.events.topics import PLACE_CHANGED
from tests.contract.bus.conftest import Desk, running
from tests.contract.bus.raw_records import QUICK, SMS, committed, good_record, send_raw
from tests.waiting import until


@pytest.mark.shows("bad:K01")
async def test_null_on_a_roster_means_forget(bus: Bus) -> None:
    await send_raw(bus, PLACE_CHANGED, [(b"somebody", None, 0)])
    desk = Desk()
    async with running(Worker(name="test", bus=bus, group="g", handlers={PLACE_CHANGED: desk})):
        await desk.until(lambda one: len(one.seen) == 1)
    assert desk.seen[0].event is None
    assert desk.seen[0].key == b"somebody"


@pytest.mark.shows("F15")
async def test_dead_letters_are_replayed_from_where_they_point(bus: Bus) -> None:
    await send_raw(bus, SMS, [good_record(n) for n in range(1, 6)])
    broken = True

    def fails(messages: Sequence[Message]) -> Exception | None:
        return ValueError("a fault of ours") if broken else None

    desk = Desk(fails=fails)
    worker = Worker(name="test", bus=bus, group="sms", handlers={SMS: desk}, patience=QUICK)
    async with running(worker):
        await until(lambda: committed(bus, 5))
        letters = await read_dead_letters(bus, SMS)
        assert len(letters) == 5
        broken = False
        assert await replay_dead_letters(bus, SMS, letters) == 5
        await desk.until(lambda one: len(one.seen) == 5)
    with pytest.raises(BusError):
        await replay_dead_letters(bus, PLACE_CHANGED, [])

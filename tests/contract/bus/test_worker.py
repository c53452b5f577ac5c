"""The worker on a real broker: at least once, in order, committed only after the handler."""

import asyncio
import uuid
from collections.abc import Sequence

import pytest

from shared.bus.errors import Stalled
from shared.bus.kafka import Bus
from shared.bus.lane import Patience
from shared.bus.message import Message
from shared.bus.worker import Worker
from shared.events.topics import RECEIPT_RECEIVED, delivery_topic
from tests.contract.bus.conftest import Desk, delivery, receipt, running, sealed
from tests.waiting import until

SMS = delivery_topic("sms", "urgent")
QUICK = Patience(raise_wait_s=0.001, not_yet_wait_s=0.01, transient_wait_s=0.01)


def _worker(bus: Bus, desk: Desk, **settings: object) -> Worker:
    given: dict[str, object] = {"name": "test", "group": "sms", "patience": QUICK} | settings
    return Worker(bus=bus, handlers={SMS: desk}, **given)  # type: ignore[arg-type]


async def _send(bus: Bus, count: int, *, start: int = 0) -> None:
    async with bus.producer() as producer:
        await producer.send_many([sealed(delivery(n)) for n in range(start, start + count)])


def _offsets(messages: Sequence[Message], partition: int) -> list[int]:
    return [one.offset for one in messages if one.partition == partition]


async def _all_committed(bus: Bus) -> bool:
    return await bus.committed(SMS, "sms") == await bus.end_offsets(SMS)


async def test_every_record_is_handled_in_the_order_of_its_partition(bus: Bus) -> None:
    await _send(bus, 3_000)
    desk = Desk()
    async with running(_worker(bus, desk, max_batch=100)):
        await desk.until(lambda one: len(one.seen) >= 3_000)
        await until(lambda: _all_committed(bus))
    for partition in (0, 1):
        offsets = _offsets(desk.seen, partition)
        assert offsets == sorted(set(offsets))
    assert len(desk.seen) == 3_000
    assert max(desk.calls) <= 100


async def test_nothing_is_committed_before_the_handler_has_returned(bus: Bus) -> None:
    await _send(bus, 10)
    desk, gate = Desk(), asyncio.Event()

    async def slow(messages: Sequence[Message]) -> None:
        await desk(messages)
        await gate.wait()

    worker = _worker(bus, desk)
    worker._handlers[SMS] = slow
    async with running(worker):
        await desk.until(lambda one: len(one.seen) == 10)
        # Its own commit of the start is on the broker; what is in the handler's hands is not.
        await until(lambda: _started(bus))
        assert set((await bus.committed(SMS, "sms")).values()) <= {0}
        gate.set()
        await until(lambda: _all_committed(bus))


async def _started(bus: Bus) -> bool:
    return (await bus.lag(SMS, "sms")) == 10


async def test_what_is_under_way_at_the_stop_is_finished_and_committed(bus: Bus) -> None:
    await _send(bus, 50)
    desk, gate = Desk(), asyncio.Event()

    async def slow(messages: Sequence[Message]) -> None:
        await desk(messages)
        await gate.wait()

    worker = _worker(bus, desk)
    worker._handlers[SMS] = slow
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    await desk.until(lambda one: len(one.seen) == 50)
    stop.set()
    gate.set()
    async with asyncio.timeout(20):
        await task
    assert await _all_committed(bus)


@pytest.mark.shows("F13")
async def test_members_come_and_go_and_nothing_is_lost(bus: Bus) -> None:
    first, second = Desk(), Desk()
    stayer, guest = _worker(bus, first), _worker(bus, second)
    async with running(stayer):
        await stayer.wait_ready()
        await _send(bus, 500)
        async with running(guest):
            await guest.wait_ready()
            await _send(bus, 500, start=500)
            await second.until(lambda one: bool(one.seen))
        await _send(bus, 500, start=1_000)

        async def everything() -> bool:
            seen = {one.event.delivery_id for one in first.seen + second.seen}  # type: ignore[union-attr]
            return len(seen) == 1_500

        await until(everything)


async def test_partitions_are_worked_side_by_side(bus: Bus) -> None:
    await _send(bus, 200)
    both = asyncio.Barrier(2)

    async def meets(messages: Sequence[Message]) -> None:
        if not met.is_set():
            await both.wait()
            met.set()

    met = asyncio.Event()
    worker = Worker(name="test", bus=bus, group="sms", handlers={SMS: meets})
    async with running(worker), asyncio.timeout(30):
        await met.wait()


async def test_a_lane_with_enough_takes_no_more(bus: Bus) -> None:
    await _send(bus, 6_000)
    gate, begun = asyncio.Event(), asyncio.Event()
    handled: list[int] = []

    async def slow(messages: Sequence[Message]) -> None:
        begun.set()
        await gate.wait()
        handled.append(len(messages))

    worker = Worker(name="test", bus=bus, group="sms", handlers={SMS: slow}, max_batch=50)
    async with running(worker):
        await begun.wait()

        async def paused() -> bool:
            return len(worker._paused) == 2

        await until(paused)
        assert all(lane.waiting <= 50 * 2 + 50 * 4 for lane in worker._lanes.values())
        gate.set()

        async def done() -> bool:
            return sum(handled) == 6_000

        await until(done)


@pytest.mark.shows("bad:K21")
async def test_a_passing_error_waits_and_is_no_dead_letter(bus: Bus) -> None:
    await _send(bus, 5)
    down = 12

    def fails(_: Sequence[Message]) -> Exception | None:
        nonlocal down
        down -= 1
        return ConnectionError("the database is away") if down > 0 else None

    desk = Desk(fails=fails)
    async with running(_worker(bus, desk)):
        await desk.until(lambda one: len(one.seen) == 5)
    assert len(desk.calls) > 12


@pytest.mark.shows("F14")
async def test_records_that_wait_while_nothing_moves_end_the_process(bus: Bus) -> None:
    await _send(bus, 5)
    hangs = asyncio.Event()

    async def never(_: Sequence[Message]) -> None:
        await hangs.wait()

    worker = Worker(
        name="test", bus=bus, group="sms", handlers={SMS: never}, stall_s=1.0, drain_s=0.1
    )
    async with asyncio.timeout(30):
        with pytest.raises(Stalled):
            await worker.run(asyncio.Event())


async def test_an_idle_worker_never_stalls_and_a_trickle_is_handled(bus: Bus) -> None:
    desk = Desk()
    async with running(_worker(bus, desk, stall_s=2.0)) as (task,):
        for n in range(3):
            await _send(bus, 1, start=n)
            await desk.until(lambda one, n=n: len(one.seen) == n + 1)  # type: ignore[misc]
        assert not task.done()


async def test_a_member_that_dies_without_a_word_loses_nothing(bus: Bus) -> None:
    await _send(bus, 100)
    desk = Desk()
    first = asyncio.create_task(_worker(bus, desk).run(asyncio.Event()))
    await desk.until(lambda one: bool(one.seen))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    again = Desk()
    async with running(_worker(bus, again)):
        await _send(bus, 1, start=1_000)
        last = uuid.UUID(int=1_000)
        await again.until(
            lambda one: any(m.event.delivery_id == last for m in one.seen)  # type: ignore[union-attr]
        )
    seen = {m.event.delivery_id for m in desk.seen + again.seen}  # type: ignore[union-attr]
    assert len(seen) == 101


@pytest.mark.shows("F16")
async def test_a_topic_made_again_pages_and_is_read_from_its_start(bus: Bus) -> None:
    pages: list[str] = []

    async def page(reason: str) -> None:
        pages.append(reason)

    await _send(bus, 40)
    desk = Desk()
    async with running(_worker(bus, desk)):
        await desk.until(lambda one: len(one.seen) == 40)
        await until(lambda: _all_committed(bus))
    await bus.delete_topics([SMS])

    async def made() -> bool:
        try:
            await bus.create_topics([SMS])
            return set((await bus.end_offsets(SMS)).values()) == {0}
        except Exception:
            return False

    await until(made)
    await _send(bus, 3)
    again = Desk()
    async with running(_worker(bus, again, on_page=page)):
        await again.until(lambda one: len(one.seen) >= 3)
    assert any("out of range" in one for one in pages) or len(again.seen) == 3


async def test_two_topics_of_one_worker_have_each_their_handler(bus: Bus) -> None:
    deliveries, receipts = Desk(), Desk()
    async with bus.producer() as producer:
        await producer.send_many([sealed(delivery(1)), sealed(receipt(1))])
    worker = Worker(
        name="test",
        bus=bus,
        group="both",
        handlers={SMS: deliveries, RECEIPT_RECEIVED: receipts},
    )
    async with running(worker):
        await deliveries.until(lambda one: len(one.seen) == 1)
        await receipts.until(lambda one: len(one.seen) == 1)

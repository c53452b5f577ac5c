"""One row that nobody can work off holds up nothing else, and a slow lane is not a dead one."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from services.dispatcher.delivery import deliver as deliver_module
from services.dispatcher.delivery.states import Claimed, DeliveryState, Outcome
from services.dispatcher.delivery.wording.compose import Composer, Unspeakable
from services.dispatcher.providers.base import Accepted, Message
from services.dispatcher.providers.twilio_client import sid_of
from services.dispatcher.receipts.look_up import LookUp
from shared.bus.errors import BusUnavailable
from shared.events.delivery import DeliveryRequested
from tests.fakes_provider import FakeProvider
from tests.service.dispatcher.delivery.stage import Stage, message_of, open_stage


@pytest.fixture
async def stage(fresh_database: Any, keyrings: Any) -> AsyncIterator[Stage]:
    async with open_stage(fresh_database("dispatcher"), keyrings) as opened:
        yield opened


def asked(*ids: UUID, priority: Any = "urgent") -> list[Any]:
    """Make the records that ask for deliveries."""
    return [
        message_of(
            DeliveryRequested(
                delivery_id=one, channel="sms", priority=priority, address_hash="ab" * 32
            )
        )
        for one in ids
    ]


class Garbled(FakeProvider):
    """Answers one delivery with an id that no database takes, and cannot be asked about another."""

    def __init__(self, *, garbled: UUID) -> None:
        super().__init__()
        self._garbled = garbled

    async def send(self, message: Message) -> Accepted:
        """Accept a message, one of them under a useless id."""
        accepted = await super().send(message)
        return Accepted("SID\x00", "queued") if message.delivery_id == self._garbled else accepted

    async def look_up(
        self, message: Message, *, since: datetime, taken: Collection[str] = ()
    ) -> Accepted | None:
        """Fail over one message, find the others."""
        if message.delivery_id == self._garbled:
            raise KeyError("a reply nobody has seen before")
        return Accepted(f"SID-{message.delivery_id}", "queued")


async def test_an_outcome_nobody_can_write_holds_up_no_other(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(5)
    provider = Garbled(garbled=ids[2])
    async with stage.deliverer(provider, slots=5) as worker:
        await worker.handle(asked(*ids), priority="urgent")
        await asyncio.wait_for(stage.paged.wait(), 10)
    assert await stage.states(alert_id) == {"accepted": 4, "sending": 1}
    assert (await stage.delivery(ids[2]))["state"] == "sending"  # its lease ends: looked up


async def test_a_look_up_nobody_foresaw_holds_up_no_other(stage: Stage) -> None:
    alert_id, ids = await stage.sendable(3)
    await stage.claim(*ids)
    await stage.run(
        "UPDATE dispatcher_delivery SET state = 'unknown', lease_until = NULL, due_at = now()"
    )
    composer = Composer(stage.database, keyring=stage.ring, public_url="http://x", authority="CT")

    async def compose(claimed: Claimed) -> Message:
        await composer.prepare([claimed])
        return composer.compose(claimed)

    provider = Garbled(garbled=ids[0])
    looking = LookUp(
        channel="sms", database=stage.database, provider=provider, compose=compose, sink=provider
    )
    assert await looking.look_up() == 3
    assert await stage.states(alert_id) == {"accepted": 2, "unknown": 1}


async def test_a_notice_that_is_no_notice_is_refused_and_not_raised(stage: Stage) -> None:
    _, (one,) = await stage.sendable(1)
    (claimed,) = await stage.claim(one)
    sealed = stage.sealer.seal(b"[not json", context=f"notice:{claimed.alert_id}")
    composer = Composer(stage.database, keyring=stage.ring, public_url="http://x", authority="CT")
    values = {name: getattr(claimed, name) for name in Claimed.__slots__}
    broken = Claimed(**values | {"kind": "notice", "template": "help", "values_sealed": sealed})
    with pytest.raises(Unspeakable):
        composer.compose(broken)


@pytest.mark.parametrize("sid", ["SM\x00", "", "S" * 200, "SM\ud800", "SM 1", None, 7])
def test_an_id_that_is_none_is_no_acceptance(sid: object) -> None:
    class Reply:
        status = "queued"

        def __init__(self) -> None:
            self.sid = sid

    with pytest.raises(Exception, match="no-sid"):
        sid_of(Reply())


async def test_a_lane_that_waits_for_a_slot_says_so_before_it_is_taken_for_dead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routine waits behind urgent for longer than the watchdog allows a silent lane."""
    alert_id, (urgent, routine) = await stage.sendable(2)
    provider = FakeProvider()
    provider.gate.clear()
    monkeypatch.setattr(deliver_module, "TURN_S", 0.1)
    async with stage.deliverer(provider, slots=1) as worker:
        await worker.handle(asked(urgent), priority="urgent")
        with pytest.raises(BusUnavailable):
            await asyncio.wait_for(
                worker.handle(asked(routine, priority="routine"), priority="routine"), 5
            )
        assert (await stage.delivery(routine))["state"] == "pending"
        provider.gate.set()
        await worker.handle(asked(routine, priority="routine"), priority="routine")
    assert await stage.states(alert_id) == {"accepted": 2}


async def test_an_outcome_that_waits_for_the_database_loses_no_one_of_its_batch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_id, ids = await stage.sendable(4)
    real, failures = deliver_module.store.record_outcomes, [ConnectionError(), ConnectionError()]

    async def flaky(tx: Any, outcomes: list[Outcome]) -> int:
        if failures:
            raise failures.pop()
        return await real(tx, outcomes)

    monkeypatch.setattr(deliver_module.store, "record_outcomes", flaky)
    async with stage.deliverer(FakeProvider(), slots=4) as worker:
        await worker.handle(asked(*ids), priority="urgent")
        await asyncio.wait_for(_written(stage, alert_id), 10)
    assert await stage.states(alert_id) == {DeliveryState.ACCEPTED: 4}


async def _written(stage: Stage, alert_id: UUID) -> None:
    while await stage.states(alert_id) != {"accepted": 4}:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)

"""An exercise reaches no provider: whatever asks for it, on whatever topic, the ledger is empty."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import services.dispatcher.service as dispatcher
from services.dispatcher.settings import CHANNELS, DispatcherSettings
from shared.bus.kafka.bus import Bus
from shared.events.base import Priority
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import encode
from tests.conftest import KeyRings
from tests.servers import ServiceDatabase
from tests.service.dispatcher.delivery.stage import Stage, open_stage
from tests.service.geofence.parts import eventually, running
from tests.simulated import ACCOUNT, MAIL_FROM, SMS_FROM, TOKEN, VOICE_FROM, Running, simulating

ADDRESSES = {"sms": "+18605550001", "voice": "+18605550002", "email": "ann@ct.example"}


@dataclass
class Drill:
    """The three channels' roles, running against the simulators, and one resident's card."""

    bus: Bus
    stage: Stage
    simulators: Running

    async def broadcast(self, priority: str) -> dict[str, UUID]:
        """Open a broadcast of a priority to one new resident; return a delivery a channel."""
        alert_id = await self.stage.broadcast(priority=priority)
        resident = UUID(int=alert_id.int)
        await self.stage.keep(self.stage.card(resident, *ADDRESSES.items()))
        made = await self.stage.fan_out(alert_id, [resident])
        assert len(made.requests) == len(CHANNELS)
        return {one.channel: one.delivery_id for one in made.requests}

    async def ask(self, ids: dict[str, UUID], priority: Priority) -> None:
        """Ask for deliveries on the topics of a priority."""
        async with self.bus.producer() as producer:
            for channel, delivery_id in ids.items():
                event = DeliveryRequested(
                    delivery_id=delivery_id, channel=channel, priority=priority,
                    address_hash=self.stage.hasher.hash(ADDRESSES[channel]).digest.hex(),
                )  # fmt: skip
                now = datetime.now(UTC)
                await producer.send(encode(event, producer="dispatcher", signer=None, now=now))

    async def until(self, ids: dict[str, UUID], sql: str) -> None:
        """Return once as many deliveries as were asked for are as a condition says."""

        async def is_so() -> bool:
            rows = await self.stage.rows(
                f"SELECT d.* FROM dispatcher_delivery AS d WHERE delivery_id = ANY(:ids) AND {sql}",  # noqa: S608
                ids=list(ids.values()),
            )
            return len(rows) == len(ids)

        await eventually(is_so)


@pytest.fixture
async def drill(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings, bus: Bus, tmp_path: Path
) -> AsyncIterator[Drill]:
    """The roles as they are assembled for real, with a live provider: the simulators."""
    async with AsyncExitStack() as stack:
        simulators = await stack.enter_async_context(
            simulating(tmp_path, public_url="http://127.0.0.1:9")
        )
        stage = await stack.enter_async_context(open_stage(database("dispatcher"), keyrings))
        settings = DispatcherSettings(
            kafka_bootstrap=bus.bootstrap, bus_namespace=bus.namespace, topic_partitions=2,
            database_url=database("dispatcher").app_url, keyring=keyrings.path("dispatcher"),
            twilio_base_url=simulators.url, twilio_account_sid=ACCOUNT, twilio_auth_token=TOKEN,
            sms_from=SMS_FROM, voice_from=VOICE_FROM, mail_from=MAIL_FROM, smtp_host="127.0.0.1",
            smtp_port=simulators.smtp_port, smtp_tls="none", public_url="http://127.0.0.1:9",
        )  # fmt: skip
        roles = await asyncio.gather(*(dispatcher.assemble(one, settings) for one in CHANNELS))
        for role in roles:
            stack.push_async_callback(role.closing.aclose)
        parts: list[Any] = [part for role in roles for part in role.parts]
        await stack.enter_async_context(running(*parts))
        yield Drill(bus, stage, simulators)


@pytest.mark.shows("S03", "C4", "M6")
async def test_an_exercise_leaves_nothing_in_the_ledger(drill: Drill) -> None:
    """It is handed over to nobody on its own topics; a real alert beside it arrives once."""
    exercise, real = await drill.broadcast("exercise"), await drill.broadcast("urgent")
    await drill.ask(exercise, "exercise")
    await drill.ask(real, "urgent")
    await drill.until(exercise, "state = 'accepted' AND provider = 'sink'")
    await drill.until(real, "handed_over_at IS NOT NULL AND provider <> 'sink'")
    ledger = await drill.simulators.ledger()
    assert {line["delivery_id"] for line in ledger} == {str(one) for one in real.values()}
    assert len(ledger) == len(CHANNELS)


@pytest.mark.shows("S03", "M6")
async def test_an_exercise_asked_for_on_a_live_topic_goes_back(drill: Drill) -> None:
    """Requests are not signed, so that the row and not the topic says what is an exercise."""
    exercise, real = await drill.broadcast("exercise"), await drill.broadcast("urgent")
    for priority in ("notice", "urgent", "routine"):
        await drill.ask(exercise, priority)
        await drill.until(exercise, "state = 'pending' AND epoch > 0 AND due_at IS NOT NULL")
    await drill.ask(real, "exercise")
    await drill.until(real, "state = 'pending' AND epoch > 0 AND due_at IS NOT NULL")
    assert await drill.simulators.ledger() == []


@pytest.mark.shows("S03", "M6")
async def test_nobody_live_is_asked_what_became_of_an_exercise(drill: Drill) -> None:
    """One whose process died in mid-send is found where exercises end, by its look-up."""
    exercise = await drill.broadcast("exercise")
    await drill.stage.claim(*exercise.values())
    await drill.stage.run(
        """UPDATE dispatcher_delivery SET state = 'unknown', lease_until = NULL, due_at = now()
           WHERE delivery_id = ANY(:ids)""",
        ids=list(exercise.values()),
    )
    await drill.until(exercise, "state = 'accepted' AND provider = 'sink'")
    assert await drill.simulators.ledger() == []

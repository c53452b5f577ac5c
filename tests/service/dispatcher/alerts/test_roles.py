"""Every role of the dispatcher comes together and ends, on a real database and a real broker."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.dispatcher.service import ROLES, assemble
from services.dispatcher.settings import DispatcherSettings
from shared.bus.kafka.bus import Bus


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_comes_together_runs_and_drains(
    role: str, database: Callable[[str], Any], keyrings: Any, bus: Bus
) -> None:
    settings = DispatcherSettings(
        kafka_bootstrap=bus.bootstrap, bus_namespace=bus.namespace, topic_partitions=2,
        keyring=keyrings.path("dispatcher"), database_url=database("dispatcher").app_url,
        twilio_base_url="http://127.0.0.1:9", twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token="7b1f0c9e4d2a8635" * 2, sms_from="+18605550100",
        voice_from="+18605550100", smtp_host="127.0.0.1", smtp_port=9, smtp_tls="none",
        mail_from="alerts@example.org", environment="development",
    )  # fmt: skip
    made = await assemble(role, settings)
    assert (made.app is not None) == (role == "api")
    assert made.parts
    stop = asyncio.Event()
    running = [asyncio.create_task(part.run(stop)) for part in made.parts]
    done, _ = await asyncio.wait(running, timeout=0.3)
    assert not done, [task.exception() for task in done]
    assert "database" not in await made.health.ready()
    stop.set()
    await asyncio.wait_for(asyncio.gather(*running), timeout=20)
    await made.closing.aclose()


async def test_there_is_no_other_role() -> None:
    with pytest.raises(ValueError, match="no role"):
        await assemble("nonsense")

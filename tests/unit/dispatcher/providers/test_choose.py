"""Which provider the settings name, and what they must not leave out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.dispatcher.providers.base import Misconfigured
from services.dispatcher.providers.choose import open_provider
from services.dispatcher.settings import DispatcherSettings
from tests.simulated import ACCOUNT, MAIL_FROM, SMS_FROM, TOKEN, VOICE_FROM, a_message


def settings(**changes: Any) -> DispatcherSettings:
    given = {
        "kafka_bootstrap": "x", "keyring": "k", "database_url": "d", "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN, "sms_from": SMS_FROM, "voice_from": VOICE_FROM,
        "smtp_host": "mail.ct.example", "mail_from": MAIL_FROM,
    }  # fmt: skip
    return DispatcherSettings(**(given | changes))


@pytest.mark.parametrize("channel", ["sms", "voice", "email"])
async def test_each_channel_has_its_provider(channel: str) -> None:
    provider = open_provider(channel, settings())
    assert provider.channel == channel
    await provider.close()


@pytest.mark.parametrize(
    ("channel", "changes"),
    [("sms", {"twilio_auth_token": None}), ("sms", {"sms_from": None}),
     ("voice", {"voice_from": None}), ("voice", {"twilio_account_sid": None}),
     ("email", {"smtp_host": None}), ("email", {"mail_from": None}), ("pager", {}),
     ("email", {"smtp_tls": "none", "smtp_username": "u"})],
)  # fmt: skip
async def test_a_missing_setting_is_named(channel: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        open_provider(channel, settings(**changes))


async def test_an_exercise_reaches_nobody() -> None:
    for channel in ("sms", "voice", "email"):
        provider = open_provider(channel, settings(), exercise=True)
        message = a_message(channel)
        sent = await provider.send(message)
        assert provider.name == "sink"
        assert await provider.look_up(message, since=datetime.now(UTC)) == sent
        await provider.close()

"""Texts and calls against the real simulator over loopback: request, reply, expected outcome."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from services.dispatcher.providers import base
from services.dispatcher.providers.base import Provider, ProviderError
from services.dispatcher.providers.twilio_client import TwilioHttp, open_client
from services.dispatcher.providers.twilio_sms import TwilioSms
from services.dispatcher.providers.twilio_voice import TwilioVoice
from shared.clock import SystemClock
from tests.simulated import (
    ACCOUNT,
    SMS_FROM,
    TOKEN,
    VOICE_FROM,
    Receiver,
    Running,
    a_message,
    receiving,
    simulating,
)

REPLY_WITHIN_S = 0.4


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def simulators(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Running]:
    async with simulating(tmp_path, public_url=receiver.url) as running:
        yield running


def open_channel(channel: str, url: str, public_url: str, token: str = TOKEN) -> Provider:
    clock = SystemClock()
    http = TwilioHttp(
        url, ACCOUNT, token, clock=clock, connections=16, reply_within_s=REPLY_WITHIN_S
    )
    client = open_client(http, ACCOUNT, token)
    if channel == "voice":
        return TwilioVoice(client, http, sender=VOICE_FROM, public_url=public_url, clock=clock)
    return TwilioSms(client, http, sender=SMS_FROM, public_url=public_url, clock=clock)


@pytest.fixture
async def sms(simulators: Running, receiver: Receiver) -> AsyncIterator[Provider]:
    provider = open_channel("sms", simulators.url, receiver.url)
    yield provider
    await provider.close()


@pytest.fixture
async def voice(simulators: Running, receiver: Receiver) -> AsyncIterator[Provider]:
    provider = open_channel("voice", simulators.url, receiver.url)
    yield provider
    await provider.close()


def error(code: int, status: int = 400) -> dict[str, Any]:
    return {"mode": "error", "code": code, "status": status}


# What the simulator does, the error it becomes, how many acceptances its ledger then holds.
REPLIES: list[tuple[dict[str, Any], type[ProviderError] | None, int]] = [
    ({"mode": "accept"}, None, 1),
    ({"mode": "too_many"}, base.TooMany, 0),
    ({"mode": "too_many", "retry_after": 7}, base.TooMany, 0),
    ({"mode": "accept_reset"}, base.Ambiguous, 1),
    ({"mode": "accept_500"}, base.Ambiguous, 1),
    ({"mode": "accept_garbage"}, base.Ambiguous, 1),
    ({"mode": "hang"}, base.Ambiguous, 0),
    ({"mode": "late", "delay_s": 1}, base.Ambiguous, 0),
    (error(20500, 500), base.Ambiguous, 0),
    (error(20503, 503), base.Ambiguous, 0),
    (error(20003, 401), base.Misconfigured, 0),
    (error(21606), base.Misconfigured, 0),
    (error(30034), base.Misconfigured, 0),
    (error(21610), base.OptedOut, 0),
    (error(21211), base.InvalidAddress, 0),
    (error(21614), base.InvalidAddress, 0),
    (error(21612), base.Temporary, 0),
    (error(21611), base.TooMany, 0),
    (error(21408, 403), base.Refused, 0),
    (error(21602), base.MessageFault, 0),
    (error(39999), base.Temporary, 0),
    (error(29999), base.Refused, 0),
]


@pytest.mark.parametrize(("reply", "expected", "accepted"), REPLIES)
async def test_each_reply_becomes_its_error_and_the_request_is_made_once(
    simulators: Running,
    sms: Provider,
    reply: dict[str, Any],
    expected: type[ProviderError] | None,
    accepted: int,
) -> None:
    await simulators.rules({"kind": "sms", "reply": reply, "receipts": []})
    message = a_message()
    if expected is None:
        taken = await sms.send(message)
        assert taken.status == "queued"
        assert taken.sid.startswith("SM")
    else:
        with pytest.raises(ProviderError) as caught:
            await sms.send(message)
        assert type(caught.value) is expected, caught.value
        if "retry_after" in reply:
            assert caught.value.retry_after_s == reply["retry_after"]
    ledger = await simulators.ledger()
    assert len(ledger) == accepted
    assert all(line["delivery_id"] == str(message.delivery_id) for line in ledger)
    stats = await simulators.get("/simulator/stats")
    # rules, create, ledger, stats: no hidden retry.
    assert stats["requests"]["total"] == 4


async def test_what_the_error_says_of_itself(simulators: Running, sms: Provider) -> None:
    await simulators.rules({"kind": "sms", "reply": error(21610)})
    with pytest.raises(base.OptedOut) as opted_out:
        await sms.send(a_message())
    assert (opted_out.value.code, opted_out.value.opted_out) == ("21610", True)
    assert not opted_out.value.retryable
    await simulators.rules({"kind": "sms", "reply": {"mode": "too_many"}})
    with pytest.raises(base.TooMany) as slow:
        await sms.send(a_message())
    assert (slow.value.retryable, slow.value.counts, slow.value.retry_after_s) == (
        True, False, None,
    )  # fmt: skip


async def test_no_connection_is_safe_to_send_again(receiver: Receiver) -> None:
    provider = open_channel("sms", "http://127.0.0.1:9", receiver.url)
    with pytest.raises(base.Unreachable) as caught:
        await provider.send(a_message())
    assert caught.value.retryable
    await provider.close()


async def test_a_wrong_token_stops_the_provider(simulators: Running, receiver: Receiver) -> None:
    provider = open_channel("sms", simulators.url, receiver.url, token="0" * 16 + "a" * 16)
    with pytest.raises(base.Misconfigured) as caught:
        await provider.send(a_message())
    assert (caught.value.code, caught.value.configuration, caught.value.page) == (
        "20003", True, True,
    )  # fmt: skip
    await provider.close()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"address": "8605551234"}, base.InvalidAddress),
        ({"address": "+18605551234\r\nX: y"}, base.InvalidAddress),
        ({"body": " \n"}, base.MessageFault),
        ({"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, base.Lapsed),
    ],
)
async def test_what_cannot_be_sent_is_not_sent(
    simulators: Running, sms: Provider, changes: dict[str, Any], expected: type[ProviderError]
) -> None:
    with pytest.raises(expected):
        await sms.send(a_message(**changes))
    assert await simulators.ledger("all") == []


@pytest.mark.parametrize("mode", ["accept_reset", "accept_500", "accept_garbage"])
@pytest.mark.parametrize("channel", ["sms", "voice"])
async def test_look_up_finds_what_was_accepted_and_only_that(
    simulators: Running, sms: Provider, voice: Provider, mode: str, channel: str
) -> None:
    provider = sms if channel == "sms" else voice
    other = a_message(channel, body="Something else", reference="CT-OTHER")
    unrelated = await provider.send(other)
    message = a_message(channel)
    since = datetime.now(UTC) - timedelta(seconds=2)
    taken = [unrelated.sid]
    assert await provider.look_up(message, since=since, taken=taken) is None
    await simulators.rules({"kind": channel, "reply": {"mode": mode}, "receipts": []})
    with pytest.raises(base.Ambiguous):
        await provider.send(message)
    found = await provider.look_up(message, since=since, taken=taken)
    accepted = [one for one in await simulators.ledger() if one["sid"] != unrelated.sid]
    assert found is not None
    assert [found.sid] == [one["sid"] for one in accepted]
    assert await provider.look_up(message, since=since, taken=[*taken, found.sid]) is None
    later = datetime.now(UTC) + timedelta(seconds=2)
    assert await provider.look_up(message, since=later, taken=taken) is None


async def test_look_up_reads_long_lists(simulators: Running, sms: Provider) -> None:
    await simulators.rules({"receipts": []})
    wanted, since = a_message(), datetime.now(UTC) - timedelta(seconds=2)
    sent = await sms.send(wanted)
    for n in range(120):
        await sms.send(a_message(body=f"{n} {'é' * 1500}", reference=f"CT-{n}"))
    found = await sms.look_up(wanted, since=since)
    assert found is not None
    assert found.sid == sent.sid


async def test_look_up_says_when_it_cannot_tell(receiver: Receiver) -> None:
    provider = open_channel("sms", "http://127.0.0.1:9", receiver.url)
    with pytest.raises(base.Unreachable):
        await provider.look_up(a_message(), since=datetime.now(UTC))
    await provider.close()


async def test_a_late_acceptance_is_found_once_it_is_there(
    simulators: Running, receiver: Receiver, sms: Provider
) -> None:
    reply = {"mode": "late", "delay_s": 0.8}
    await simulators.rules({"kind": "sms", "reply": reply})
    message, since = a_message(), datetime.now(UTC) - timedelta(seconds=2)
    with pytest.raises(base.Ambiguous):
        await sms.send(message)
    assert await sms.look_up(message, since=since) is None
    await receiver.until(1)
    found = await sms.look_up(message, since=since)
    assert found is not None
    assert [one["sid"] for one in await simulators.ledger()] == [found.sid]


@pytest.mark.shows("S25")
async def test_callbacks_are_signed_as_twilio_signs(receiver: Receiver, sms: Provider) -> None:
    message = a_message()
    taken = await sms.send(message)
    heard = await receiver.until(2)
    assert receiver.statuses(taken.sid) == ["sent", "delivered"]
    validator = RequestValidator(TOKEN)
    for one in heard:
        assert one.path == f"/v1/receipts/twilio/sms/{message.delivery_id}?epoch=1"
        signature = one.headers["x-twilio-signature"]
        assert validator.validate(receiver.url + one.path, one.params, signature)


@pytest.mark.shows("S35")
async def test_words_of_a_call_are_spoken_not_run(
    simulators: Running, receiver: Receiver, voice: Provider
) -> None:
    words = 'Leave now. </Say><Dial>+19005551234</Dial><Say> "A" & B'
    message = a_message("voice", body=words, language="es")
    taken = await voice.send(message)
    (line,) = await simulators.ledger("voice")
    assert "<Dial>" not in line["body"]
    assert "&lt;Dial&gt;+19005551234&lt;/Dial&gt;" in line["body"]
    assert 'language="es-MX"' in line["body"]
    assert f'action="{receiver.url}/v1/inbound/twilio/voice/{message.delivery_id}"' in line["body"]
    await receiver.until(2)
    assert receiver.statuses(taken.sid) == ["in-progress", "completed"]


async def test_a_call_too_long_to_speak_is_our_fault(voice: Provider) -> None:
    with pytest.raises(base.MessageFault):
        await voice.send(a_message("voice", body="x" * 4001))

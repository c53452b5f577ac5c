"""Mails against the real sink over loopback: what the server does, and what it means."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from services.dispatcher.providers import base
from services.dispatcher.providers.base import Message, ProviderError
from services.dispatcher.providers.mail import Composer
from services.dispatcher.providers.smtp import Smtp
from shared.clock import SystemClock
from tests.simulated import MAIL_FROM, Running, a_message, simulating


@pytest.fixture
async def simulators(tmp_path: Path) -> AsyncIterator[Running]:
    async with simulating(tmp_path, public_url="http://127.0.0.1:9") as running:
        yield running


@asynccontextmanager
async def opened(port: int, *, connections: int = 2, **options: Any) -> AsyncIterator[Smtp]:
    def client() -> aiosmtplib.SMTP:
        given = {"start_tls": False, "timeout": 2.0} | options
        return aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, local_hostname="ct.example", **given
        )

    provider = Smtp(
        client,
        Composer(MAIL_FROM, clock=SystemClock()),
        clock=SystemClock(),
        connections=connections,
        reply_within_s=0.5,
        dot_within_s=0.5,
    )
    try:
        yield provider
    finally:
        await provider.close()


def mail(address: str = "ada@example.com", **changes: Any) -> Message:
    return a_message("email", address, **changes)


def at(stage: str, reply: str | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": "email", "smtp": {"stage": stage, "reply": reply} | more}


# What the sink does, the error it becomes, how many mails it has kept.
REPLIES: list[tuple[dict[str, Any], type[ProviderError] | None, int]] = [
    (at("dot", "250 2.0.0 fine"), None, 1),
    (at("connect", "421 4.3.2 closing"), base.Temporary, 0),
    (at("connect", "554 5.7.1 no service for you"), base.Misconfigured, 0),
    (at("mail", "451 4.3.0 later"), base.Temporary, 0),
    (at("mail", "530 5.7.0 authenticate first"), base.Misconfigured, 0),
    (at("mail", "550 5.7.1 sender not allowed"), base.Misconfigured, 0),
    (at("rcpt", "451 4.7.1 greylisted"), base.Temporary, 0),
    (at("rcpt", "452 4.2.2 over quota for now"), base.Temporary, 0),
    (at("rcpt", "421 4.3.2 closing"), base.Temporary, 0),
    (at("rcpt", "550 5.1.1 no such user"), base.InvalidAddress, 0),
    (at("rcpt", "550 5.2.1 mailbox disabled"), base.InvalidAddress, 0),
    (at("rcpt", "552 5.2.2 mailbox full"), base.Refused, 0),
    (at("rcpt", "550 5.7.1 blocked"), base.Refused, 0),
    (at("rcpt", "550 no"), base.Refused, 0),
    (at("data", "451 4.3.0 later"), base.Temporary, 0),
    (at("data", "554 5.5.1 no valid recipients"), base.Refused, 0),
    (at("dot", "451 4.3.0 later"), base.Temporary, 0),
    (at("dot", "554 5.7.1 content refused"), base.Refused, 0),
    (at("dot", "552 5.3.4 too big"), base.MessageFault, 0),
    (at("dot", "550 5.6.1 media"), base.MessageFault, 0),
    (at("data", drop="before_dot"), base.Unreachable, 0),
    # The dot had left: that the server did not wait for it is nothing we can know.
    (at("dot", drop="before_dot"), base.Ambiguous, 0),
    (at("dot", drop="after_dot"), base.Ambiguous, 1),
    (at("rcpt", delay_s=5), base.Unreachable, 0),
    (at("dot", delay_s=5), base.Ambiguous, 1),
]


@pytest.mark.parametrize(("rule", "expected", "kept"), REPLIES)
async def test_each_reply_becomes_its_error(
    simulators: Running, rule: dict[str, Any], expected: type[ProviderError] | None, kept: int
) -> None:
    await simulators.rules(rule)
    message = mail()
    async with opened(simulators.smtp_port) as provider:
        if expected is None:
            taken = await provider.send(message)
            assert taken.sid == f"<{message.delivery_id}@ct.example>"
        else:
            with pytest.raises(ProviderError) as caught:
                await provider.send(message)
            assert type(caught.value) is expected, caught.value
    ledger = await simulators.ledger("email")
    assert [one["delivery_id"] for one in ledger] == [str(message.delivery_id)] * kept


async def test_no_server_is_safe_to_send_again() -> None:
    async with opened(9) as provider:
        with pytest.raises(base.Unreachable):
            await provider.send(mail())


async def test_clear_text_is_never_fallen_back_to(simulators: Running) -> None:
    async with opened(
        simulators.smtp_port, start_tls=True, tls_context=ssl.create_default_context()
    ) as provider:
        with pytest.raises(base.Misconfigured) as caught:
            await provider.send(mail())
    assert caught.value.configuration
    assert await simulators.ledger("email") == []


async def test_one_bad_recipient_spoils_no_other(simulators: Running) -> None:
    """Mails wait behind each other on one connection; each has the outcome that is its own."""
    names = ["a", "bounce", "b", "full", "c", "content", "grey", "d"]
    messages = [mail(f"{name}@example.com") for name in names]
    async with opened(simulators.smtp_port, connections=1) as provider:
        results = await asyncio.gather(
            *(provider.send(one) for one in messages), return_exceptions=True
        )
    assert [type(one) for one in results] == [
        base.Accepted, base.InvalidAddress, base.Accepted, base.Refused, base.Accepted,
        base.Refused, base.Temporary, base.Accepted,
    ]  # fmt: skip
    kept = [one["to"] for one in await simulators.ledger("email")]
    assert kept == [f"{name}@example.com" for name in "abcd"]


@pytest.mark.parametrize("pipelining", [True, False])
async def test_hundreds_of_mails_over_two_connections(
    simulators: Running, pipelining: bool
) -> None:
    if not pipelining:
        await simulators.rules(at("ehlo", "250 sink"))
    messages = [mail(f"resident{n}@example.com") for n in range(300)]
    async with opened(simulators.smtp_port) as provider:
        taken = await asyncio.gather(*(provider.send(one) for one in messages))
    ledger = await simulators.ledger("email")
    assert {one["delivery_id"] for one in ledger} == {str(one.delivery_id) for one in messages}
    assert len(ledger) == len(messages)
    assert [one.sid for one in taken] == [f"<{m.delivery_id}@ct.example>" for m in messages]


async def test_a_dropped_connection_loses_only_what_was_on_it(simulators: Running) -> None:
    await simulators.rules(at("dot", drop="after_dot") | {"to": "x@example.com", "times": 1})
    messages = [mail(f"{name}@example.com") for name in ("w", "x", "y", "z")]
    async with opened(simulators.smtp_port, connections=1) as provider:
        results = await asyncio.gather(
            *(provider.send(one) for one in messages), return_exceptions=True
        )
        assert [type(one) for one in results] == [
            base.Accepted, base.Ambiguous, base.Unreachable, base.Accepted,
        ]  # fmt: skip
        await provider.send(messages[2])
        # The repeat of an uncertain mail is the same mail.
        await provider.send(messages[1])
    ledger = await simulators.ledger("email")
    again = [one["message_id"] for one in ledger if one["to"] == "x@example.com"]
    assert len(again) == 2
    assert len(set(again)) == 1


@pytest.mark.shows("S34")
async def test_what_arrives_is_what_was_meant(simulators: Running) -> None:
    text = "Flood warning for Hartford.\n.\n.. Move to higher ground: él, ñ, 水\n.end"
    when = datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    message = mail(
        body=text, subject="Aviso de inundación", dated=when, epoch=3,
        unsubscribe_url="https://alerts.ct.example/v1/inbound/email/unsubscribe/abc.def",
    )  # fmt: skip
    async with opened(simulators.smtp_port) as provider:
        await provider.send(message)
    (kept,) = (await simulators.get("/simulator/messages?to=ada@example.com"))["messages"]
    assert kept["body"] == text + "\n"
    assert kept["subject"] == "Aviso de inundación"
    headers = kept["headers"]
    assert headers["from"] == MAIL_FROM
    assert headers["date"] == "Sun, 08 Mar 2026 07:00:00 +0000"
    assert headers["x-ct-delivery"] == f"{message.delivery_id}/3"
    assert headers["list-unsubscribe"] == f"<{message.unsubscribe_url}>"
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert (kept["delivery_id"], kept["epoch"]) == (str(message.delivery_id), 3)


@pytest.mark.shows("S34")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda: mail("a@b.com\r\nRCPT TO:<x@y.com>"), base.InvalidAddress),
        (lambda: mail("a@b.com\nX"), base.InvalidAddress),
        (lambda: mail("a@b.com\r\n"), base.InvalidAddress),
        (lambda: mail("a@b"), base.InvalidAddress),
        (lambda: mail("<a@example.com>"), base.InvalidAddress),
        (lambda: mail("a@x.com,b@x.com"), base.InvalidAddress),
        (lambda: mail('"a b"@x.com'), base.InvalidAddress),
        (lambda: mail("a@[127.0.0.1]"), base.InvalidAddress),
        (lambda: mail("a" * 65 + "@x.com"), base.InvalidAddress),
        (lambda: mail("a@x.com\0"), base.InvalidAddress),
        (lambda: mail(subject="Hi\r\nBcc: all@example.com"), base.MessageFault),
        (lambda: mail(unsubscribe_url="https://x.example/\r\nX: y"), base.MessageFault),
        (lambda: mail(body="  "), base.MessageFault),
        (lambda: mail(expires_at=datetime(2026, 1, 1, tzinfo=UTC)), base.Lapsed),
    ],
)
async def test_nothing_is_smuggled_into_commands_or_headers(
    simulators: Running, change: Callable[[], Message], expected: type[ProviderError]
) -> None:
    async with opened(simulators.smtp_port) as provider:
        with pytest.raises(expected):
            await provider.send(change())
    assert await simulators.ledger("all") == []


async def test_closing_tells_whoever_still_waits(simulators: Running) -> None:
    await simulators.rules(at("rcpt", delay_s=5))
    async with opened(simulators.smtp_port, connections=1) as provider:
        sends = [asyncio.ensure_future(provider.send(mail(f"{n}@example.com"))) for n in "abc"]
        await asyncio.sleep(0)
        await provider.close()
        results = await asyncio.gather(*sends, return_exceptions=True)
    assert all(isinstance(one, base.Unreachable) for one in results), results

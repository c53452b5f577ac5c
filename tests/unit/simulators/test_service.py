"""The simulators as a service: restart after a kill, callbacks in every order, texts coming in."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from simulators.signature import sign_request
from tests.simulated import (
    ACCOUNT,
    SMS_FROM,
    TOKEN,
    Heard,
    Receiver,
    Running,
    receiving,
    simulating,
)
from tests.waiting import until

AUTH = aiohttp.encode_basic_auth(ACCOUNT, TOKEN)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def simulators(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Running]:
    async with simulating(tmp_path, public_url=receiver.url) as running:
        yield running


async def create(
    url: str, receiver: Receiver, to: str = "+18605551234", kind: str = "Messages", **more: str
) -> tuple[int, dict[str, Any]]:
    callback = f"{receiver.url}/v1/receipts/twilio/sms/{uuid4()}?epoch=1#rc=5&rp=all&rt=1500"
    form = {"To": to, "From": SMS_FROM, "Body": "Flood", "StatusCallback": callback} | more
    path = f"{url}/2010-04-01/Accounts/{ACCOUNT}/{kind}.json"
    async with (
        aiohttp.ClientSession(headers={"Authorization": AUTH}) as session,
        session.post(path, data=form) as reply,
    ):
        return reply.status, await reply.json()


async def get(url: str, path: str, authorization: str = AUTH) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": authorization}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url + path) as reply:
        return reply.status, await reply.json()


async def test_what_is_refused_is_said_in_the_provider_s_shape(
    simulators: Running, receiver: Receiver
) -> None:
    cases = [
        ({"to": ""}, 21201), ({"to": "123"}, 21211), ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617), ({"From": ""}, 21603), ({"to": "+18605550011"}, 21211),
        ({"to": "+18605550010"}, 21610), ({"kind": "Calls"}, 21205),
    ]  # fmt: skip
    for changes, code in cases:
        status, answer = await create(simulators.url, receiver, **changes)
        assert (status, answer["code"], answer["status"]) == (400, code, 400)
        assert answer["more_info"].endswith(str(code))
    status, answer = await get(
        simulators.url, f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", "Basic eDp5"
    )
    assert (status, answer["code"]) == (401, 20003)
    assert await simulators.ledger() == []


async def test_lists_are_paged_and_queued_texts_have_no_date_sent(
    simulators: Running, receiver: Receiver
) -> None:
    await simulators.rules({"receipts": []})
    sids = [(await create(simulators.url, receiver))[1]["sid"] for _ in range(5)]
    await create(simulators.url, receiver, to="+18605559999")
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=%2B18605551234&PageSize=2"
    found, pages = [], 0
    while path:
        _, page = await get(simulators.url, path)
        found += [one["sid"] for one in page["messages"]]
        assert all(one["date_sent"] is None and one["date_created"] for one in page["messages"])
        path, pages = page["next_page_uri"], pages + 1
    assert (found, pages) == (sids[::-1], 3)
    dated = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?DateSent%3E=2020-01-01"
    assert (await get(simulators.url, dated))[1]["messages"] == []
    status, one = await get(
        simulators.url, f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sids[0]}.json"
    )
    assert (status, one["status"], one["body"]) == (200, "queued", "Flood")


async def test_callbacks_come_as_the_rule_says(simulators: Running, receiver: Receiver) -> None:
    receipts = [{"status": "delivered"}, {"status": "sent"}]
    await simulators.rules({"receipts": receipts, "repeat": 2, "before_reply": True})
    heard_before = []

    def answer(_: Heard) -> tuple[int, bytes]:
        heard_before.append(len(receiver.heard))
        return 204, b""

    receiver.answer = answer
    _, made = await create(simulators.url, receiver)
    assert receiver.statuses(made["sid"])[0] == "delivered"
    assert made["status"] == "delivered"
    await receiver.until(4)
    assert receiver.statuses(made["sid"]) == ["delivered", "delivered", "sent", "sent"]


async def test_a_callback_that_fails_is_tried_again(
    simulators: Running, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (503 if len(receiver.heard) == 1 else 204, b"")
    _, made = await create(simulators.url, receiver)
    heard = await receiver.until(3)
    assert receiver.statuses(made["sid"]) == ["sent", "sent", "delivered"]
    assert "i-twilio-idempotency-token" not in heard[0].headers
    assert "i-twilio-idempotency-token" in heard[1].headers


async def test_odd_numbers_beside_a_callback_stop_no_callbacks(
    simulators: Running, receiver: Receiver
) -> None:
    odd = f"{receiver.url}/v1/receipts/twilio/sms/{uuid4()}?epoch=1#rc=many&rt=-"
    _, made = await create(simulators.url, receiver, StatusCallback=odd)
    await receiver.until(2)
    _, after = await create(simulators.url, receiver)
    await receiver.until(4)
    for sid in (made["sid"], after["sid"]):
        assert receiver.statuses(sid) == ["sent", "delivered"]


async def test_a_resident_s_stop_reaches_the_webhook_and_the_list(
    simulators: Running, receiver: Receiver
) -> None:
    receiver.answer = lambda one: (
        (200, b"<Response><Message>Hello</Message></Response>")
        if "inbound" in one.path
        else (204, b"")
    )
    number = "+18605551234"
    async with aiohttp.ClientSession() as session:

        async def say(body: str) -> None:
            text = {"from": number, "body": body, "to": SMS_FROM}
            async with session.post(f"{simulators.url}/simulator/inbound", json=text) as reply:
                assert reply.status == 200, await reply.text()

        await say("Stop")
        (heard,) = receiver.heard
        expected = sign_request(TOKEN, receiver.url + heard.path, heard.params)
        assert heard.headers["x-twilio-signature"] == expected
        assert (heard.params["From"], heard.params["Body"]) == (number, "Stop")
        _, refused = await create(simulators.url, receiver, to=number)
        assert refused["code"] == 21610
        await say("START")
        status, _ = await create(simulators.url, receiver, to=number)
        assert status == 201
    replies = (await simulators.get(f"/simulator/messages?to=%2B{number[1:]}"))["replies"]
    assert [one["body"][:5] for one in replies] == ["You h", "Hello"]


async def test_rules_that_mean_nothing_are_refused(simulators: Running) -> None:
    async with aiohttp.ClientSession() as session:
        for body in (
            b"{",
            b'{"colour": 1}',
            b'[{"probability": 2}]',
            b'{"seed": "x", "rules": []}',
        ):
            async with session.post(f"{simulators.url}/simulator/rules", data=body) as reply:
                assert reply.status == 422


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/simulator/ledger?limit=abc", 422),
        ("/simulator/ledger?limit=-1", 422),
        ("/simulator/ledger?limit=", 422),
        ("/simulator/ledger?after=1e3", 422),
        (f"/simulator/ledger?after={'9' * 5000}", 422),
        ("/simulator/ledger?after=999&limit=0", 200),
        (f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=many", 400),
        (f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=-1", 400),
        (f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=7&PageSize=0", 200),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(
    simulators: Running, path: str, status: int
) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": AUTH}) as session,
        session.get(simulators.url + path) as reply,
    ):
        assert reply.status == status
        if status >= 400:
            assert (await reply.json())["message"]


@pytest.mark.parametrize("kind", ["Messages", "Calls"])
async def test_a_form_that_is_no_text_is_refused(simulators: Running, kind: str) -> None:
    path = f"{simulators.url}/2010-04-01/Accounts/{ACCOUNT}/{kind}.json"
    async with (
        aiohttp.ClientSession(headers={"Authorization": AUTH}) as session,
        session.post(path, data=b"To=\xff\xfe") as reply,
    ):
        assert (reply.status, (await reply.json())["code"]) == (400, 20001)


async def test_a_killed_process_finds_everything_in_its_ledger(
    tmp_path: Path, receiver: Receiver
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as free,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        port, smtp_port = free.getsockname()[1], other.getsockname()[1]
    environment = os.environ | {
        "CTALERT_SIMULATOR_PORT": str(port), "CTALERT_SIMULATOR_SMTP_PORT": str(smtp_port),
        "CTALERT_SIMULATOR_FOLDER": str(tmp_path), "CTALERT_TWILIO_ACCOUNT_SID": ACCOUNT,
        "CTALERT_TWILIO_AUTH_TOKEN": TOKEN, "CTALERT_SIMULATOR_RECEIPT_DELAY_MS": "0",
    }  # fmt: skip
    program = (
        "import asyncio\nfrom shared.service import serve\n"
        "from simulators.service import assemble\n"
        "async def main():\n"
        " return await serve([await assemble('all')], host='127.0.0.1', health_port=0)\n"
        "raise SystemExit(asyncio.run(main()))"
    )
    url = f"http://127.0.0.1:{port}"

    async def start() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await until(lambda: get(url, "/simulator/stats"), passing=(aiohttp.ClientError,))
        return process

    receiver.answer = lambda _: (503, b"")
    process = await start()
    made = [(await create(url, receiver))[1]["sid"] for _ in range(20)]
    await receiver.until(20)
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    receiver.heard.clear()
    receiver.answer = lambda _: (204, b"")
    process = await start()
    _, page = await get(url, f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert {one["sid"] for one in page["messages"]} == set(made)
    await receiver.until(40)
    for sid in made:
        assert receiver.statuses(sid) == ["sent", "delivered"]
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0

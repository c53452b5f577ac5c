"""What residents told us stays sealed: in every table, every event and every line of a log."""

import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.dispatcher.delivery.send_notice import send_notice
from services.dispatcher.delivery.states import Request
from services.dispatcher.providers.base import Message, Temporary
from shared.bus.message import Message as Record
from shared.db.session import ALL_TOWNS, open_database
from shared.events.delivery import DeliveryRequested
from shared.events.envelope import decode
from shared.events.topics import topic_named
from shared.watch import logs
from tests.conftest import KeyRings
from tests.fakes_provider import FakeProvider
from tests.logged import logged
from tests.servers import ServiceDatabase
from tests.service.dispatcher.alerts.desk import Desk as Dispatcher
from tests.service.dispatcher.delivery.stage import Stage, message_of
from tests.service.subscriber.desk import Desk as Subscriber
from tests.service.subscriber.desk import new_phone, sms

LABEL, NOT_A_PHONE, STRANGER = "Grandma Ruth's", "+1 900 555 0188", "eve.stranger@example.org"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Every line a process of ours would log, down to debug."""
    with logged(level="debug", service="test") as stream:
        yield stream


@pytest.fixture
async def stage(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Stage]:
    """The dispatcher's rooms behind its API, on the same database."""
    opened = open_database(database("dispatcher").app_url, application_name="test")
    yield Stage(opened, keyrings.ring("dispatcher"))
    await opened.close()


async def records(desk: Subscriber, who: str, topic: str) -> list[Record]:
    """Return what the subscriber service told of somebody, as the bus hands it over."""
    rows = await desk.rows(
        "SELECT * FROM subscriber_outbox WHERE key = :key AND topic = :topic ORDER BY id",
        key=who.encode(),
        topic=topic,
    )
    found = []
    for row in rows:
        key, kind = bytes(row["key"]), topic_named(row["topic"])
        envelope, event = decode(kind, bytes(row["value"]), None, key=key)
        found.append(Record(kind, 0, row["id"], 0, key, envelope, event))
    return found


async def dump(database: ServiceDatabase) -> dict[str, str]:
    """Return every row of every table as the owner of the machine could read it."""
    connection = await asyncpg.connect(
        database.admin_url.replace("+asyncpg", "").rpartition("/")[0] + f"/{database.name}"
    )
    try:
        tables = await connection.fetch(
            "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'"
        )
        held = {}
        for (table,) in tables:
            rows = await connection.fetch(f'SELECT * FROM "{table}"')  # noqa: S608
            held[table] = "\n".join(_readable(value) for row in rows for value in row.values())
        return held
    finally:
        await connection.close()


def _readable(value: object) -> str:
    # Bytes as text and as hex: a value of an event is JSON in a bytea.
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") + "\n" + value.hex()
    return str(value)


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    """Return which secrets stand in a text, also by their digits alone, escaped or in hex."""
    lowered = text.lower()
    return [
        name
        for name, secret in secrets.items()
        if any(
            re.search(rf"(?<![0-9a-f]){re.escape(form)}(?![0-9a-f])", lowered)
            for form in {
                secret.lower(),
                secret.lower().lstrip("+"),
                secret.lower().removeprefix("+1"),
                secret.lower().replace("@", "%40"),
                json.dumps(secret.lower())[1:-1],
            }
        )
        or secret.encode().hex() in lowered
    ]


async def use_everything(desk: Subscriber, phone: str, mail: str) -> tuple[str, dict[str, str]]:
    """Have a resident and a fumbler do what they can; return who, and the codes they got."""
    who = await desk.signed_up(
        sms(phone),
        {"channel": "voice", "address": phone},
        {"channel": "email", "address": mail},
        places=[{"label": LABEL, "lon": -72.92, "lat": 41.31}],
    )
    codes = {f"code {n}": await desk.code(who, n) for n in (0, 2)}
    wrong = "000000" if codes["code 0"] != "000000" else "111111"
    assert (await desk.confirm(who, 0, wrong)).status_code == 422
    confirmed = await desk.confirm(who, 0)
    assert confirmed.status_code == 200
    assert (await desk.confirm(who, 2)).status_code == 200
    token = confirmed.json()["manage_token"]
    headers = {"Authorization": f"Bearer {token}", "If-Match": "*", "Idempotency-Key": phone}
    url = f"/v1/subscribers/{who}"
    await desk.client.get(f"{url}/export", headers=headers)
    await desk.client.patch(url, json={"language": "es"}, headers=headers)
    for bad in (sms(NOT_A_PHONE), {"channel": "email", "address": f"{STRANGER}\r\nBcc: x@y.org"}):
        refused = await desk.sign_up(bad)
        assert refused.status_code == 422
        assert not found_in(refused.text, {"number": "9005550188", "mail": STRANGER})
    body = desk.body(sms(new_phone()), {"channel": "email", "address": mail})
    once = {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        answer = await desk.client.post("/v1/subscribers", json=body, headers=once)
        assert answer.status_code == 202, answer.text
    return who, {**codes, "manage token": token}


@pytest.mark.shows("S14", "S37", "S44")
async def test_no_table_event_or_log_line_tells_who_somebody_is(
    subscriber: Subscriber,
    dispatcher: Dispatcher,
    stage: Stage,
    database: Callable[[str], ServiceDatabase],
    lines: io.StringIO,
) -> None:
    phone, mail = new_phone(), f"ruth.{uuid4().hex[:8]}@example.org"
    who, proofs = await use_everything(subscriber, phone, mail)
    secrets = {"phone": phone, "mail": mail, "label": LABEL, **proofs}

    await stage.keep(*await records(subscriber, who, "subscriber.contact.changed"))
    async with stage.database.transaction(town=ALL_TOWNS) as tx:
        _, notices = await send_notice(tx, await records(subscriber, who, "notice.requested"))
    alert = await dispatcher.approved(emergency=True)
    made = await stage.fan_out(
        UUID(alert["alert_id"]), [UUID(who)], area_digest=alert["area"]["digest"]
    )
    provider = FakeProvider()
    provider.faults.append(Temporary("20500", f"no route to {phone} for {mail}"))
    async with stage.deliverer(provider) as worker:
        await worker.handle([*map(_asked, (*notices, *made.requests))], priority="urgent")
    _told_right(provider.ledger, phone, mail)
    await dispatcher.client.get(
        f"/v1/alerts/{alert['alert_id']}/deliveries", headers=dispatcher.sign_in("ada")
    )
    for service in ("subscriber", "dispatcher"):
        for table, text in (await dump(database(service))).items():
            assert found_in(text, secrets) == [], table
    written = lines.getvalue()
    secrets |= {"not a phone": "9005550188", "stranger": STRANGER}
    secrets |= {"alert": alert["texts"]["en-US"]["sms"], "headline": "Boil your water"}
    assert found_in(written, secrets) == []


def _asked(request: Request) -> Record:
    return message_of(
        DeliveryRequested(
            delivery_id=request.delivery_id,
            channel="sms",
            priority="urgent",
            address_hash="ab" * 32,
        )
    )


def _told_right(ledger: list[Message], phone: str, mail: str) -> None:
    # Else nothing would have been there to leak.
    assert {message.address for message in ledger} == {phone, mail}


def test_the_search_finds_what_it_looks_for() -> None:
    secrets = {"phone": "+18605550123", "mail": "a@b.org", "code": "123456"}
    for text in (
        "to +18605550123.", "x=8605550123", "A@B.org", "a%40b.org", '{"code":"123456"}',
        b"a@b.org".hex(), b'{"to":"+18605550123"}'.hex(),
    ):  # fmt: skip
        assert len(found_in(text, secrets)) == 1, text
    assert found_in("1234567 9123456 a@b", secrets) == []


@pytest.mark.shows("S37")
def test_a_line_masks_phones_and_mails_as_addresses_write_them(lines: io.StringIO) -> None:
    logs.get_logger("test").info(
        "provider.failed",
        url="/Messages?To=%2B18605550123&x=ruth%40example.org",
        said="+18605550123: no route, +18605550123-a, x+18605550123",
    )
    assert not found_in(lines.getvalue(), {"phone": "+18605550123", "mail": "ruth@example.org"})

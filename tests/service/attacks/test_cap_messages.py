"""CAP messages made to hang, crash or mislead the reader: refused at once, the service lives."""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.clock import cap_time
from tests.service.dispatcher.alerts.desk import Desk, open_desk

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
CIRCLE = "<circle>41.31,-72.92 1</circle>"
AT_ONCE_S = 2.0


@pytest.fixture(scope="module")
async def desk(database: Callable[[str], Any], keyrings: Any) -> AsyncIterator[Desk]:
    async with open_desk(database("dispatcher"), keyrings) as opened:
        sender, headers = await opened.enrol()
        opened.keys.update({"sender": sender, **headers})
        yield opened


def alert(sender: str, inside: str = "", *, sent: str | None = None) -> str:
    """Return the elements of an <alert> that are required, and more."""
    return (
        f"<identifier>X-{uuid4().hex}</identifier><sender>{sender}</sender>"
        f"<sent>{sent or cap_time(datetime.now(UTC))}</sent><status>Actual</status>"
        f"<msgType>Alert</msgType><scope>Public</scope>{inside}"
    )


def info(area: str = CIRCLE, extra: str = "", resource: str = "") -> str:
    """Return an <info> over an area."""
    return (
        "<info><category>Met</category><event>Tornado</event><urgency>Immediate</urgency>"
        "<severity>Extreme</severity><certainty>Observed</certainty>"
        f"<expires>{cap_time(datetime.now(UTC) + timedelta(minutes=30))}</expires>"
        f"<headline>Tornado</headline>{extra}{resource}"
        f"<area><areaDesc>Meriden</areaDesc>{area}</area></info>"
    )


async def post(desk: Desk, inside: str, root: str = "", **sent: str) -> httpx2.Response:
    """Post a message; whatever it is, the answer comes at once and is no crash."""
    text = f'<alert xmlns="{CAP}"{root}>{alert(desk.keys["sender"], inside, **sent)}</alert>'
    headers = {"X-Api-Key": desk.keys["X-Api-Key"], "Content-Type": "application/cap+xml"}
    began = time.perf_counter()
    answer = await desk.client.post("/v1/cap", content=text.encode(), headers=headers)
    assert time.perf_counter() - began < AT_ONCE_S
    assert answer.status_code < 500, answer.text
    return answer


@pytest.mark.parametrize(
    "area",
    [
        f"<polygon>{'1' * 240_000}</polygon>",
        f"<polygon>1,{'1' * 240_000}x</polygon>",
        f"<polygon>41.3,-72.9 {'1.1' * 80_000}</polygon>",
        f"<polygon>{'41.3,-72.9 ' * 20_000}x</polygon>",
        f"<polygon>{' ' * 240_000}x</polygon>",
        f"<circle>{'1' * 240_000}</circle>",
        f"<circle>41.3,-72.9 {'1' * 240_000}x</circle>",
        f"<circle>1e400,-72.9 1</circle><altitude>{'1' * 200_000}</altitude>",
    ],
)
@pytest.mark.shows("C2", "C11", "S26", "bad:C18", "bad:C21")
async def test_long_numbers_are_read_in_one_pass(desk: Desk, area: str) -> None:
    assert (await post(desk, info(area))).status_code == 422


def nested(depth: int, sender: str) -> str:
    """Return a signature in an alert in a signature, and so on."""
    inner = nested(depth - 1, sender) if depth else ""
    return (
        f'<Signature xmlns="{DSIG}"><alert xmlns="{CAP}">{alert(sender, inner)}</alert></Signature>'
    )


@pytest.mark.shows("C2", "S26")
async def test_alerts_nested_in_signatures_are_walked_once(desk: Desk) -> None:
    answer = await post(desk, info() + nested(13, desk.keys["sender"]) * 30)
    assert answer.status_code in (202, 413), answer.text


@pytest.mark.parametrize(
    "address",
    [
        f"http://a:{'1' * 5_000}/",
        f"http://a:{'0' * 5_000}80/",
        "http://[zzz]/",
        "http://[fe80::1]/",
        "http://a\u2100b.com/",
    ],
)
@pytest.mark.shows("S30", "S44", "bad:C23")
async def test_a_strange_address_is_refused_not_tripped_over(desk: Desk, address: str) -> None:
    resource = (
        "<resource><resourceDesc>map</resourceDesc><mimeType>image/png</mimeType>"
        f"<uri>{address}</uri></resource>"
    )
    await post(desk, info(extra=f"<web>{address}</web>"))
    assert (await post(desk, info(resource=resource))).status_code in (202, 422)


@pytest.mark.shows("C1", "S44", "bad:C07")
async def test_a_namespace_without_canonical_form_is_refused(desk: Desk) -> None:
    answer = await post(desk, info(), root=' xmlns:a="u"')
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
        400,
        "cap-not-canonical",
    )


@pytest.mark.parametrize("sent", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.shows("C12", "S44", "bad:C11")
async def test_times_off_the_calendar_are_refused(desk: Desk, sent: str) -> None:
    assert (await post(desk, info(), sent=sent)).status_code == 422


@pytest.mark.shows("S44", "bad:C08")
async def test_a_refusal_does_not_repeat_a_long_name(desk: Desk) -> None:
    answer = await post(desk, f"<{'x' * 40_000}/>")
    assert answer.status_code == 422
    assert len(answer.content) < 2_000

"""A draft asked for again with its key: the first answer, whatever has changed since."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.fakes_geofence import NEW_HAVEN
from tests.service.dispatcher.alerts.desk import Desk, alert, codes, open_desk


async def post(desk: Desk, who: dict[str, str], key: str, body: dict[str, Any]) -> httpx2.Response:
    """Ask for a draft with a key."""
    headers = {**who, "Idempotency-Key": key}
    return await desk.client.post("/v1/alerts", json=body, headers=headers)


def is_replay(answer: httpx2.Response, first: httpx2.Response) -> bool:
    """Tell whether an answer is the first one again, and says so."""
    assert first.status_code == 201, first.text
    assert "Idempotent-Replayed" not in first.headers
    return (answer.status_code, answer.content) == (201, first.content) and answer.headers.get(
        "Idempotent-Replayed"
    ) == "true"


async def test_the_first_answer_comes_after_its_time_bound_too(desk: Desk) -> None:
    ada, key, body = desk.sign_in("ada"), str(uuid4()), alert()
    first = await post(desk, ada, key, body)
    desk.clock.ahead = timedelta(hours=2)
    asked = len(desk.geofence.asked)
    assert is_replay(await post(desk, ada, key, body), first)
    assert len(desk.geofence.asked) == asked
    fresh = await post(desk, ada, str(uuid4()), body)
    assert (fresh.status_code, codes(fresh)) == (422, {"expires-out-of-bounds"})
    kept = await desk.rows("SELECT 1 FROM dispatcher_idempotency WHERE key = :key", key=key)
    assert len(kept) == 1


async def test_another_request_with_the_key_is_refused_for_the_key(desk: Desk) -> None:
    ada, key, body = desk.sign_in("ada"), str(uuid4()), alert()
    await post(desk, ada, key, body)
    desk.clock.ahead = timedelta(hours=2)
    other = await post(desk, ada, key, {**body, "event": "Flood"})
    assert (other.status_code, codes(other)) == (422, {"idempotency-key-reused"})


async def test_a_key_is_its_owners_alone(desk: Desk) -> None:
    key, body = str(uuid4()), alert()
    first = await post(desk, desk.sign_in("ada"), key, body)
    second = await post(desk, desk.sign_in("ben"), key, body)
    assert second.status_code == 201
    assert "Idempotent-Replayed" not in second.headers
    assert second.json()["alert_id"] != first.json()["alert_id"]


async def test_a_refused_request_keeps_no_key(desk: Desk) -> None:
    ada, key, body = desk.sign_in("ada"), str(uuid4()), alert()
    desk.clock.ahead = timedelta(hours=2)
    assert (await post(desk, ada, key, body)).status_code == 422
    desk.clock.ahead = timedelta(0)
    later = await post(desk, ada, key, body)
    assert later.status_code == 201
    assert "Idempotent-Replayed" not in later.headers


async def test_the_first_answer_comes_whatever_the_geofence_says_now(desk: Desk) -> None:
    town, key, body = desk.sign_in("ada", town=NEW_HAVEN), str(uuid4()), alert()
    first = await post(desk, town, key, body)
    desk.geofence.towns = {}
    refused = await post(desk, town, str(uuid4()), body)
    assert (refused.status_code, codes(refused)) == (422, {"town-boundary-missing"})
    assert is_replay(await post(desk, town, key, body), first)
    desk.geofence.down = True
    assert is_replay(await post(desk, town, key, body), first)


@pytest.fixture
async def strict(database: Callable[[str], Any], keyrings: Any) -> AsyncIterator[Desk]:
    """A desk that takes one draft a minute."""
    async with open_desk(database("dispatcher"), keyrings, max_drafts_per_minute=1) as desk:
        yield desk


async def test_the_first_answer_counts_for_no_draft(strict: Desk) -> None:
    ada, key, body = strict.sign_in(f"ada-{uuid4()}"), str(uuid4()), alert()
    first = await post(strict, ada, key, body)
    full = await post(strict, ada, str(uuid4()), body)
    assert full.status_code == 429
    assert is_replay(await post(strict, ada, key, body), first)


async def test_of_many_at_once_one_alert_is_made(desk: Desk) -> None:
    ada, key, body = desk.sign_in("ada"), str(uuid4()), alert(event=f"Flood {uuid4()}")
    answers = await asyncio.gather(*(post(desk, ada, key, body) for _ in range(8)))
    made = [one for one in answers if one.status_code == 201]
    assert made
    assert len({one.content for one in made}) == 1
    assert len([one for one in made if "Idempotent-Replayed" not in one.headers]) == 1
    for one in answers:
        assert one.status_code == 201 or (one.status_code, codes(one)) == (409, {"in-progress"})
    kept = await desk.rows("SELECT 1 FROM dispatcher_alert WHERE event = :e", e=body["event"])
    assert len(kept) == 1

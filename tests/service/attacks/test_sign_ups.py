"""Sign-ups made to crash the service, to starve it, or to give away who somebody is."""

import asyncio
import hashlib
from uuid import uuid4

import orjson
import pytest

from tests.service.subscriber.desk import Desk, new_phone, sms


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00.5+00:01"])
@pytest.mark.shows("S44", "bad:U20")
async def test_a_time_off_the_calendar_is_refused(subscriber: Desk, at: str) -> None:
    consent = {"given": True, "wording": "2026-01", "at": at}
    answer = await subscriber.sign_up(consent=consent)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] == [{"pointer": "/consent/at", "code": "datetime-range"}]


@pytest.mark.shows("S14")
async def test_a_kept_request_cannot_be_tried_out_for_every_number(subscriber: Desk) -> None:
    body = orjson.dumps(subscriber.body(sms(new_phone())))
    key = uuid4().hex
    answer = await subscriber.client.post(
        "/v1/subscribers",
        content=body,
        headers={"Content-Type": "application/json", "Idempotency-Key": key},
    )
    assert answer.status_code == 202
    (row,) = await subscriber.rows(
        "SELECT digest FROM subscriber_idempotency WHERE key = :key", key=key
    )
    guessed = hashlib.sha256(b"POST\n/v1/subscribers\n\n" + body).digest()
    assert bytes(row["digest"]) != guessed


@pytest.mark.shows("S45", "bad:J27")
async def test_many_sign_ups_at_once_do_not_wait_for_each_other(subscriber: Desk) -> None:
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(subscriber.sign_up() for _ in range(60)))
    assert {answer.status_code for answer in answers} == {202}


@pytest.mark.shows("S23", "S10", "bad:U25")
async def test_a_link_opens_one_profile_only(subscriber: Desk) -> None:
    mine, theirs = await subscriber.member(), await subscriber.member()
    for method, path in (
        ("GET", ""), ("GET", "/export"), ("PATCH", ""), ("DELETE", ""), ("POST", "/places"),
        ("POST", "/contact-points"), ("DELETE", f"/places/{uuid4()}"),
        ("DELETE", f"/contact-points/{uuid4()}"),
    ):  # fmt: skip
        body = {"lon": -72.7, "lat": 41.7} if path == "/places" else {"language": "es"}
        body = sms(new_phone()) if path == "/contact-points" else body
        answer = await subscriber.client.request(
            method,
            theirs.url + path,
            json=None if method in ("GET", "DELETE") else body,
            headers={**mine.headers, "If-Match": "*"},
        )
        assert answer.status_code == 404, (method, path, answer.text)


@pytest.mark.shows("S20", "bad:U22")
async def test_a_code_is_tried_five_times_however_many_try_at_once(subscriber: Desk) -> None:
    who = await subscriber.signed_up()
    right = await subscriber.code(who)
    wrong = [f"{n:06d}" for n in range(40) if f"{n:06d}" != right]
    answers = await asyncio.gather(*(subscriber.confirm(who, 0, code) for code in wrong))
    assert sorted(one.status_code for one in answers)[:6] == [422] * 5 + [429]
    assert (await subscriber.confirm(who, 0, right)).status_code == 429

"""Partners at the directory, by keys that only the dispatcher knows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import orjson
import pytest

from services.dispatcher.staff.keys import make_key
from tests.conftest import KeyRings
from tests.logged import logged
from tests.servers import ServiceDatabase
from tests.service.geofence.desk import Desk as Replica
from tests.service.geofence.psaps.desk import REFUSED_A_MINUTE, Desk, open_psaps
from tests.service.geofence.psaps.partners import RECOGNISE, Partners, asked, open_partners
from tests.simulated import receiving, take_port, url_of

PSAPS = "/v1/psaps"
Fresh = Callable[..., ServiceDatabase]


@pytest.fixture(scope="module")
async def partners(
    database: Callable[[str], ServiceDatabase], keyrings: KeyRings
) -> AsyncIterator[Partners]:
    """The dispatcher."""
    async with open_partners(database("dispatcher"), keyrings) as opened:
        yield opened


@pytest.fixture
async def desk(
    fresh_database: Fresh, keyrings: KeyRings, partners: Partners
) -> AsyncIterator[Desk]:
    """The directory, which asks it."""
    database = fresh_database("geofence")
    async with open_psaps(database, keyrings, dispatcher_url=partners.url) as desk:
        yield desk


def problem(answer: httpx2.Response, status: int) -> str:
    """Return the name of a problem, which the answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).rpartition(":")[2]


def unavailable(answer: httpx2.Response) -> bool:
    """Say whether the answer is that nobody can tell now, and when to come again."""
    assert int(answer.headers["retry-after"]) >= 1
    return problem(answer, 503) == "partners-unavailable"


def with_end(key: dict[str, str], end: str) -> dict[str, str]:
    """Return a key with its secret part changed."""
    return {"X-Api-Key": key["X-Api-Key"][: -len(end)] + end}


async def test_partners_see_emergency_numbers_and_nothing_else_of_a_centre(
    desk: Desk, partners: Partners
) -> None:
    await desk.open_three()
    key = await partners.enrol()
    lists = await desk.client.get(PSAPS, headers=key)
    point = await desk.client.get(PSAPS, params={"lon": -72.75, "lat": 41.55}, headers=key)
    shown = [*lists.json()["psaps"], point.json()["candidates"][0]["psap"]]
    assert len(shown) == 4
    for one in shown:
        assert one.keys() == {
            "code", "name", "valid_from", "valid_until", "emergency_numbers", "towns",
        }  # fmt: skip
    assert "+1860555011" not in lists.text + point.text
    for path in (f"{PSAPS}/A/history", f"{PSAPS}/compliance", f"{PSAPS}/A/ring-through",
                 "/v1/coverage"):  # fmt: skip
        assert problem(await desk.client.get(path, headers=key), 403) == "forbidden"


@pytest.mark.shows("bad:J24")
async def test_a_key_that_is_nobodys_is_refused(desk: Desk, partners: Partners) -> None:
    key = await partners.enrol()
    before = asked()
    for bad in (with_end(key, "AAAAAAAAAAAA"), {"X-Api-Key": make_key().text}):
        assert problem(await desk.client.get(PSAPS, headers=bad), 401) == "unauthorized"
    assert asked() == before + 2
    assert (await desk.client.get(PSAPS, headers=key)).status_code == 200


@pytest.mark.shows("bad:J24", "S43")
async def test_nobody_is_asked_about_what_cannot_be_a_key(desk: Desk, partners: Partners) -> None:
    good, before = (await partners.enrol())["X-Api-Key"], asked()
    for text in ("", " ", "x", good[:-1], good + "x", good.upper(), "ctp_' OR 1=1", "k" * 9000):
        answer = await desk.client.get(PSAPS, headers={"X-Api-Key": text})
        assert problem(answer, 401) == "unauthorized"
    both = [("X-Api-Key", good), ("X-Api-Key", good)]
    assert problem(await desk.client.get(PSAPS, headers=both), 401) == "unauthorized"
    assert asked() == before


async def test_a_disabled_partner_is_out_at_its_next_request(
    desk: Desk, partners: Partners
) -> None:
    key, other = await partners.enrol(), await partners.enrol()
    assert (await desk.client.get(PSAPS, headers=key)).status_code == 200
    await partners.disable(key)
    assert problem(await desk.client.get(PSAPS, headers=key), 401) == "unauthorized"
    assert (await desk.client.get(PSAPS, headers=other)).status_code == 200


@pytest.mark.shows("S45")
async def test_without_the_dispatcher_no_partner_is_let_in_and_staff_are(
    desk: Desk, partners: Partners
) -> None:
    key = await partners.enrol()
    assert (await desk.client.get(PSAPS, headers=key)).status_code == 200
    await partners.line.cut()
    for one in (key, {"X-Api-Key": make_key().text}):
        assert unavailable(await desk.client.get(PSAPS, headers=one))
    assert (await desk.ask(PSAPS)).status_code == 200
    await partners.line.mend()
    assert (await desk.client.get(PSAPS, headers=key)).status_code == 200


@pytest.mark.shows("S45")
async def test_a_replica_that_never_saw_the_dispatcher_is_ready(long_desk: Replica) -> None:
    answer = await long_desk.client.get(PSAPS, headers={"X-Api-Key": make_key().text})
    assert unavailable(answer)
    assert not await long_desk.role.health.ready()


@pytest.mark.shows("S45")
async def test_a_dispatcher_that_never_answers_is_waited_for_a_while(
    fresh_database: Fresh, keyrings: KeyRings
) -> None:
    with take_port() as silent:
        async with open_psaps(
            fresh_database("geofence"), keyrings, dispatcher_url=url_of(silent)
        ) as desk:
            key = {"X-Api-Key": make_key().text}
            assert unavailable(await desk.client.get(PSAPS, headers=key))


ANSWERS: list[tuple[int, Any]] = [
    (200, {}), (200, []), (200, None), (200, {"subject": "partner:1", "town": "*"}),
    (200, {"subject": "", "town": "*", "roles": ["partner"]}),
    (200, {"subject": "partner:1", "town": None, "roles": ["partner"]}),
    (200, {"subject": "partner:1", "town": "*", "roles": [["partner"]]}),
    (200, "x" * 20_000), (302, {}), (401, {"type": "urn:ct-alert:problem:unauthorized"}),
    (403, {"type": "urn:ct-alert:problem:forbidden"}), (404, {}), (404, {"type": 7}),
    (404, {"type": "urn:ct-alert:problem:not-found"}), (500, {}), (503, {}),
]  # fmt: skip


@pytest.mark.shows("S45")
async def test_an_answer_that_says_nothing_of_the_key_lets_nobody_in(
    fresh_database: Fresh, keyrings: KeyRings
) -> None:
    """Another service at the address, an older dispatcher, a token it does not take."""
    key = {"X-Api-Key": make_key().text}
    async with (
        receiving() as other,
        open_psaps(fresh_database("geofence"), keyrings, dispatcher_url=other.url) as desk,
    ):
        for status, body in ANSWERS:
            other.answer = lambda _, status=status, body=body: (status, orjson.dumps(body))  # type: ignore[misc]
            assert unavailable(await desk.client.get(PSAPS, headers=key)), (status, body)
        other.answer = lambda _: (200, b"no JSON")
        assert unavailable(await desk.client.get(PSAPS, headers=key))
        admin = {"subject": "partner:1", "town": "*", "roles": ["admin", "service"]}
        other.answer = lambda _: (200, orjson.dumps(admin))
        assert problem(await desk.client.get(PSAPS, headers=key), 403) == "forbidden"


@pytest.mark.shows("S43", "bad:J27")
async def test_who_guesses_is_braked_and_a_known_partner_beside_is_not(
    desk: Desk, partners: Partners
) -> None:
    """Nobody is asked for a guesser any more; a key that has proved itself stays good."""
    key, unproved = await partners.enrol(), await partners.enrol()
    assert (await desk.client.get(PSAPS, headers=key)).status_code == 200
    for _ in range(REFUSED_A_MINUTE):
        answer = await desk.client.get(PSAPS, headers={"X-Api-Key": make_key().text})
        assert answer.status_code == 401
    before = asked()
    for one in ({"X-Api-Key": make_key().text}, unproved):
        answer = await desk.client.get(PSAPS, headers=one)
        assert problem(answer, 429) == "too-many-requests"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert asked() == before
    assert (await desk.client.get(PSAPS, headers=key)).status_code == 200
    await partners.disable(key)
    for status in (429, 429):
        assert (await desk.client.get(PSAPS, headers=key)).status_code == status
    assert (await desk.ask(PSAPS)).status_code == 200


@pytest.mark.shows("S43", "bad:J27")
async def test_a_flood_of_guesses_is_braked_and_keeps_no_partner_waiting(
    desk: Desk, partners: Partners
) -> None:
    """However many come at once: no more are asked about, and others have turns between them."""
    proved, unproved = await partners.enrol(), await partners.enrol()
    assert (await desk.client.get(PSAPS, headers=proved)).status_code == 200
    before, answers = asked(), list[int]()

    async def guess() -> None:
        answer = await desk.client.get(PSAPS, headers={"X-Api-Key": make_key().text})
        answers.append(answer.status_code)

    async def served(client: httpx2.AsyncClient, key: dict[str, str]) -> int:
        """Ask as a partner; return how many guesses had their answer before."""
        assert (await client.get(PSAPS, headers=key)).status_code == 200
        return len(answers)

    async with desk.calling_from("198.51.100.7") as elsewhere, asyncio.TaskGroup() as group:
        for _ in range(5 * REFUSED_A_MINUTE):
            group.create_task(guess())
        partner = group.create_task(served(desk.client, proved))
        other = group.create_task(served(elsewhere, unproved))
    assert 401 in answers
    assert asked() <= before + REFUSED_A_MINUTE + 2
    assert max(partner.result(), other.result()) < len(answers) / 2


@pytest.mark.shows("S37")
async def test_no_key_is_in_a_log_or_an_answer(desk: Desk, partners: Partners) -> None:
    with logged(level="debug") as log:
        key = await partners.enrol()
        keys = [key, with_end(key, "AAAAAAAAAAAA"), {"X-Api-Key": make_key().text + "!"}]
        said = [(await desk.client.get(PSAPS, headers=one)).text for one in keys]
        await partners.line.cut()
        said.append((await desk.client.get(PSAPS, headers=key)).text)
        await partners.line.mend()
        written = log.getvalue()
    assert '"partners.not_asked"' in written
    for one in keys:
        assert one["X-Api-Key"] not in written + str(said)
        assert one["X-Api-Key"].split("_", 2)[2] not in written + str(said)


@pytest.mark.shows("S13", "bad:J24", "bad:J25")
async def test_the_dispatcher_says_whose_a_key_is_to_services_only(partners: Partners) -> None:
    key = await partners.enrol()
    body = {"api_key": key["X-Api-Key"]}
    answer = await partners.client.post(
        RECOGNISE, json=body, headers=partners.token("geofence", "service")
    )
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said == {"subject": said["subject"], "town": "*", "roles": ["partner"]}
    assert said["subject"].startswith("partner:")
    for headers, status in (({}, 401), (key, 403), (partners.token("issuer", "admin"), 403)):
        answer = await partners.client.post(RECOGNISE, json=body, headers=headers)
        assert answer.status_code == status
    service = partners.token("geofence", "service")
    for text in ("", "x", make_key().text, with_end(key, "AAAAAAAAAAAA")["X-Api-Key"]):
        unknown = await partners.client.post(RECOGNISE, json={"api_key": text}, headers=service)
        assert problem(unknown, 404) == "unknown-partner"
        assert not text or text not in unknown.json()["detail"]
    await partners.disable(key)
    disabled = await partners.client.post(RECOGNISE, json=body, headers=service)
    assert problem(disabled, 404) == "unknown-partner"

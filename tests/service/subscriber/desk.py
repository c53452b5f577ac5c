"""What tests of the subscriber service do again and again: sign up, read codes, read the outbox."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import orjson

from services.subscriber.settings import Context
from shared.db.session import fetch, fetch_value
from shared.events.envelope import decode
from shared.events.subscriber import Card, ContactChanged, NoticeRequested, PlaceChanged
from shared.events.topics import topic_named

HARTFORD = {"label": "home", "lon": -72.6734, "lat": 41.7658}
_BLOCK = itertools.count(random.randrange(700))


def new_phone() -> str:
    """Return a number that no other test has, in a block of its own."""
    return f"+1860{200 + next(_BLOCK) % 700:03d}{random.randrange(10_000):04d}"


def sms(address: str) -> dict[str, str]:
    """Return a contact point for texts."""
    return {"channel": "sms", "address": address}


@dataclass(frozen=True, slots=True)
class Member:
    """A resident with the right to manage their profile."""

    subscriber_id: str
    token: str

    @property
    def url(self) -> str:
        """Return where the profile is."""
        return f"/v1/subscribers/{self.subscriber_id}"

    @property
    def headers(self) -> dict[str, str]:
        """Return what proves them."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Told:
    """One outbox row: the event, or None for a null record."""

    topic: str
    key: str
    lane: int
    event: Any


class Desk:
    """A client of the API, and a look behind it."""

    def __init__(self, client: httpx2.AsyncClient, context: Context) -> None:
        self.client = client
        self.context = context

    def body(self, *points: dict[str, str], **changes: Any) -> dict[str, Any]:
        """Return a sign-up that would be taken, changed as asked."""
        return {
            "language": "en",
            "consent": {"given": True, "wording": "2026-01"},
            "contact_points": list(points) or [sms(new_phone())],
            "places": [HARTFORD],
        } | changes

    async def sign_up(self, *points: dict[str, str], **changes: Any) -> httpx2.Response:
        """Sign somebody up."""
        return await self.client.post("/v1/subscribers", json=self.body(*points, **changes))

    async def signed_up(self, *points: dict[str, str], **changes: Any) -> str:
        """Sign somebody up and return who they are."""
        answer = await self.sign_up(*points, **changes)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["subscriber_id"])

    async def confirm(
        self, subscriber_id: str, contact: int | str = 0, code: str | None = None
    ) -> httpx2.Response:
        """Try a code for a contact point: the one last sent to it, unless another is given."""
        code = code or await self.code(subscriber_id, contact)
        body = {"contact": contact, "code": code}
        return await self.client.post(f"/v1/subscribers/{subscriber_id}/confirm", json=body)

    async def member(self, *points: dict[str, str], **changes: Any) -> Member:
        """Sign somebody up and confirm the first contact point."""
        subscriber_id = await self.signed_up(*points, **changes)
        answer = await self.confirm(subscriber_id)
        assert answer.status_code == 200, answer.text
        return Member(subscriber_id, answer.json()["manage_token"])

    async def code(self, subscriber_id: str, contact: int | str = 0) -> str:
        """Return the code last sent to a contact point, as its owner would read it."""
        point = await self.point(subscriber_id, contact)
        digest = bytes(point["address_hash"]).hex()
        sent = [n for n in await self.notices(subscriber_id) if n.address_hash == digest]
        return str(self.values(sent[-1])["code"])

    async def notices(self, subscriber_id: str) -> list[NoticeRequested]:
        """Return the notices asked for somebody, oldest first."""
        return [
            row.event
            for row in await self.told(subscriber_id)
            if isinstance(row.event, NoticeRequested)
        ]

    def values(self, notice: NoticeRequested) -> Any:
        """Open what a notice says."""
        sealer = self.context.keys.sealer
        return orjson.loads(
            sealer.unseal(notice.values_sealed, context=f"notice:{notice.notice_id}")
        )

    async def told(self, subscriber_id: str) -> list[Told]:
        """Return everything put in the outbox for somebody, in order."""
        rows = await self.rows(
            "SELECT * FROM subscriber_outbox WHERE key = :key ORDER BY id",
            key=subscriber_id.encode(),
        )
        return [_told(row) for row in rows]

    async def state(self, subscriber_id: str) -> tuple[PlaceChanged, ContactChanged]:
        """Return what the other services heard last of somebody."""
        told = await self.told(subscriber_id)
        places = [row.event for row in told if row.topic == "subscriber.place.changed"]
        contacts = [row.event for row in told if row.topic == "subscriber.contact.changed"]
        assert len(places) == len(contacts)
        return places[-1], contacts[-1]

    def card(self, event: ContactChanged) -> Card:
        """Open the card of an event."""
        assert event.card_sealed
        context = f"card:{event.subscriber_id}:{event.version}"
        plain = self.context.keys.sealer.unseal(event.card_sealed, context=context)
        return Card.model_validate_json(plain)

    async def reachable(self, subscriber_id: str) -> set[str]:
        """Return the addresses that alerts would go to, from what was told last."""
        _, contact = await self.state(subscriber_id)
        sealer = self.context.keys.sealer
        return {
            sealer.unseal(point.address_sealed, context="address").decode()
            for point in self.card(contact).contact_points
        }

    async def point(self, subscriber_id: str, contact: int | str) -> Any:
        """Return the row of a contact point, by id or number."""
        [row] = await self.rows(
            """SELECT * FROM subscriber_contact_point WHERE subscriber_id = :id
               AND (position = :n OR contact_id = CAST(:contact AS uuid))""",
            id=UUID(subscriber_id),
            n=contact if isinstance(contact, int) else -1,
            contact=UUID(contact) if isinstance(contact, str) else None,
        )
        return row

    async def rows(self, sql: str, **params: Any) -> Sequence[Any]:
        """Read from the database."""
        async with self.context.database.transaction() as tx:
            return await fetch(tx, sql, **params)

    async def value(self, sql: str, **params: Any) -> Any:
        """Read one value from the database, or change something behind the service's back."""
        async with self.context.database.transaction() as tx:
            return await fetch_value(tx, sql, **params)


async def shown(desk: Desk, who: Member) -> Any:
    """Return the profile."""
    answer = await desk.client.get(who.url, headers=who.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def _told(row: Any) -> Told:
    key, value = bytes(row["key"]), row["value"]
    topic = topic_named(row["topic"])
    event = decode(topic, bytes(value), None, key=key)[1] if value is not None else None
    return Told(row["topic"], key.decode(), row["lane"], event)

"""Somebody who lives here, at the subscriber's interface and at their phone."""

import re
from uuid import UUID

from ctalert.demo.people import Contact, Person
from tests.journey.stage import Stage, until


class Resident:
    """Somebody who uses the subscriber's interface."""

    def __init__(self, stage: Stage, *, number: str | None = None) -> None:
        self.stage, self.number = stage, number or stage.number()
        self.numbers = [self.number]
        self.subscriber_id, self._places, self._mute = "", [(0.0, 0.0)], ""
        self._api = stage.world.subscriber

    @property
    def person(self) -> Person:
        """This resident as the brute force counts people."""
        contacts = tuple(Contact("sms", number) for number in self.numbers if number != self._mute)
        return Person(UUID(self.subscriber_id), "en", contacts, tuple(self._places))

    async def sign_up(self, lon: float, lat: float) -> "Resident":
        """Sign up with one phone and one home, and confirm the code."""
        body = {
            "language": "en",
            "consent": {"given": True, "wording": "2026-01"},
            "contact_points": [{"channel": "sms", "address": self.number}],
            "places": [{"label": "home", "lon": lon, "lat": lat}],
        }
        heard = len(await self._codes(self.number))
        made = await self._api.post("/v1/subscribers", body)
        self.subscriber_id, self._places = made["subscriber_id"], [(lon, lat)]
        await self._confirm(self.number, 0, heard=heard)
        self.stage.residents.append(self)
        return self

    async def add_phone(self) -> None:
        """Add another phone and confirm it."""
        number = self.stage.number()
        body = {"channel": "sms", "address": number}
        await self._api.post(f"{self._path}/contact-points", body)
        await self._confirm(number, len(self.numbers), heard=0)
        self.numbers.append(number)

    async def move(self, lon: float, lat: float) -> None:
        """Move the only home somewhere else."""
        (home,) = (await self._api.get(self._path))["places"]
        body = {"label": "home", "lon": lon, "lat": lat}
        await self._api.put(f"{self._path}/places/{home['place_id']}", body)
        self._places = [(lon, lat)]

    async def leave(self) -> None:
        """Delete the profile."""
        await self._api.delete(self._path)
        self.stage.residents.remove(self)

    async def stop(self) -> None:
        """Text STOP from the first phone."""
        await self._text("STOP")
        self._mute = self.number

    async def start(self) -> None:
        """Text START from the first phone."""
        await self._text("START")
        self._mute = ""

    async def heard(self, alert_id: str) -> int:
        """Return how many texts of this alert's first version have come to all their phones."""
        lines = await self.stage.accepted(alert_id)
        return sum(line["to"] in self.numbers for line in lines)

    async def _text(self, words: str) -> None:
        text = {"from": self.number, "body": words}
        await self.stage.world.simulators.post("/simulator/inbound", text)

    @property
    def _path(self) -> str:
        return f"/v1/subscribers/{self.subscriber_id}"

    async def _confirm(self, number: str, contact: int, *, heard: int) -> None:
        codes = await until(lambda: self._codes(number), lambda codes: len(codes) > heard)
        body = {"contact": contact, "code": codes[-1]}
        confirmed = await self._api.post(f"{self._path}/confirm", body)
        self._api = self.stage.world.subscriber.as_bearer(confirmed["manage_token"])

    async def _codes(self, number: str) -> list[str]:
        answer = await self.stage.world.simulators.get("/simulator/messages", to=number, kind="sms")
        texts = [line["body"] for line in answer["messages"]]
        return [found[0] for text in texts if (found := re.match(r"\d{6}\b", text))]

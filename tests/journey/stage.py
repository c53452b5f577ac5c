"""What people do with the running system, over its interfaces, and what must then be true."""

import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import aiohttp

from ctalert.demo.account import account
from ctalert.demo.ask import Api, Refused, World
from ctalert.demo.people import Person
from ctalert.demo.roster import expected_deliveries
from ctalert.demo.warn import partner_api
from shared.clock import SystemClock
from tests import waiting
from tests.journey.system import System

T = TypeVar("T")

# Nobody the seed makes has such a number.
_FIRST_NUMBER = 18605552001
# Whatever the last digits of a number mean to the simulators.
_REACHED: Mapping[str, Any] = {
    "sms": {"receipts": [{"status": "sent"}, {"status": "delivered"}]},
    "voice": {"receipts": [{"status": "completed", "answered_by": "human"}]},
}
# What is looked at is the system that is to get on with it meanwhile.
_PAUSE_S = 0.2
_EARTH_M = 6_371_008.8


async def until(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, within_s: float = 20
) -> T:
    """Look again and again until what is seen is as wanted, also while parts are started again."""
    passing = (aiohttp.ClientError, TimeoutError)
    return await waiting.until(look, holds, within_s=within_s, pause_s=_PAUSE_S, passing=passing)


def metres(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the distance of two points (lon, lat) on a sphere: right to half a percent here."""
    (x, y), (u, v) = [(math.radians(lon), math.radians(lat)) for lon, lat in (one, other)]
    part = math.sin((v - y) / 2) ** 2 + math.cos(y) * math.cos(v) * math.sin((u - x) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(part))


def circle(lon: float, lat: float, radius_m: float) -> dict[str, Any]:
    """Return a circle as the interfaces write areas."""
    return {"include": [{"type": "circle", "lon": lon, "lat": lat, "radius_m": radius_m}]}


class Lives(Protocol):
    """Somebody who signed up and has not left."""

    @property
    def person(self) -> Person:
        """This resident as the brute force counts people."""


class Stage:
    """One running system, who lives there, and its interfaces."""

    def __init__(self, system: System, world: World) -> None:
        self.system, self.world = system, world
        self.residents: list[Lives] = []
        self._seeded = system.people
        self._number = _FIRST_NUMBER

    @property
    def people(self) -> list[Person]:
        """Everybody who lives here now and can be reached: of the seed, or signed up."""
        signed_up = [one.person for one in self.residents]
        return [*self._seeded, *(one for one in signed_up if one.contacts)]

    def number(self) -> str:
        """Return a telephone number that nobody else has, and that behaves well."""
        self._number += 1
        return f"+{self._number}"

    def manager(self, name: str = "second-person") -> Api:
        """Return the dispatcher's API for a manager who has just signed in."""
        return self.world.dispatcher.as_bearer(self.system.token("manager", subject=name))

    async def partner(self) -> Api:
        """Return the dispatcher's API with a partner's key."""
        return await partner_api(
            self.world,
            admin_token=self.system.token("admin", subject="admin"),
            kept=self.system.data / "partner.json",
        )

    async def known(self, area: Mapping[str, Any], people: int) -> None:
        """Return when the geofence counts so many people in the area."""
        api = self.world.geofence.as_bearer(self.system.token("manager", subject="viewer"))

        async def counted() -> int | None:
            try:
                return int((await api.post("/v1/areas/preview", {"area": area}))["people"])
            except Refused as error:
                # Started again, it says so until its index is built.
                if error.status != 503:
                    raise
                return None

        await until(counted, lambda seen: seen == people, within_s=30)

    async def draft(self, area: Mapping[str, Any], **other: Any) -> dict[str, Any]:
        """Draft an alert by hand and submit it."""
        body = {
            "event": "Boil Water Advisory", "category": "Health", "severity": "Extreme",
            "urgency": "Immediate", "certainty": "Observed", "status": "Actual",
            "emergency": True, "area": area, "channels": ["sms", "voice", "email"],
            "expires_at": (SystemClock().now() + timedelta(minutes=30)).isoformat(),
            "texts": {"en-US": {"headline": "Boil your water", "description": "A main broke."}},
        }  # fmt: skip
        manager = self.manager("first-person")
        key = {"Idempotency-Key": str(uuid4())}
        made = await manager.post("/v1/alerts", body | other, **key)
        path = f"/v1/alerts/{made['alert_id']}"
        submitted: dict[str, Any] = await manager.post(f"{path}/submit", None)
        return submitted

    async def approve(self, alert_id: str, *, name: str = "second-person") -> dict[str, Any]:
        """Approve an alert as it is shown."""
        manager, path = self.manager(name), f"/v1/alerts/{alert_id}"
        shown = await manager.get(path)
        body = {"digest": shown["digest"], "count": shown["count"]}
        approved: dict[str, Any] = await manager.post(f"{path}/approve", body)
        return approved

    async def warn(self, area: Mapping[str, Any], **other: Any) -> str:
        """Draft, submit and approve an alert; return its id."""
        alert_id: str = (await self.draft(area, **other))["alert_id"]
        await self.approve(alert_id)
        return alert_id

    async def report(self, alert_id: str) -> dict[str, Any]:
        """Return the report of an alert."""
        report: dict[str, Any] = await self.manager().get(f"/v1/alerts/{alert_id}/report")
        return report

    async def deliveries(self, alert_id: str, *, version: int = 1) -> list[dict[str, Any]]:
        """Return the deliveries of a version of an alert."""
        answer = await self.manager().get(f"/v1/alerts/{alert_id}/deliveries", limit="10000")
        return [row for row in answer["deliveries"] if row["version"] == version]

    async def ledger(self) -> list[dict[str, Any]]:
        """Return everything the providers ever accepted or refused, in its order."""
        text = await self.world.simulators.get_text(
            "/simulator/ledger", kind="sms,voice,email,refused"
        )
        return [json.loads(line) for line in text.splitlines()]

    async def accepted(self, alert_id: str, *, version: int = 1) -> list[dict[str, Any]]:
        """Return what the providers accepted for a version of an alert, in its order."""
        ids = {row["delivery_id"] for row in await self.deliveries(alert_id, version=version)}
        return [line for line in await self.ledger() if line.get("delivery_id") in ids]

    async def rules(self, *rules: Mapping[str, Any]) -> None:
        """Have the providers behave so from now on, and reach everybody they accept."""
        given = [*rules, *({"kind": kind} for kind in _REACHED)]
        filled = [{**_REACHED.get(rule["kind"], {}), **rule} for rule in given]
        await self.world.simulators.post("/simulator/rules", {"rules": filled, "seed": 7})

    async def ended(self, alert_id: str, inside: Sequence[Person], *, within_s: float = 30) -> None:
        """Return when everybody inside is reached and nothing is under way but receipts."""
        expected = expected_deliveries(inside, emergency=True)

        async def look() -> tuple[bool, list[tuple[str, str]], dict[str, int]]:
            report, missing = await self.report(alert_id), []
            if report["complete"]:
                rows, ledger = await self.deliveries(alert_id), await self.ledger()
                missing = sorted(account(expected=expected, deliveries=rows, ledger=ledger).missing)
            return report["complete"], missing, report["by_state"]

        await until(look, lambda seen: seen[:2] == (True, []), within_s=within_s)

    async def check(self, alert_id: str, inside: Sequence[Person]) -> dict[str, Any]:
        """Hold rows, report, ledger and brute force against one another; return the report.

        All of them are counted while nothing is under way any more but receipts.
        """
        ledger, rows = await self.ledger(), await self.deliveries(alert_id)
        report = await self.report(alert_id)
        expected = expected_deliveries(inside, emergency=True)
        checked = account(expected=expected, deliveries=rows, ledger=ledger)
        emails = self.repeats([line for line in ledger if line["kind"] == "email"], rows)
        assert checked.duplicates == sum(emails.values()), "a text or a call was doubled"
        assert (checked.lost, checked.false_handed_over, checked.phantom) == (0, 0, 0)
        accepted = {line["delivery_id"] for line in ledger if line["kind"] != "refused"}
        ids = {row["delivery_id"] for row in rows}
        assert report["deliveries"] == len(rows) == len(expected)
        assert report["handed_over"] == len(ids & accepted)
        states = Counter(row["state"] for row in await self.deliveries(alert_id))
        shares = ("delivered", "awaiting_receipt", "pending")
        parts = sum(report[one] for one in shares) + report["failed"]["total"]
        assert parts == sum(states.values()) == report["deliveries"]
        assert report["audience"]["people"] == len({one.subscriber_id for one in inside})
        for name in ("deliveries", "handed_over", *shares):
            assert report[name] == sum(part[name] for part in report["by_channel"].values())
        return report

    @staticmethod
    def repeats(
        lines: Iterable[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]
    ) -> Counter[str]:
        """Return which deliveries of these rows the lines hold more than once, and how often."""
        ids = {row["delivery_id"] for row in rows}
        count = Counter(line["delivery_id"] for line in lines if line["delivery_id"] in ids)
        return Counter({one: number - 1 for one, number in count.items() if number > 1})


async def refusal(asking: Awaitable[Any]) -> int:
    """Return the status with which something is refused."""
    try:
        await asking
    except Refused as refused:
        return refused.status
    raise AssertionError("it was not refused")

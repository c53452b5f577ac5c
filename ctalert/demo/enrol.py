"""One resident opts in as anybody would: sign up, read the code, confirm it."""

import asyncio
import re
import secrets
from typing import Any

from ctalert.demo.ask import World
from ctalert.demo.people import Contact, Person

# Meriden's town hall: inside the demo's storm.
HOME = (-72.8070, 41.5382)


async def enrol(world: World) -> Person:
    """Sign a new resident up over HTTP and confirm the code that their phone received.

    Raises:
        TimeoutError: the code did not come within 30 s.
    """
    # The simulators treat numbers that end below 0100 as special.
    number = f"+1860555{100 + secrets.randbelow(9_900):04d}"
    # A number may have had codes before: only one sent after this moment counts.
    before = len(await _texts_to(world, number))
    signed_up = await world.subscriber.post(
        "/v1/subscribers",
        {
            "language": "en",
            "consent": {"given": True, "wording": "2026-01"},
            "contact_points": [{"channel": "sms", "address": number}],
            "places": [{"label": "home", "lon": HOME[0], "lat": HOME[1]}],
        },
    )
    async with asyncio.timeout(30):
        while len(texts := await _texts_to(world, number)) <= before:
            await asyncio.sleep(0.1)
    code = re.search(r"\b\d{6,8}\b", texts[-1]["body"])
    confirmed = await world.subscriber.post(
        f"/v1/subscribers/{signed_up['subscriber_id']}/confirm",
        {"contact": 0, "code": code[0] if code else ""},
    )
    return Person(
        subscriber_id=confirmed["subscriber_id"],
        language="en",
        contacts=(Contact("sms", number),),
        places=(HOME,),
    )


async def _texts_to(world: World, number: str) -> list[dict[str, Any]]:
    answer = await world.simulators.get("/simulator/messages", to=number, kind="sms")
    found: list[dict[str, Any]] = answer["messages"]
    return found

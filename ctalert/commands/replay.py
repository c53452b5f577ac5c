"""`ctl replay`: publish everybody's present roster, or what an outbox held, once more."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ctalert import provision
from ctalert.adopt import servers
from ctalert.catalogue import SERVICES
from services.subscriber.roster.replay import Replayed, replay
from services.subscriber.settings import Keys
from shared.bus.outbox import Outbox, replay_outbox
from shared.clock import SystemClock
from shared.db.session import ALL_TOWNS, open_database
from shared.events.topics import LIVING, topic_named
from shared.security.keys import KeyRing

# After the loss of a broker: whatever was written, for whoever had not read it.
EVERY = "every"


def run(arguments: list[str]) -> int:
    """Put what is asked for in the outboxes again; the relays of a running system send it."""
    parser = argparse.ArgumentParser(prog="ctl replay", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("roster", help="everybody's present places and cards, and who was erased")
    outbox = kinds.add_parser("outbox", help="what was written for a topic since a moment")
    topics = sorted(topic.name for topic in LIVING if not topic.compacted)
    outbox.add_argument("--topic", required=True, choices=[EVERY, *topics])
    outbox.add_argument("--since", required=True, type=_moment, metavar="2026-01-31T08:00:00Z")
    outbox.add_argument("--service", action="append", choices=SERVICES, dest="services")
    options = parser.parse_args(arguments)
    with servers(database=provision.needs_database(), kafka=False) as addresses:
        environment = provision.provide(addresses)
        if options.kind == "roster":
            told = asyncio.run(_replay_roster(environment))
            print(f"{told} residents are told of again")
            return 0
        chosen = topics if options.topic == EVERY else [options.topic]
        for service in options.services or SERVICES:
            rows = asyncio.run(_replay_topics(environment, service, chosen, options.since))
            print(f"{service}: {rows} rows go out again")
    return 0


async def _replay_roster(environment: Mapping[str, str]) -> int:
    ring = KeyRing.load(environment["CTALERT_SUBSCRIBER_KEYRING"])
    outbox = Outbox("subscriber", signer=ring.signer, clock=SystemClock())
    database = open_database(_url(environment, "subscriber"), application_name="ctl-replay")
    so_far = Replayed()
    try:
        while not so_far.done:
            async with database.transaction(town=ALL_TOWNS) as tx:
                so_far = await replay(tx, so_far, outbox=outbox, keys=Keys.of(ring))
    finally:
        await database.close()
    return so_far.told


async def _replay_topics(
    environment: Mapping[str, str], service: str, topics: Sequence[str], since: datetime
) -> int:
    database = open_database(_url(environment, service), application_name="ctl-replay")
    try:
        async with database.transaction(town=ALL_TOWNS) as tx:
            return sum(
                [
                    await replay_outbox(tx, service, topic=topic_named(topic), since=since)
                    for topic in topics
                ]
            )
    finally:
        await database.close()


def _url(environment: Mapping[str, str], service: str) -> str:
    return environment[f"CTALERT_{service.upper()}_DATABASE_URL"]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""`ctl migrate`: bring the three databases to the newest schema and make the topics."""

import argparse
import asyncio
from collections.abc import Mapping

from ctalert import provision
from ctalert.adopt import servers
from ctalert.catalogue import SERVICES
from shared.bus.kafka.bus import Bus
from shared.db.migrate import current, upgrade


def run(arguments: list[str]) -> int:
    """Migrate every service and print where each is."""
    argparse.ArgumentParser(prog="ctl migrate", description=__doc__).parse_args(arguments)
    with servers(database=provision.needs_database(which="OWNER_DATABASE_URL")) as addresses:
        environment = provision.provide(addresses)
        migrate(environment)
        for service in SERVICES:
            print(f"{service}: {current(service, _owner_url(service, environment))}")
    return 0


def migrate(environment: Mapping[str, str]) -> None:
    """Migrate what this environment names; nothing changes where all is up to date."""
    for service in SERVICES:
        upgrade(service, _owner_url(service, environment))
    asyncio.run(_make_topics(environment))


async def _make_topics(environment: Mapping[str, str]) -> None:
    bus = Bus(
        environment["CTALERT_KAFKA_BOOTSTRAP"],
        namespace=environment.get("CTALERT_BUS_NAMESPACE", ""),
        client_id="ctl-migrate",
        replication=int(environment.get("CTALERT_TOPIC_REPLICATION") or 1),
        partitions=int(environment.get("CTALERT_TOPIC_PARTITIONS") or 6),
    )
    try:
        await bus.create_topics()
    finally:
        await bus.close()


def _owner_url(service: str, environment: Mapping[str, str]) -> str:
    name = f"CTALERT_{service.upper()}_OWNER_DATABASE_URL"
    url = environment.get(name)
    if not url:
        raise SystemExit(f"ctl migrate: {name} is not set")
    return url

"""`ctl seed`: make-believe residents, taken in as an import of people who had confirmed."""

import argparse
import asyncio
import os
from pathlib import Path

from ctalert.adopt import servers
from ctalert.commands.migrate import migrate
from ctalert.data_folder import open_data_folder
from ctalert.demo.arguments import at_least
from ctalert.demo.people import Person, make_people
from ctalert.demo.roster import append_roster, read_roster
from ctalert.provision import provide
from services.subscriber.imports.take_in import take_in
from services.subscriber.roster.resident import NewContact, NewPlace, NewResident
from services.subscriber.service import open_back_office
from shared.connecticut import towns

BATCH = 2_000
SEED = 169


def run(arguments: list[str]) -> int:
    """Take in as many residents as are missing and print how many there are."""
    parser = argparse.ArgumentParser(prog="ctl seed")
    parser.add_argument("--residents", type=at_least(1), default=10_000)
    parser.add_argument(
        "--seed", type=at_least(0), default=SEED, help="the same number, the same people"
    )
    options = parser.parse_args(arguments)
    with servers() as addresses:
        environment = provide(addresses)
        migrate(environment)
        os.environ.update(environment)
        made = asyncio.run(seed(count=options.residents, seed=options.seed))
    print(f"{made} residents taken in, list: {roster_path()}")
    return 0


def roster_path() -> Path:
    """Return where the list of make-believe residents lies."""
    return open_data_folder() / "residents.jsonl"


async def seed(*, count: int, seed: int = SEED) -> int:
    """Take in those of the `count` residents who are not on the list yet; return how many.

    A batch is committed before it goes on the list; one that was committed just before a kill is
    taken in again under the same identifiers, which changes nothing.
    """
    known = {person.subscriber_id for person in read_roster(roster_path())}
    people = make_people(count, towns=towns(), seed=seed)
    missing = [person for person in people if person.subscriber_id not in known]
    async with open_back_office() as office:
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            async with office.database.transaction() as tx:
                await take_in(
                    tx,
                    [_new(person) for person in batch],
                    batch=f"seed-{seed}",
                    source="make-believe",
                    outbox=office.outbox,
                    keys=office.keys,
                )
            append_roster(roster_path(), batch)
    return len(missing)


def _new(person: Person) -> NewResident:
    return NewResident(
        subscriber_id=person.subscriber_id,
        language=person.language,
        contacts=tuple(
            NewContact(c.channel, c.address, "statutory" if c.statutory else "verified")
            for c in person.contacts
        ),
        places=tuple(NewPlace(lon=lon, lat=lat) for lon, lat in person.places),
    )

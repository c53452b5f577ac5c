"""The list of who lives where that the seed keeps: the demo's own truth, beside the services."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import shapely

from ctalert.demo.people import Contact, Person


def read_roster(path: Path) -> list[Person]:
    """Return everybody on the list, an empty one where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return [_person(json.loads(line)) for line in lines]


def append_roster(path: Path, people: Iterable[Person]) -> None:
    """Add people to the list, each on one line, durable on return."""
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as lines:
        lines.writelines(json.dumps(asdict(person), default=str) + "\n" for person in people)
        lines.flush()


def who_lives_inside(people: Sequence[Person], area: shapely.Geometry) -> list[Person]:
    """Return those with a place in the area, on the edge included, by testing every point.

    area: geometry in degrees WGS 84 (lon, lat). Brute force owes nothing to the index it checks.
    """
    points = [(n, place) for n, person in enumerate(people) for place in person.places]
    inside = shapely.intersects(area, shapely.points([place for _, place in points]))
    found = sorted({points[k][0] for k in inside.nonzero()[0]})
    return [people[n] for n in found]


def expected_deliveries(inside: Sequence[Person], *, emergency: bool) -> set[tuple[str, str]]:
    """Return (channel, address) of everyone to reach; statutory landlines only in an emergency.

    Source: CGS 28-28a.
    """
    return {
        (contact.channel, contact.address)
        for person in inside
        for contact in person.contacts
        if emergency or not contact.statutory
    }


def _person(row: dict[str, list[list[float]]]) -> Person:
    raw = dict(row)
    return Person(
        subscriber_id=UUID(str(raw["subscriber_id"])),
        language=str(raw["language"]),
        contacts=tuple(Contact(**contact) for contact in raw["contacts"]),  # type: ignore[arg-type]
        places=tuple((place[0], place[1]) for place in raw["places"]),
    )

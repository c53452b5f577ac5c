"""A snapshot: the index, the offsets it reflects, of which topic and when."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.geofence.index.columns import Places, Sorted
from services.geofence.index.grid import Grid
from services.geofence.index.people import Everybody
from services.geofence.index.snapshots.columns_file import (
    Columns,
    NotTrusted,
    read_columns,
    write_columns,
)
from shared.events.topics import PLACE_CHANGED

FILE = "roster.snapshot"
FORMAT = 1
# A null record is kept this long: who starts from an older snapshot could miss an erasure. An
# hour less, in which what came after the snapshot is read.
OLDEST = timedelta(milliseconds=int(PLACE_CHANGED.config()["delete.retention.ms"])) - timedelta(
    hours=1
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """People and places as of the next offsets to read of a topic."""

    topic_id: str
    offsets: Mapping[int, int]
    taken_at: datetime
    everybody: Everybody
    places: Sorted


def write_snapshot(folder: Path, snapshot: Snapshot) -> None:
    """Write a snapshot in the place of the one before.

    Raises:
        OSError: it cannot be written.
    """
    places, everybody = snapshot.places, snapshot.everybody
    head = {
        "format": FORMAT,
        "topic_id": snapshot.topic_id,
        "offsets": {str(one): offset for one, offset in snapshot.offsets.items()},
        "taken_at": snapshot.taken_at.isoformat(),
        "grid": asdict(places.grid),
        "tags": list(everybody.tags),
    }
    columns: Columns = {
        "lon": places.lon,
        "lat": places.lat,
        "person": places.person,
        "start": places.start,
        "fuzzy_lon": places.fuzzy.lon,
        "fuzzy_lat": places.fuzzy.lat,
        "fuzzy_m": places.fuzzy.uncertainty_m,
        "fuzzy_person": places.fuzzy.person,
        "ids": everybody.ids,
        "versions": everybody.versions,
        "traits": everybody.traits,
        "slots": everybody.slots,
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_columns(folder / FILE, head, columns)


def read_snapshot(folder: Path, *, grid: Grid) -> Snapshot:
    """Map the snapshot of a folder.

    Raises:
        FileNotFoundError: there is none.
        NotTrusted: it is broken, altered, or of another program.
    """
    head, columns = read_columns(folder / FILE)
    if head.get("format") != FORMAT or head.get("grid") != asdict(grid):
        raise NotTrusted("another-format")
    return _snapshot(head, columns, grid)


def _snapshot(head: Mapping[str, Any], columns: Mapping[str, Any], grid: Grid) -> Snapshot:
    fuzzy = ("fuzzy_lon", "fuzzy_lat", "fuzzy_m", "fuzzy_person")
    return Snapshot(
        topic_id=head["topic_id"],
        offsets={int(one): offset for one, offset in head["offsets"].items()},
        taken_at=datetime.fromisoformat(head["taken_at"]),
        everybody=Everybody(
            ids=columns["ids"],
            versions=columns["versions"],
            traits=columns["traits"],
            tags=head["tags"],
            slots=columns["slots"],
        ),
        places=Sorted(
            grid=grid,
            lon=columns["lon"],
            lat=columns["lat"],
            person=columns["person"],
            start=columns["start"],
            fuzzy=Places(*(columns[name] for name in fuzzy)),
        ),
    )

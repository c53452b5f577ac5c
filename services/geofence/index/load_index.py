"""Read all places and the offsets they reflect as of one moment."""

import asyncio
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.geofence.index import store
from services.geofence.index.change import FORGOTTEN
from services.geofence.index.columns import Places, join, no_places
from services.geofence.index.intake.languages import Languages
from services.geofence.index.live_index import LiveIndex
from services.geofence.index.people import Roll
from shared.db.session import Tx

Records: TypeAlias = NDArray[np.void]

# Residents read at a time: 1.3 MB from the server, 2 MB of places.
BATCH = 50_000
_RESIDENT = np.dtype([("id", "S16"), ("version", ">i8"), ("channels", ">i2"), ("language", ">i2")])
_PLACE = np.dtype([("id", "S16"), ("lon", ">f8"), ("lat", ">f8"), ("metres", ">f8")])


@dataclass(frozen=True, slots=True)
class Loaded:
    """An index and, by partition, the next offset of the roster topic to read."""

    index: LiveIndex
    offsets: dict[int, int]


async def load_index(tx: Tx, *, topic_id: str) -> Loaded:
    """Build an index from the place tables; the transaction must have read nothing yet."""
    await store.read_at_one_moment(tx)
    offsets = await store.read_offsets(tx, topic_id=topic_id)
    rolls = [np.empty(0, _RESIDENT)]
    places = [no_places()]
    spoken = [np.empty(0, np.uint16)]
    languages = Languages()
    after, known = UUID(int=0), 0
    while True:
        packed, tags = await store.read_residents(tx, after=after, limit=BATCH, forgotten=FORGOTTEN)
        roll = np.frombuffer(packed, _RESIDENT)
        if not len(roll):
            break
        until = UUID(bytes=packed[-store.RESIDENT_BYTES :][:16])
        found = await store.read_places(tx, after=after, until=until)
        places.append(_places(roll, np.frombuffer(found, _PLACE), known))
        numbers = np.array([languages.number(tag) for tag in tags], np.uint16)
        spoken.append(numbers[roll["language"]])
        rolls.append(roll)
        after, known = until, known + len(roll)

    def build() -> LiveIndex:
        people = np.concatenate(rolls)
        roll = Roll(
            ids=people["id"],
            versions=people["version"].astype(np.int64),
            reach=people["channels"].astype(np.uint8),
            language=np.concatenate(spoken),
            tags=languages.tags[1:],
        )
        return LiveIndex(roll, join(*places))

    return Loaded(await asyncio.to_thread(build), offsets)


def _places(roll: Records, rows: Records, known: int) -> Places:
    owner = np.searchsorted(roll["id"], rows["id"]) + known
    return Places(
        rows["lon"].astype(np.float64),
        rows["lat"].astype(np.float64),
        rows["metres"].astype(np.float64),
        owner.astype(np.int32),
    )

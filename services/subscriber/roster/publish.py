"""Tells the other services how residents stand now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from services.subscriber.roster import store, store_points
from services.subscriber.roster.card import whole_state
from services.subscriber.settings import Keys
from shared.bus.outbox import ROSTERS, Outbox
from shared.db.session import Tx
from shared.events.base import Event

# Rows read and events put at a time: bounds the memory of an import, not its speed.
BATCH = 1000


async def publish(
    tx: Tx, subscriber_ids: Sequence[UUID], *, outbox: Outbox, keys: Keys, changed: bool = True
) -> dict[UUID, int]:
    """Put the whole state of residents in the outbox and return the version of each.

    Their rows are locked in the order of ids; `changed` gives each the next version first.
    Residents without any contact point proved so far get the version but are not told of.
    """
    versions: dict[UUID, int] = {}
    wanted = sorted(set(subscriber_ids))
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        residents = await store.lock(tx, batch)
        if changed:
            residents = sorted(
                await store.raise_versions(tx, batch), key=lambda row: row["subscriber_id"]
            )
        versions |= {row["subscriber_id"]: row["version"] for row in residents}
        known = [row for row in residents if row["confirmed_at"] is not None]
        if known:
            await _put(tx, known, outbox=outbox, keys=keys)
    return versions


async def _put(
    tx: Tx, residents: Sequence[Mapping[Any, Any]], *, outbox: Outbox, keys: Keys
) -> None:
    ids = [row["subscriber_id"] for row in residents]
    places = _by_resident(await store.read_places(tx, ids))
    points = _by_resident(await store_points.read_points(tx, ids, reachable_only=True))
    events: list[Event] = []
    for row in residents:
        mine = row["subscriber_id"]
        events += whole_state(row, places=places[mine], points=points[mine], sealer=keys.sealer)
    await outbox.put(tx, *events, lane=ROSTERS)


def _by_resident(rows: Iterable[Mapping[Any, Any]]) -> dict[UUID, list[Mapping[Any, Any]]]:
    sorted_out: dict[UUID, list[Mapping[Any, Any]]] = defaultdict(list)
    for row in rows:
        sorted_out[row["subscriber_id"]].append(row)
    return sorted_out

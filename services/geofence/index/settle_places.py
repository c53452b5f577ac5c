"""Write changes of the roster into the place tables, newest version wins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.geofence.index import store
from services.geofence.index.change import Change, Spot, Stay
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Step:
    """A change that took effect, when it happened, and the places that it ended."""

    change: Change
    happened_at: datetime
    left: tuple[Stay, ...]


async def settle_places(
    tx: Tx,
    changes: Sequence[tuple[Change, datetime]],
    *,
    topic_id: str,
    offsets: Mapping[int, int],
) -> list[Step]:
    """Write changes, each with when it happened, and the next offsets of the roster topic.

    Of one resident only the newest change of the batch is written. An erased resident stays
    erased whatever comes later. Return each step that was taken, those between two changes of
    one batch too, in order; who is erased by now takes none.
    """
    newest: dict[UUID, Change] = {}
    for change, _ in changes:
        known = newest.get(change.subscriber_id)
        if known is None or _rank(change) > _rank(known):
            newest[change.subscriber_id] = change
    ordered = sorted(newest.values(), key=lambda change: change.subscriber_id)
    taken = await store.upsert_residents(tx, ordered)
    steps: list[Step] = []
    if taken:
        # Only now that their rows are held: nobody else moves them before this transaction ends.
        stays = await store.remove_places(tx, taken)
        live = {one: version for one, version in taken.items() if not newest[one].erased}
        stays = {one: stays.get(one, ()) for one in live}
        steps = _take(changes, versions=live, stays=stays)
        await store.add_places(tx, stays)
    await store.write_offsets(tx, topic_id=topic_id, offsets=offsets)
    return steps


def _take(
    changes: Sequence[tuple[Change, datetime]],
    *,
    versions: dict[UUID, int],
    stays: dict[UUID, tuple[Stay, ...]],
) -> list[Step]:
    """Return the steps of residents, and carry their versions and places on to the last."""
    steps: list[Step] = []
    for change, at in changes:
        who = change.subscriber_id
        if who in versions and change.version > versions[who]:
            before, there = stays[who], {_position(spot) for spot in change.spots}
            left = tuple(stay for stay in before if _position(stay.spot) not in there)
            steps.append(Step(change, at, left))
            versions[who], stays[who] = change.version, _after(change, at, before)
    return steps


def _after(change: Change, at: datetime, before: Sequence[Stay]) -> tuple[Stay, ...]:
    """Return the places of a change; those that were some before have been since then."""
    since = {_position(stay.spot): stay.since for stay in before}
    return tuple(Stay(spot, since.get(_position(spot), at)) for spot in change.spots)


def _position(spot: Spot) -> tuple[float, float, float]:
    return spot.lon, spot.lat, spot.uncertainty_m


def _rank(change: Change) -> tuple[bool, int]:
    return change.erased, change.version

"""Write changes of the roster into the place tables, newest version wins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.geofence.index import store
from services.geofence.index.change import Change, Spot
from shared.db.session import Tx


@dataclass(frozen=True, slots=True)
class Step:
    """A change that took effect, and the places that those of it take the place of."""

    change: Change
    before: tuple[Spot, ...]


async def settle_places(
    tx: Tx,
    changes: Sequence[Change],
    *,
    topic_id: str,
    offsets: Mapping[int, int],
    retrace: bool = False,
) -> list[Step]:
    """Write changes and the next offsets of the roster topic.

    Of one resident only the newest change of the batch is written. An erased resident stays
    erased whatever comes later. With `retrace` return each step that was taken, those between
    two changes of one batch too, in order; who is erased by now takes none.
    """
    newest: dict[UUID, Change] = {}
    for change in changes:
        known = newest.get(change.subscriber_id)
        if known is None or _rank(change) > _rank(known):
            newest[change.subscriber_id] = change
    ordered = sorted(newest.values(), key=lambda change: change.subscriber_id)
    taken = await store.upsert_residents(tx, ordered)
    news = [change for change in ordered if change.subscriber_id in taken]
    # Only now that their rows are held: nobody else moves them before this transaction ends.
    left = await store.spots_of(tx, taken) if retrace and news else {}
    if news:
        await store.replace_places(tx, news)
    await store.write_offsets(tx, topic_id=topic_id, offsets=offsets)
    stay = {change.subscriber_id for change in news if retrace and not change.erased}
    return _steps([one for one in changes if one.subscriber_id in stay], versions=taken, left=left)


def _steps(
    changes: Sequence[Change],
    *,
    versions: Mapping[UUID, int],
    left: Mapping[UUID, tuple[Spot, ...]],
) -> list[Step]:
    steps: list[Step] = []
    versions, left = dict(versions), dict(left)
    for change in changes:
        who = change.subscriber_id
        if change.version > versions[who]:
            steps.append(Step(change, left.get(who, ())))
            versions[who], left[who] = change.version, change.spots
    return steps


def _rank(change: Change) -> tuple[bool, int]:
    return change.erased, change.version

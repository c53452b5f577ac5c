"""Write changes of the roster into the place tables, newest version wins."""

from collections.abc import Mapping, Sequence

from services.geofence.index import store
from services.geofence.index.change import Change
from shared.db.session import Tx


async def settle_places(
    tx: Tx, changes: Sequence[Change], *, topic_id: str, offsets: Mapping[int, int]
) -> list[Change]:
    """Write changes and the next offsets of the roster topic; return the changes that were news.

    Of one resident only the newest change of the batch is written. An erased resident stays
    erased whatever comes later.
    """
    newest: dict[object, Change] = {}
    for change in changes:
        known = newest.get(change.subscriber_id)
        if known is None or _rank(change) > _rank(known):
            newest[change.subscriber_id] = change
    ordered = sorted(newest.values(), key=lambda change: change.subscriber_id)
    taken = await store.upsert_residents(tx, ordered)
    news = [change for change in ordered if change.subscriber_id in taken]
    if news:
        await store.replace_places(tx, news)
    await store.write_offsets(tx, topic_id=topic_id, offsets=offsets)
    return news


def _rank(change: Change) -> tuple[bool, int]:
    return change.erased, change.version

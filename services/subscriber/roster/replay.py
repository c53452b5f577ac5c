"""Tells the other services of everybody again, the erased ones too."""

from dataclasses import dataclass
from uuid import UUID

from services.subscriber.roster import store
from services.subscriber.roster.card import ROSTER_TOPICS, erased_state
from services.subscriber.roster.publish import publish
from services.subscriber.settings import Keys
from shared.bus.outbox import ROSTERS, Outbox
from shared.db.session import Tx
from shared.events.base import Event


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replay has come: give it to the next call."""

    told: int = 0
    last: UUID | None = None
    living_done: bool = False
    done: bool = False


async def replay(
    tx: Tx, so_far: Replayed, *, outbox: Outbox, keys: Keys, limit: int = 500
) -> Replayed:
    """Put the next `limit` residents in the outbox, in the versions they have.

    Call it in one transaction after another until it is done: each holds its residents' rows
    locked, so that nobody's newer version can be overtaken.
    """
    if not so_far.living_done:
        ids = await store.page_of_residents(tx, after=so_far.last, limit=limit)
        if not ids:
            return Replayed(so_far.told, None, living_done=True)
        told = await publish(tx, ids, outbox=outbox, keys=keys, changed=False)
        return Replayed(so_far.told + len(told), ids[-1])
    rows = await store.lock_erased(tx, after=so_far.last, limit=limit)
    if not rows:
        return Replayed(so_far.told, so_far.last, living_done=True, done=True)
    events: list[Event] = []
    for row in rows:
        events += erased_state(row["subscriber_id"], row["version"])
    await outbox.put(tx, *events, lane=ROSTERS)
    for row in rows:
        for topic in ROSTER_TOPICS:
            await outbox.put_tombstone(tx, topic, str(row["subscriber_id"]))
    return Replayed(so_far.told + len(rows), rows[-1]["subscriber_id"], living_done=True)

"""Completes: late cards and new contact points of members get what they have missed."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.dispatcher.recipients import store, store_again
from services.dispatcher.recipients.cast import FannedOut
from services.dispatcher.recipients.make_deliveries import make_deliveries
from shared.db.session import Tx
from shared.identifiers import new_id

LIMIT = 5_000
# Longer than any transaction lives, so that none commits unseen between two looks.
RECENT_S = 300.0


async def complete(
    tx: Tx, *, subscribers: Sequence[UUID] | None, recent_s: float | None = RECENT_S
) -> FannedOut:
    """Add what is missing for these residents, or for all whose cards changed lately (None: ever).

    Done under the members' locks, so that two of these beside each other judge one after the
    other; what a member has been sent stays, what was excluded or closed unsent is judged again.
    """
    found = await store_again.changed_members(
        tx, subscribers=subscribers, recent_s=recent_s, limit=LIMIT
    )
    behind: dict[tuple[UUID, int], list[UUID]] = defaultdict(list)
    for row in found:
        behind[row["alert_id"], row["version"]].append(row["subscriber_id"])
    done = FannedOut(looked_at=len(found))
    for (alert_id, version), members in sorted(behind.items()):
        cast = await store.hold_cast(tx, alert_id, version)
        if cast is None or not cast.live:
            continue
        versions = await store_again.lock_members(tx, cast=cast, subscribers=members)
        chunk_id = new_id()
        ids = list(versions)
        await store_again.forget_exclusions(tx, cast=cast, subscribers=ids)
        made = await make_deliveries(tx, cast=cast, chunk_id=chunk_id, subscribers=ids)
        await store_again.forgive_reached(tx, cast=cast, subscribers=ids)
        await store_again.mark_seen(tx, cast=cast, versions=versions)
        if made:
            await store.add_chunk(
                tx, chunk_id, cast=cast, run_id=chunk_id, n=0, origin="completion"
            )
            await store.count_chunk(tx, chunk_id, members=len(ids), deliveries=len(made))
            done.requests.extend(made)
            done.chunks.append(chunk_id)
    return done

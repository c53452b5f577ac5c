"""Keep the places that residents have left, for alerts approved before and live after."""

from collections.abc import Collection, Sequence
from uuid import UUID

from services.geofence.audience.leavers import store
from services.geofence.index.settle_places import Step
from shared.db.session import Tx


async def keep_left(tx: Tx, steps: Sequence[Step], *, erased: Collection[UUID]) -> None:
    """Write what steps have left, and forget all of those who are erased.

    To be called before the live alerts are read. An alert goes live behind the same gate: either
    it waits for this transaction and reads what is written here, or this one waits for it and
    sees it live. So nobody who leaves is seen by neither.
    """
    if erased:
        await store.forget_left(tx, erased)
    moves = [step for step in steps if step.left]
    if moves:
        await store.enter_gate(tx)
        await store.add_left(tx, moves)

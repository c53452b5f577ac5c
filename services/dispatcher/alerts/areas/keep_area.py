"""Keeping a verified area on an alert, with the digest that its approver must name."""

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.areas.verified_area import Area, digest_of
from shared.db.session import Tx


async def keep_area(tx: Tx, row: RowMapping, area: Area) -> RowMapping:
    """Keep a verified area on an alert; it is no longer held for one.

    What was said of the codes beside the shapes it came with stays, also where a person's own
    area has none.
    """
    beside = area.beside or (row["area_answer"] or {}).get("beside") or []
    return await store.set_area(
        tx,
        row["alert_id"],
        packed=area.packed,
        area_digest=area.digest,
        answer={**area.answer, "beside": list(beside)},
        people=area.people,
        digest=digest_of([row["content_digest"], area.digest]),
    )

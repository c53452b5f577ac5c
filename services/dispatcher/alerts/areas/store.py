"""Every statement on what area an alert asks for, and on whether it is held for one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from shared.db.session import Tx, execute, fetch


async def hold(
    tx: Tx,
    alert_id: UUID,
    *,
    reason: str,
    codes: Sequence[str],
    answer: Mapping[str, Any] | None,
) -> bool:
    """Hold a draft that has no area yet; say whether it was one, and not held before."""
    return bool(
        await execute(
            tx,
            """UPDATE dispatcher_alert
                  SET area_hold = :reason, held_codes = CAST(:codes AS text[]),
                      area_answer = CAST(:answer AS jsonb)
                WHERE alert_id = :alert_id AND state = 'draft' AND area_digest IS NULL
                  AND area_hold IS NULL""",
            alert_id=alert_id,
            reason=reason,
            codes=list(codes),
            answer=None if answer is None else orjson.dumps(answer).decode(),
        )
    )


async def request_area(tx: Tx, alert_id: UUID, *, request: Mapping[str, Any], who: str) -> None:
    """Put another request for an area in the place of an alert's, and keep the first one."""
    await execute(
        tx,
        """UPDATE dispatcher_alert
              SET area_received = COALESCE(area_received, area_request),
                  area_request = CAST(:request AS jsonb), area_set_by = :who,
                  area_set_at = clock_timestamp()
            WHERE alert_id = :alert_id""",
        alert_id=alert_id,
        request=orjson.dumps(request).decode(),
        who=who,
    )


async def long_unverified(tx: Tx, *, seconds: float) -> set[UUID]:
    """Return partners' drafts that have waited for a verified area, not a person, so long."""
    rows = await fetch(
        tx,
        """SELECT alert_id FROM dispatcher_alert
            WHERE state = 'draft' AND origin = 'cap' AND area_digest IS NULL AND area_hold IS NULL
              AND expires_at > clock_timestamp()
              AND created_at < clock_timestamp() - make_interval(secs => :seconds)""",
        seconds=seconds,
    )
    return {row["alert_id"] for row in rows}

"""The report of an alert: counted from the rows, so that it adds up by itself."""

from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.delivery.states import HANDED_OVER, IN_FLIGHT, OPEN, DeliveryState
from services.dispatcher.reports import store
from services.dispatcher.reports.reasons import reason_of
from services.dispatcher.settings import CHANNELS
from shared.db.session import Tx
from shared.web.errors import not_found

AWAITING_RECEIPT = HANDED_OVER - {DeliveryState.NO_RECEIPT}
PENDING = OPEN | IN_FLIGHT


async def report(tx: Tx, alert_id: UUID) -> dict[str, Any]:
    """Return the report of an alert of the transaction's town.

    Every delivery counts once: deliveries = delivered + failed + awaiting receipt + pending.

    Raises:
        Problem: 404 for an alert that is not there or another town's.
    """
    alert = await store.find_alert(tx, alert_id)
    if alert is None:
        raise not_found("There is no such alert.")
    version = alert["version"]
    rows = await store.count_deliveries(tx, alert_id)
    own = [row for row in rows if row["version"] == version]
    people = await store.audience(tx, alert_id, version=version)
    excluded = await store.excluded(tx, alert_id, version=version)
    totals = _count(own)
    correction = await store.correction(tx, alert_id)
    return {
        "alert_id": alert_id,
        "version": version,
        "state": alert["state"],
        "audience": {
            **({} if people is None else dict(people)),
            "excluded": _reasons(excluded, channel=""),
        },
        **totals,
        "by_channel": {
            channel: {
                **part,
                "failed": part["failed"]["total"],
                "excluded": _reasons(excluded, channel=channel),
            }
            for channel in CHANNELS
            for part in [_count(row for row in own if row["channel"] == channel)]
        },
        "by_state": dict(Counter({state: _sum(own, state) for state in DeliveryState})),
        "seconds_to": await _seconds(tx, alert),
        "correction": (
            None
            if correction is None
            else {
                "version": correction["version"],
                "opened_at": correction["opened_at"],
                **_count(row for row in rows if row["version"] == correction["version"]),
            }
        ),
        "hold": alert["hold"],
        "complete": (
            alert["resolved_at"] is not None and totals["pending"] == 0 and not alert["is_held"]
        ),
    }


def _count(rows: Iterable[RowMapping]) -> dict[str, Any]:
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in rows:
        number = row["n"]
        totals["deliveries"] += number
        totals["handed_over"] += row["handed_over"]
        if row["state"] == DeliveryState.DELIVERED:
            totals["delivered"] += number
        elif row["state"] in PENDING:
            totals["pending"] += number
        elif row["state"] in AWAITING_RECEIPT:
            totals["awaiting_receipt"] += number
        else:
            reasons[reason_of(row["state"], row["reason"])] += number
    return {
        "deliveries": totals["deliveries"],
        "handed_over": totals["handed_over"],
        "delivered": totals["delivered"],
        "failed": {"total": reasons.total(), "by_reason": dict(sorted(reasons.items()))},
        "awaiting_receipt": totals["awaiting_receipt"],
        "pending": totals["pending"],
    }


def _reasons(excluded: Iterable[RowMapping], *, channel: str) -> dict[str, int]:
    """Return how many people were left out on a channel and why; without one, on all of them."""
    return {row["reason"]: row["n"] for row in excluded if row["channel"] == channel}


def _sum(rows: list[RowMapping], state: DeliveryState) -> int:
    return sum(row["n"] for row in rows if row["state"] == state)


async def _seconds(tx: Tx, alert: RowMapping) -> dict[str, float | None]:
    names = ("first", "p50", "p99", "last")
    if alert["approved_at"] is None:
        return dict.fromkeys(names)
    row = await store.seconds(
        tx, alert["alert_id"], version=alert["version"], since=alert["approved_at"]
    )
    if row is None:
        return dict.fromkeys(names)
    return {name: None if row[name] is None else round(row[name], 3) for name in names}

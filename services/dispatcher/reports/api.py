"""HTTP doors of the reports: an alert's totals, and its deliveries one by one."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.dispatcher.alerts.view import AlertId
from services.dispatcher.reports import store
from services.dispatcher.reports.reasons import reason_of
from services.dispatcher.reports.report import AWAITING_RECEIPT, PENDING, report
from services.dispatcher.settings import Doors
from shared.web.auth import Principal, require
from shared.web.errors import not_found
from shared.web.models import After, example

router = APIRouter(tags=["reports"])

_CHANNEL = {"deliveries": 900, "handed_over": 890, "delivered": 870, "failed": 20,
            "awaiting_receipt": 10, "pending": 0}  # fmt: skip
_EXAMPLE: dict[str, Any] = {
    "alert_id": "019c0f3e-7d5a-7cc1-9a55-2f3f9f4d8a10", "version": 1, "state": "cancelled",
    "audience": {"people": 850, "awaiting_card": 2, "late": 3, "by_uncertainty": 4,
                 "excluded": {"category": 5}},
    **_CHANNEL, "failed": {"total": 20, "by_reason": {"invalid_address": 12, "opted_out": 8}},
    "by_channel": {"sms": {**_CHANNEL, "excluded": {"opted_out": 7}}},
    "by_state": {"delivered": 870, "undelivered": 20, "accepted": 10},
    "seconds_to": {"first": 0.9, "p50": 4.1, "p99": 9.8, "last": 11.2},
    "correction": {"version": 2, "opened_at": "2026-01-31T21:12:05Z", **_CHANNEL,
                   "failed": {"total": 20, "by_reason": {"invalid_address": 20}}},
    "hold": None, "complete": True,
}  # fmt: skip
_DELIVERY: dict[str, Any] = {
    "delivery_id": "019c0f40-2b11-7a52-8f0e-6c1d2e3f4a5b", "version": 1, "channel": "sms",
    "state": "undelivered", "sid": "SM" + "0" * 32, "reason": "landline", "code": "30006",
    "created_at": "2026-01-31T21:06:01Z", "handed_over_at": "2026-01-31T21:06:03Z",
    "settled_at": "2026-01-31T21:06:09Z",
}  # fmt: skip


class Failed(BaseModel):
    """Deliveries that reached nobody, by a closed list of reasons."""

    total: int
    by_reason: dict[str, int]


class Totals(BaseModel):
    """Deliveries; every one is delivered, failed, awaiting its receipt or pending."""

    deliveries: int
    handed_over: int
    delivered: int
    failed: Failed
    awaiting_receipt: int
    pending: int


class ChannelTotals(BaseModel):
    """One channel's deliveries, and the people who have nothing to be reached by on it."""

    deliveries: int
    handed_over: int
    delivered: int
    failed: int
    awaiting_receipt: int
    pending: int
    excluded: dict[str, int]


class Correction(Totals):
    """The correction of a cancelled alert."""

    version: int
    opened_at: datetime


class Audience(BaseModel):
    """People, not deliveries; excluded are those whom no channel reaches."""

    people: int
    awaiting_card: int
    late: int
    by_uncertainty: int
    excluded: dict[str, int]


class Report(Totals):
    """What became of an alert; seconds count from the approval to each hand-over.

    `hold` is why nothing of it is sent, or was until it expired.
    """

    model_config = example(**_EXAMPLE)

    alert_id: UUID
    version: int
    state: str
    audience: Audience
    by_channel: dict[str, ChannelTotals]
    by_state: dict[str, int]
    seconds_to: dict[str, float | None]
    correction: Correction | None
    hold: str | None
    complete: bool


class DeliveryView(BaseModel):
    """One delivery, without its address."""

    delivery_id: UUID
    version: int
    channel: str
    state: str
    sid: str | None
    reason: str | None
    code: str | None
    created_at: datetime
    handed_over_at: datetime | None
    settled_at: datetime | None


class DeliveryPage(BaseModel):
    """A page of deliveries; `after` asks for the next."""

    model_config = example(deliveries=[_DELIVERY], after=None)

    deliveries: list[DeliveryView]
    after: UUID | None


@router.get("/v1/alerts/{alert_id}/report")
async def get_report(
    alert_id: AlertId, doors: Doors, who: Principal = require("manager", "viewer")
) -> Report:
    """Report on an alert, counted this moment."""
    async with doors.database.transaction(town=who.town) as tx:
        return Report.model_validate(await report(tx, alert_id))


@router.get("/v1/alerts/{alert_id}/deliveries")
async def get_deliveries(
    alert_id: AlertId,
    doors: Doors,
    who: Principal = require("manager", "viewer"),
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=10_000, examples=[500])] = 500,
) -> DeliveryPage:
    """List an alert's deliveries, corrections included; no address is shown."""
    async with doors.database.transaction(town=who.town) as tx:
        if await store.find_alert(tx, alert_id) is None:
            raise not_found("There is no such alert.")
        rows = await store.deliveries(tx, alert_id, after=after, limit=limit)
    views = []
    for row in rows:
        over = row["state"] not in PENDING | AWAITING_RECEIPT | {"delivered"}
        reason = reason_of(row["state"], row["reason"]) if over else row["reason"]
        views.append(DeliveryView.model_validate({**row, "reason": reason}))
    return DeliveryPage(
        deliveries=views, after=rows[-1]["delivery_id"] if len(rows) == limit else None
    )

"""An alert as staff sees it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import RowMapping

from services.dispatcher.alerts.areas.blast_radius import BlastRadius
from services.dispatcher.alerts.states import AlertState
from services.dispatcher.alerts.texts.segments import measure
from services.dispatcher.settings import DispatcherSettings


class Held(BaseModel):
    """Why an alert waits for a person to give it an area, and the geocodes nobody knows."""

    reason: str
    codes: list[str]

    @classmethod
    def of(cls, row: RowMapping) -> "Held | None":
        """Return why an alert's row is held, if it is."""
        if row["area_hold"] is None:
            return None
        return cls(reason=row["area_hold"], codes=row["held_codes"])


class AlertView(BaseModel):
    """An alert as staff sees it."""

    alert_id: UUID
    version: int
    state: AlertState
    origin: str
    town: str
    digest: str | None
    count: int | None
    area: dict[str, Any]
    event: str
    category: str
    severity: str
    urgency: str
    certainty: str
    status: str
    emergency: bool
    channels: list[str]
    texts: dict[str, dict[str, Any]]
    lengths: dict[str, dict[str, Any]]
    expires_at: datetime
    created_by: str
    created_at: datetime
    submitted_by: str | None
    submitted_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    cancelled_by: str | None
    cancelled_at: datetime | None
    notes: str | None
    hold: Held | None
    area_set_by: str | None
    area_set_at: datetime | None
    needs_state_approver: bool
    url: str


def view(row: RowMapping, *, settings: DispatcherSettings) -> AlertView:
    """Return an alert's row as staff sees it."""
    answer = row["area_answer"] or {}
    shown = ("area_km2", "vertices", "layer_versions", "jurisdictions", "estimate")
    verified = row["area_digest"] is not None
    area = {"verified": verified, "request": row["area_request"],
            "digest": row["area_digest"], **{name: answer.get(name) for name in shown}}  # fmt: skip
    lengths = {
        language: _length(one["sms"]) for language, one in row["texts"].items() if one.get("sms")
    }
    same = {name: row[name] for name in AlertView.model_fields if name in row}
    return AlertView.model_validate({
        **same, "count": row["expected_people"], "area": area, "lengths": lengths,
        "notes": row["hold_reason"], "hold": Held.of(row),
        "needs_state_approver": verified and BlastRadius.of(settings).is_exceeded_by(row),
        "url": f"{settings.public_url}/v1/alerts/{row['alert_id']}",
    })  # fmt: skip


def _length(sms: str) -> dict[str, Any]:
    length = measure(sms)
    return {"characters": length.characters, "encoding": length.encoding,
            "segments": length.segments}  # fmt: skip

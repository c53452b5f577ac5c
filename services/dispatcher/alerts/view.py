"""An alert as staff sees it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel
from sqlalchemy import RowMapping

from services.dispatcher.alerts.areas.blast_radius import BlastRadius
from services.dispatcher.alerts.areas.hold import label
from services.dispatcher.alerts.states import AlertState
from services.dispatcher.alerts.texts.segments import measure
from services.dispatcher.settings import DispatcherSettings
from shared.connecticut import is_beyond_state
from shared.web.models import example

_SMS = (
    "CT Alert: Boil your water in the north of New Haven. Boil water for one minute before "
    "drinking or cooking with it. Ref 8375SP"
)
CIRCLE: dict[str, Any] = {"type": "circle", "lon": -72.91, "lat": 41.33, "radius_m": 1500}
EXAMPLE: dict[str, Any] = {
    "alert_id": "019c0f3e-7d5a-7cc1-9a55-2f3f9f4d8a10", "version": 1, "state": "pending_approval",
    "origin": "console", "town": "0900952070", "digest": "9f" * 32, "count": 1280,
    "area": {
        "verified": True, "request": {"include": [CIRCLE]}, "digest": "5c" * 32,
        "area_km2": 7.069, "vertices": 432, "layer_versions": [],
        "jurisdictions": [{"kind": "town", "code": "0900952070", "name": "New Haven"}],
        "estimate": {"people": 1280, "by_channel": {"sms": 1190, "voice": 210, "email": 640},
                     "residents": 13900},
    },
    "event": "Boil Water Advisory", "category": "Health", "severity": "Moderate",
    "urgency": "Expected", "certainty": "Likely", "status": "Actual", "emergency": False,
    "channels": ["sms"], "texts": {"en-US": {"sms": _SMS}},
    "lengths": {"en-US": {"characters": len(_SMS), "encoding": "GSM-7", "segments": 1}},
    "expires_at": "2026-02-01T03:00:00Z",
    "created_by": "staff:duty-manager", "created_at": "2026-01-31T21:04:10Z",
    "submitted_by": "staff:duty-manager", "submitted_at": "2026-01-31T21:05:32Z",
    "approved_by": None, "approved_at": None, "cancelled_by": None, "cancelled_at": None,
    "notes": None, "hold": None, "codes_beside_shapes": [],
    "area_set_by": None, "area_set_at": None,
    "needs_state_approver": False,
    "url": "https://alerts.example.org/v1/alerts/019c0f3e-7d5a-7cc1-9a55-2f3f9f4d8a10",
}  # fmt: skip
AlertId = Annotated[UUID, Path(examples=[EXAMPLE["alert_id"]])]


class Held(BaseModel):
    """Why an alert waits for a person, and the geocodes nobody knows.

    A draft waits for an area. An approved alert waits to be cancelled: the geofence refused it, or
    there is `nobody` in its area, or `nobody-reachable`, which ends when somebody can be told.
    """

    reason: str
    codes: list[str]

    @classmethod
    def of(cls, row: RowMapping) -> "Held | None":
        """Return why an alert's row is held, if it is."""
        reason = row["area_hold"] or row["sending_hold"]
        return None if reason is None else cls(reason=reason, codes=row["held_codes"])


class CodeBeside(BaseModel):
    """A geocode that came beside the shapes of its area, which stand for it: it warns nobody.

    `known` is null while the geofence has not said whether the gazetteer or a layer knows it.
    """

    code: str
    known: bool | None
    beyond_state: bool

    @classmethod
    def all_of(cls, row: RowMapping) -> "list[CodeBeside]":
        """Return those of the shapes that an alert's row came with, whatever area it has now."""
        asked = row["area_received"] or row["area_request"]
        answered = row["area_answer"] or {}
        return [
            cls(
                code=label(one["scheme"], one["value"]),
                known=one.get("known"),
                beyond_state=is_beyond_state(one["scheme"], one["value"]),
            )
            for one in answered.get("beside") or asked.get("beside") or ()
        ]


class AlertView(BaseModel):
    """An alert as staff sees it."""

    model_config = example(**EXAMPLE)

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
    codes_beside_shapes: list[CodeBeside]
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
        "codes_beside_shapes": CodeBeside.all_of(row),
        "needs_state_approver": verified and BlastRadius.of(settings).is_exceeded_by(row),
        "url": f"{settings.public_url}/v1/alerts/{row['alert_id']}",
    })  # fmt: skip


def _length(sms: str) -> dict[str, Any]:
    length = measure(sms)
    return {"characters": length.characters, "encoding": length.encoding,
            "segments": length.segments}  # fmt: skip

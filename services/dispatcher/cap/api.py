"""HTTP door of the CAP room: one message in, one receipt out."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import RowMapping

from services.dispatcher.alerts.areas.ask_area import ask_area
from services.dispatcher.alerts.areas.hold import UNRESOLVED, Hold, hold_of
from services.dispatcher.alerts.areas.verified_area import Area, AreaUnverified, Geofence
from services.dispatcher.alerts.find_alert import find_alert
from services.dispatcher.alerts.view import CodeBeside, Held
from services.dispatcher.cap.judge import Judged, judge
from services.dispatcher.cap.read_message import (
    MOST_BYTES,
    Reading,
    Unreadable,
    read_message,
)
from services.dispatcher.cap.receive import receive
from services.dispatcher.settings import Context, Doors
from services.dispatcher.staff.partners import load_partner
from shared.db.session import ALL_TOWNS
from shared.web.auth import Principal, require
from shared.web.errors import Fault, Problem, unsupported_media
from shared.web.models import example

router = APIRouter(tags=["cap"])

_TYPES = ("application/cap+xml", "application/xml")
_EXAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>WX-2026-0131-7</identifier><sender>weather@example.org</sender>
  <sent>2026-01-31T16:05:00-05:00</sent><status>Actual</status><msgType>Alert</msgType>
  <scope>Public</scope>
  <info><category>Met</category><event>Tornado Warning</event><urgency>Immediate</urgency>
    <severity>Extreme</severity><certainty>Observed</certainty>
    <expires>2026-01-31T16:45:00-05:00</expires><headline>Tornado near Meriden</headline>
    <instruction>Take cover now.</instruction>
    <area><areaDesc>Meriden</areaDesc><circle>41.538,-72.807 6</circle></area></info>
</alert>"""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {_TYPES[0]: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}
_RECEIPT: dict[str, Any] = {
    "alert_id": "019c0f3e-9a40-7b1d-8c22-71d0c5e6f7a8", "state": "pending_approval",
    "digest": "3e" * 32, "count": 10450, "notes": None, "hold": None,
    "codes_beside_shapes": [{"code": "SAME 009009", "known": True, "beyond_state": False}],
    "expires_at": "2026-01-31T21:45:00Z",
    "url": "https://alerts.example.org/v1/alerts/019c0f3e-9a40-7b1d-8c22-71d0c5e6f7a8",
}  # fmt: skip


class Receipt(BaseModel):
    """What became of a message: the alert, how many people it concerns, where to look (C20)."""

    model_config = example(**_RECEIPT)

    alert_id: UUID
    state: str
    digest: str | None
    count: int | None
    notes: str | None
    hold: Held | None
    codes_beside_shapes: list[CodeBeside]
    expires_at: datetime
    url: str


@router.post(
    "/v1/cap",
    status_code=202,
    response_model=Receipt,
    responses={200: {"model": Receipt, "description": "The same message, received before"}},
    openapi_extra=_BODY,
)
async def post_cap(
    request: Request, response: Response, doors: Doors, who: Principal = require("partner")
) -> Receipt:
    """Receive a CAP 1.2 message; it becomes an alert that waits for a person's approval.

    With a geocode that nobody can resolve it is held until a person gives it an area; so it is
    with one beside a shape, unless that names another state or country.
    """
    await doors.limits.hit(
        doors.database, f"cap:{who.subject}", limit=doors.settings.max_cap_per_minute, per_s=60
    )
    reading = _read(await _body(request))
    async with doors.database.transaction(town=who.town) as tx:
        partner = await load_partner(tx, who)
        judged = await judge(tx, reading, partner=partner, now=doors.clock.now())
    if isinstance(judged, UUID):
        response.status_code = 200
        return await _known(doors, judged)
    area, hold = await _ask(doors, judged, who)
    async with doors.database.transaction(town=who.town) as tx:
        made = await receive(
            tx, judged, area=area, hold=hold, partner=partner, who=who, now=doors.clock.now(),
            authority=doors.settings.authority_name,
        )  # fmt: skip
        if hold and not isinstance(made, UUID):
            # Here, because the sender's next try finds the message known and calls nobody.
            await doors.page.within(tx, **hold.call(made))
    if isinstance(made, UUID):
        response.status_code = 200
        return await _known(doors, made)
    return _receipt(doors, made)


async def _ask(doors: Context, judged: Judged, who: Principal) -> tuple[Area | None, Hold | None]:
    """Return the area of a message, or why it is held; neither while the geofence is away."""
    unknown = tuple(judged.asked.unknown)
    hold = Hold("unknown-geocode", unknown) if unknown else None
    if not judged.asked.shapes:
        return None, hold
    try:
        area = await ask_area(Geofence.of(doors), judged.area, who=who)
    except AreaUnverified:
        return None, hold
    except Problem as refused:
        if refused.slug not in UNRESOLVED:
            raise judged.placed(refused) from None
        found = hold_of(refused, judged.area)
        codes = tuple(dict.fromkeys((*found.codes, *unknown)))
        return None, replace(found, codes=codes)
    return area, hold and replace(hold, beside=area.beside)


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in _TYPES or request.headers.get("content-encoding"):
        raise unsupported_media(_TYPES[0])
    charset = request.headers.get("content-type", "").lower().partition("charset=")[2]
    if charset.strip("\"' ") not in ("", "utf-8", "utf8"):
        raise Problem(400, "cap-bad-encoding", "A message must be in UTF-8.")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise Problem(413, "cap-too-large", f"A message has at most {MOST_BYTES} bytes.")
    return data


def _read(data: bytes) -> Reading:
    try:
        return read_message(data)
    except Unreadable as refused:
        raise Problem(
            refused.status,
            refused.code if refused.code == "dtd-forbidden" else f"cap-{refused.code}",
            refused.sentence,
            errors=[Fault("", refused.code, refused.sentence)],
        ) from None


async def _known(doors: Context, alert_id: UUID) -> Receipt:
    async with doors.database.transaction(town=ALL_TOWNS) as tx:
        return _receipt(doors, await find_alert(tx, alert_id))


def _receipt(doors: Context, row: RowMapping) -> Receipt:
    return Receipt(
        alert_id=row["alert_id"],
        state=row["state"],
        digest=row["digest"],
        count=row["expected_people"],
        notes=row["hold_reason"],
        hold=Held.of(row),
        codes_beside_shapes=CodeBeside.all_of(row),
        expires_at=row["expires_at"],
        url=f"{doors.settings.public_url}/v1/alerts/{row['alert_id']}",
    )

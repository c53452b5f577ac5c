"""HTTP doors of the alerts room: draft, give an area, submit, approve, cancel, look."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.approval import AreaMoved, check_approval
from services.dispatcher.alerts.approve import approve
from services.dispatcher.alerts.areas.ask_area import ask_area
from services.dispatcher.alerts.areas.blast_radius import BlastRadius
from services.dispatcher.alerts.areas.hold import refuse_held
from services.dispatcher.alerts.areas.keep_area import keep_area
from services.dispatcher.alerts.areas.replace_area import replace_area
from services.dispatcher.alerts.areas.verified_area import AreaUnverified, Geofence, unverified
from services.dispatcher.alerts.cancel import cancel
from services.dispatcher.alerts.content import Words
from services.dispatcher.alerts.draft import NewAlert, draft
from services.dispatcher.alerts.find_alert import find_alert
from services.dispatcher.alerts.states import AlertState
from services.dispatcher.alerts.submit import submit
from services.dispatcher.alerts.texts.wording import is_spoken
from services.dispatcher.alerts.view import CIRCLE, EXAMPLE, AlertId, AlertView, view
from services.dispatcher.settings import Channel, Context, Doors
from shared.web.auth import Principal, require
from shared.web.errors import conflict, unprocessable
from shared.web.idempotency import Digest, Key
from shared.web.models import After, StrictModel, example

router = APIRouter(tags=["alerts"])

HOUR_S, MINUTE_S = 3600, 60
SOONEST, LATEST = timedelta(minutes=1), timedelta(hours=24)
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_600)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Category = Literal["Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env",
                   "Transport", "Infra", "CBRNE", "Other"]  # fmt: skip
_TEXTS: dict[str, Any] = {
    "headline": "Boil your water in the north of New Haven",
    "description": "A main broke on Whitney Avenue; tap water may be unsafe until Friday.",
    "instruction": "Boil water for one minute before drinking or cooking with it.",
}
_ALERT: dict[str, Any] = {
    "event": "Boil Water Advisory", "category": "Health", "severity": "Moderate",
    "urgency": "Expected", "certainty": "Likely", "status": "Actual", "emergency": False,
    "expires_at": "2026-01-31T22:00:00-05:00", "area": {"include": [CIRCLE]},
    "texts": {"en-US": _TEXTS}, "channels": ["sms", "voice", "email"],
}  # fmt: skip


class LanguageTexts(StrictModel):
    """One language's words; the texts of the channels follow from them unless written out."""

    headline: Text
    description: Text
    instruction: Text | None = None
    sms: Text | None = None
    voice: Text | None = None
    email_subject: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    email_body: LongText | None = None


class AlertBody(StrictModel):
    """An alert to be drafted."""

    model_config = example(**_ALERT)

    event: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    category: Category
    severity: Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
    certainty: Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
    status: Literal["Actual", "Exercise"]
    emergency: bool
    expires_at: datetime
    # Judged by the geofence alone, so that one place says what an area is.
    area: dict[str, Any] | None = None
    texts: Annotated[dict[LanguageTag, LanguageTexts], Field(min_length=1, max_length=8)]
    channels: Annotated[list[Channel], Field(min_length=1, max_length=3)]


class Approval(StrictModel):
    """What the approver was shown, typed back: the digest and the number of people."""

    model_config = example(digest="9f…", count=1280)

    digest: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    count: Annotated[int, Field(ge=0, le=10_000_000)]
    nobody_yet: bool = False


class Cancellation(StrictModel):
    """Why an alert is taken back; kept with it, never sent."""

    model_config = example(reason="wrong street")

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class NewArea(StrictModel):
    """The area that is meant instead, as the geofence reads it."""

    model_config = example(area={"include": [CIRCLE]})

    area: dict[str, Any] | None = None


class AlertList(BaseModel):
    """A page of alerts, newest first."""

    model_config = example(alerts=[EXAMPLE], after=None)

    alerts: list[AlertView]
    after: UUID | None


@router.post("/v1/alerts", status_code=201, response_model=AlertView)
async def post_alert(
    body: AlertBody, doors: Doors, key: Key, digest: Digest, who: Principal = require("manager")
) -> Any:
    """Draft an alert; while the geofence does not answer, its area stays unverified."""
    # First of all: an answer given once is given again, whatever would be refused by now.
    async with doors.database.transaction(town=who.town) as tx:
        first = await doors.idempotency.answered(tx, principal=who, key=key, digest=digest)
    if first is not None:
        return first.response()
    await doors.limits.hit(doors.database, f"draft:{who.kind}:{who.subject}",
                           limit=doors.settings.max_drafts_per_minute, per_s=MINUTE_S)  # fmt: skip
    _check_expiry(body.expires_at, now=doors.clock.now())
    _check_own(body.area)
    for language in body.texts:
        if not is_spoken(language):
            raise unprocessable("language", "This language is not spoken here.",
                                pointer=f"/texts/{language}")  # fmt: skip
    try:
        area = await ask_area(Geofence.of(doors), body.area, who=who)
    except AreaUnverified:
        area = None
    asked = body.model_dump(exclude={"area", "texts"})
    words = {
        language: Words(**{**one.model_dump(), "instruction": one.instruction or ""})
        for language, one in body.texts.items()
    }
    new = NewAlert(**asked, words=words, area=body.area or {})
    async with doors.database.transaction(town=who.town) as tx:
        replay = await doors.idempotency.remember(tx, principal=who, key=key, digest=digest)
        if replay is not None:
            return replay.response()
        row = await draft(
            tx, new, area=area, town=who.town, who=who, authority=doors.settings.authority_name
        )
        made = view(row, settings=doors.settings).model_dump_json().encode()
        await doors.idempotency.settle(tx, principal=who, key=key, status=201, body=made)
    return Response(made, status_code=201, media_type="application/json")


@router.put("/v1/alerts/{alert_id}/area")
async def put_area(
    alert_id: AlertId, body: NewArea, doors: Doors, who: Principal = require("manager")
) -> AlertView:
    """Give a draft another area: the way on for a partner's alert that is held without one."""
    await _find(doors, alert_id, who)
    _check_own(body.area)
    try:
        area = await ask_area(Geofence.of(doors), body.area, who=who)
    except AreaUnverified:
        raise unverified() from None
    async with doors.database.transaction(town=who.town) as tx:
        row = await replace_area(
            tx, alert_id, request=body.area or {}, area=area, who=who, now=doors.clock.now()
        )
    return view(row, settings=doors.settings)


@router.post("/v1/alerts/{alert_id}/submit")
async def post_submit(
    alert_id: AlertId, doors: Doors, who: Principal = require("manager")
) -> AlertView:
    """Submit a draft for somebody else's approval."""
    row = await _find(doors, alert_id, who)
    refuse_held(row)
    area = None
    if row["area_digest"] is None and row["state"] == AlertState.DRAFT:
        try:
            area = await ask_area(Geofence.of(doors), row["area_request"], who=who)
        except AreaUnverified:
            raise unverified() from None
    async with doors.database.transaction(town=who.town) as tx:
        row = await submit(tx, alert_id, area=area, who=who, now=doors.clock.now())
    return view(row, settings=doors.settings)


@router.post("/v1/alerts/{alert_id}/approve")
async def post_approve(
    alert_id: AlertId, body: Approval, doors: Doors, who: Principal = require("manager")
) -> AlertView:
    """Approve what somebody else submitted, naming its digest and its number of people."""
    shown: dict[str, Any] = {
        "digest": body.digest, "count": body.count, "who": who,
        "within": BlastRadius.of(doors.settings),
    }  # fmt: skip
    async with doors.database.transaction(town=who.town) as tx:
        row = await check_approval(tx, alert_id, now=doors.clock.now(), **shown)
    try:
        area = await ask_area(Geofence.of(doors), row["area_request"], who=who)
    except AreaUnverified:
        raise unverified() from None
    await doors.limits.hit(doors.database, f"approve:{row['town']}",
                           limit=doors.settings.max_alerts_per_hour, per_s=HOUR_S)  # fmt: skip
    try:
        async with doors.database.transaction(town=who.town) as tx:
            row = await approve(tx, alert_id, nobody_yet=body.nobody_yet, area=area,
                                now=doors.clock.now(), outbox=doors.outbox, **shown)  # fmt: skip
    except AreaMoved as moved:
        async with doors.database.transaction(town=who.town) as tx:
            await check_approval(tx, alert_id, now=doors.clock.now(), **shown)
            await keep_area(tx, row, moved.area)
        detail = f"The area holds {area.people} people as it is now; look at it again."
        raise conflict(moved.code, detail) from None
    return view(row, settings=doors.settings)


@router.post("/v1/alerts/{alert_id}/cancel", status_code=202)
async def post_cancel(
    alert_id: AlertId, body: Cancellation, doors: Doors, who: Principal = require("manager")
) -> AlertView:
    """Stop an alert at once and send its correction to everybody it reached."""
    async with doors.database.transaction(town=who.town) as tx:
        row = await cancel(
            tx, alert_id, reason=body.reason, who=who, now=doors.clock.now(),
            outbox=doors.outbox, authority=doors.settings.authority_name,
        )  # fmt: skip
    return view(row, settings=doors.settings)


@router.get("/v1/alerts")
async def get_alerts(
    doors: Doors,
    who: Principal = require("manager", "viewer"),
    state: Annotated[AlertState | None, Query(examples=["pending_approval"])] = None,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=200, examples=[50])] = 50,
) -> AlertList:
    """List the alerts of one's own town, newest first."""
    async with doors.database.transaction(town=who.town) as tx:
        rows = await store.list_alerts(tx, state=state, after=after, limit=limit)
    return AlertList(
        alerts=[view(row, settings=doors.settings) for row in rows],
        after=rows[-1]["alert_id"] if len(rows) == limit else None,
    )


@router.get("/v1/alerts/{alert_id}")
async def get_alert(
    alert_id: AlertId, doors: Doors, who: Principal = require("manager", "viewer")
) -> AlertView:
    """Show one alert with the exact text of every language and channel."""
    return view(await _find(doors, alert_id, who), settings=doors.settings)


async def _find(doors: Context, alert_id: UUID, who: Principal) -> RowMapping:
    async with doors.database.transaction(town=who.town) as tx:
        return await find_alert(tx, alert_id)


def _check_own(area: dict[str, Any] | None) -> None:
    # Codes beside shapes are what a message came with: a person's own would be shown as those.
    if area and "beside" in area:
        raise unprocessable("unknown-member", "Only a message has codes beside its shapes.",
                            pointer="/area/beside")  # fmt: skip


def _check_expiry(expires_at: datetime, *, now: datetime) -> None:
    if not now + SOONEST <= expires_at <= now + LATEST:
        detail = "An alert expires between one minute and 24 hours from now."
        raise unprocessable("expires-out-of-bounds", detail, pointer="/expires_at")

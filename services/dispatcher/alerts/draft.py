"""Drafting an alert: its words, its channels and, where the geofence answers, its area."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.areas.hold import Hold
from services.dispatcher.alerts.areas.keep_area import keep_area
from services.dispatcher.alerts.areas.verified_area import Area, digest_of
from services.dispatcher.alerts.content import ContentRefused, Words, build_texts, reference_of
from services.dispatcher.alerts.texts.blank import is_blank
from services.dispatcher.staff.people import name_of
from shared.db.session import Tx
from shared.identifiers import new_id
from shared.security.principal import Principal
from shared.web.errors import unprocessable


@dataclass(frozen=True, slots=True)
class NewAlert:
    """What an author asks for; texts by language, area as the geofence reads it."""

    event: str
    category: str
    severity: str
    urgency: str
    certainty: str
    status: str
    emergency: bool
    expires_at: datetime
    channels: Sequence[str]
    words: Mapping[str, Words]
    area: Mapping[str, Any]
    origin: str = "console"
    hold_reason: str | None = None
    cap_id: str | None = None


async def draft(
    tx: Tx,
    new: NewAlert,
    *,
    area: Area | None,
    hold: Hold | None = None,
    town: str,
    who: Principal,
    authority: str,
    alert_id: UUID | None = None,
) -> RowMapping:
    """Write a draft and return its row; without an area it stays unverified, or is held.

    Raises:
        Problem: 422 for a text that may not be sent, or a blank event.
    """
    if is_blank(new.event):
        raise unprocessable("blank", "The event is blank.", pointer="/event")
    alert_id = alert_id or new_id()
    try:
        texts = build_texts(
            new.words,
            authority=authority,
            reference=reference_of(alert_id),
            exercise=new.status != "Actual",
        )
    except ContentRefused as refused:
        raise unprocessable(
            refused.code, refused.sentence, pointer=f"/texts{refused.pointer}"
        ) from None
    written = {
        language: {"headline": new.words[language].headline.strip(), **asdict(one)}
        for language, one in texts.items()
    }
    fields: dict[str, Any] = {
        "event": new.event,
        "category": new.category,
        "severity": new.severity,
        "urgency": new.urgency,
        "certainty": new.certainty,
        "status": new.status,
        "emergency": new.emergency,
        "expires_at": new.expires_at,
        "channels": list(dict.fromkeys(new.channels)),
        "texts": written,
    }
    row = await store.insert_alert(
        tx,
        alert_id=alert_id,
        town=town,
        origin=new.origin,
        content_digest=digest_of(fields),
        area_request=new.area,
        created_by=name_of(who),
        hold_reason=new.hold_reason,
        area_hold=hold.reason if hold else None,
        held_codes=list(hold.codes) if hold else [],
        area_answer=hold.answer if hold else None,
        cap_id=new.cap_id,
        **fields,
    )
    return row if area is None else await keep_area(tx, row, area)

"""Receiving a partner's CAP message: once, from its own sender, as an alert awaiting approval."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts.areas.hold import Hold
from services.dispatcher.alerts.areas.verified_area import Area
from services.dispatcher.alerts.content import Words
from services.dispatcher.alerts.draft import NewAlert, draft
from services.dispatcher.alerts.submit import submit
from services.dispatcher.cap import store
from services.dispatcher.cap.judge import Judged
from services.dispatcher.cap.known import same_alert
from services.dispatcher.cap.message import CapInfo, CapMessage
from services.dispatcher.cap.policy import Accepted
from services.dispatcher.staff.partners import Partner
from shared.db.session import Tx
from shared.identifiers import new_id
from shared.security.principal import Principal
from shared.web.errors import conflict


async def receive(
    tx: Tx,
    judged: Judged,
    *,
    area: Area | None,
    hold: Hold | None = None,
    partner: Partner,
    who: Principal,
    now: datetime,
    authority: str,
) -> RowMapping | UUID:
    """Make an alert of a judged message; return its row, or the alert somebody made beside us.

    Without an area it stays a draft: until the geofence answers, or, where it is held, until
    somebody gives it one.

    Raises:
        Problem: 409 for other content under the same identifier, 422 for its texts.
    """
    message, asked = judged.message, judged.asked
    alert_id = new_id()
    if not await store.insert_message(
        tx,
        sender=message.sender,
        identifier=message.identifier,
        sent=message.sent,
        digest=judged.digest,
        alert_id=alert_id,
        partner_id=partner.partner_id,
    ):
        known = await store.find_message(tx, sender=message.sender, identifier=message.identifier)
        if known is None:
            raise conflict("in-progress", "The same message is being received; try again.")
        return same_alert(known, judged.digest)
    row = await draft(
        tx,
        _new_alert(message, asked, judged.area),
        area=None if hold else area,
        hold=hold,
        town=partner.town,
        who=who,
        authority=authority,
        alert_id=alert_id,
    )
    if area is None or hold:
        return row
    return await submit(tx, alert_id, area=None, who=who, now=now)


def _new_alert(message: CapMessage, asked: Accepted, area: dict[str, Any]) -> NewAlert:
    notes = [f"The message {note}." for note in asked.notes]
    return NewAlert(
        event=asked.infos[0].event[:100],
        category=asked.categories[0],
        severity=asked.severity,
        urgency=asked.urgency,
        certainty=asked.certainty,
        status=message.status,
        emergency=asked.emergency,
        expires_at=asked.expires,
        channels=("sms", "voice", "email"),
        words={one.language: _words(one) for one in asked.infos},
        area=area,
        origin="cap",
        hold_reason=" ".join(notes) or None,
        cap_id=f"{message.sender},{message.identifier}",
    )


def _words(info: CapInfo) -> Words:
    issuer = f"{info.sender_name}: " if info.sender_name else ""
    description = f"{issuer}{info.description}" if info.description else ""
    return Words(
        headline=info.headline or info.event,
        description=description,
        instruction=info.instruction,
    )

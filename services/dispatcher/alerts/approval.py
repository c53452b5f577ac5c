"""What an approval rests on: who may give it, what it names, and what it announces."""

from base64 import b64encode
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts.areas.blast_radius import BlastRadius
from services.dispatcher.alerts.areas.verified_area import Area, unverified
from services.dispatcher.alerts.content import reference_of
from services.dispatcher.alerts.find_alert import find_alert
from services.dispatcher.alerts.states import MoveRefused, move
from services.dispatcher.delivery.states import Broadcast, Texts, priority_of
from services.dispatcher.staff.partners import enrolled_by
from services.dispatcher.staff.people import are_two_persons, is_fresh
from shared.db.session import Tx
from shared.events.alert import AlertApproved
from shared.security.principal import Principal
from shared.web.errors import conflict, forbidden, unauthorized, unprocessable

# M12: an estimate that moved by more than this is another decision, and is asked for again.
DRIFT = 0.10
_SHOWN = ("sms", "voice", "email_subject", "email_body")


class AreaMoved(Exception):
    """The area is another, or holds others, than the approver was shown; keep it and ask again."""

    def __init__(self, code: str, area: Area) -> None:
        super().__init__(code)
        self.code, self.area = code, area


async def check_approval(
    tx: Tx,
    alert_id: UUID,
    *,
    digest: str,
    count: int,
    within: BlastRadius,
    who: Principal,
    now: datetime,
) -> RowMapping:
    """Return the alert, locked, if this person may approve it as shown.

    Raises:
        Problem: 401 for a stale sign-in, 403 for the same person or an alert too large for a
            town's, 404, 409 for a state, a digest, an expiry or an exercise, 422 for a count.
    """
    row = await find_alert(tx, alert_id, lock=True)
    if not is_fresh(who, now=now):
        raise unauthorized("Sign in again: this needs a sign-in of the last five minutes.")
    # Whoever put the area in a held alert's empty place is its author as much as the submitter.
    authors = (row["submitted_by"], row["area_set_by"])
    if not are_two_persons(who, *authors, await enrolled_by(tx, row["submitted_by"])):
        raise forbidden("same-person", "Somebody else than the submitter must approve.")
    try:
        move(row["state"], "approve")
    except MoveRefused as refused:
        raise conflict("state", f"The alert is {refused.state}.") from None
    if row["status"] != "Actual":
        detail = "An exercise has no provider of its own yet, so it cannot be sent."
        raise conflict("exercise-not-sendable", detail)
    if row["expires_at"] <= now:
        raise conflict("expired", "The alert has expired.")
    if row["area_digest"] is None:
        raise unverified()
    if digest != row["digest"]:
        detail = "The alert is not the one you were shown; look at it again."
        raise conflict("digest-mismatch", detail)
    if count != row["expected_people"]:
        raise unprocessable("count-mismatch", "This is not the number of people.", pointer="/count")
    within.check(who, km2=row["area_answer"].get("area_km2"), people=row["expected_people"])
    return row


def announcement(row: RowMapping) -> AlertApproved:
    """Return the event that has an approved alert resolved."""
    return AlertApproved(
        alert_id=row["alert_id"],
        version=row["version"],
        status=row["status"],
        severity=row["severity"],
        emergency=row["emergency"],
        area_wkb=b64encode(row["area_wkb"]).decode("ascii"),
        area_digest=row["area_digest"],
        approved_at=row["approved_at"],
        expires_at=row["expires_at"],
        nobody_yet=row["nobody_yet"],
    )


def _texts(row: RowMapping) -> dict[str, Texts]:
    return {
        language: Texts(**{name: one[name] for name in _SHOWN})
        for language, one in row["texts"].items()
    }


def broadcast_of(row: RowMapping) -> Broadcast:
    """Return an approved alert as delivery takes it."""
    return Broadcast(
        alert_id=row["alert_id"],
        version=row["version"],
        kind="alert",
        town=row["town"],
        priority=priority_of(
            status=row["status"], severity=row["severity"], urgency=row["urgency"]
        ),
        severity=row["severity"],
        category=row["category"],
        emergency=row["emergency"],
        texts=_texts(row),
        channels=row["channels"],
        reference=reference_of(row["alert_id"]),
        expires_at=row["expires_at"],
        area_digest=row["area_digest"],
        nobody_yet=row["nobody_yet"],
    )

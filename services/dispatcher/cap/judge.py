"""Judging a CAP message: known, its sender's own, of an age and kind that we take."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.dispatcher.cap import store
from services.dispatcher.cap.known import same_alert
from services.dispatcher.cap.message import CapMessage
from services.dispatcher.cap.policy import Accepted, PolicyRefused, check_kind, check_policy
from services.dispatcher.cap.read_message import Reading
from services.dispatcher.staff.partners import Partner
from shared.db.session import Tx
from shared.web.errors import Fault, Problem, forbidden

# A <polygon> has one ring, and its pairs are the ring's positions.
_SHAPE = re.compile(r"/area/include/([0-9]+)(?:/geometry/coordinates/0/([0-9]+)$)?")


@dataclass(frozen=True, slots=True)
class Judged:
    """A message found acceptable: what it asks for and the area to ask the geofence about."""

    message: CapMessage
    digest: bytes
    asked: Accepted

    @property
    def area(self) -> dict[str, Any]:
        """Return the area as the geofence reads it."""
        beside = {"beside": self.asked.beside} if self.asked.beside else {}
        return {"include": self.asked.shapes, **beside}

    def placed(self, refused: Problem) -> Problem:
        """Return a refusal of the area with its faults where the message has them."""
        errors = [self._place(one) for one in refused.errors]
        return Problem(
            refused.status, refused.slug, refused.detail, title=refused.title, errors=errors,
            headers=refused.headers,
        )  # fmt: skip

    def _place(self, fault: Fault) -> Fault:
        found = _SHAPE.match(fault.pointer)
        number, point = (found[1], found[2]) if found else (None, None)
        drawn = self.asked.places
        here = self.message.node.here
        path, line = drawn[int(number)] if number and int(number) < len(drawn) else here
        at = f"Line {line}, point {int(point) + 1}" if point else f"Line {line}"
        detail = fault.detail or "The area is refused here."
        return Fault(path, fault.code, f"{at}: {detail}")


async def judge(tx: Tx, reading: Reading, *, partner: Partner, now: datetime) -> Judged | UUID:
    """Judge a message; return the alert it became if it is known, else what it asks for.

    The order is fixed: what was taken once is answered again however old; then the partner, then
    the age and all else.

    Raises:
        Problem: 409 for other content under the same identifier, 403 for another's sender or
            category, 413 or 422 for what policy refuses.
    """
    message = reading.message
    if message is None:
        raise _faulty(reading)
    digest = hashlib.sha256(reading.canonical).digest()
    known = await store.find_message(tx, sender=message.sender, identifier=message.identifier)
    if known is not None and known["partner_id"] == partner.partner_id:
        return same_alert(known, digest)
    if message.sender != partner.sender:
        raise forbidden("other-sender", "The <sender> is not this partner's.")
    if known is not None:
        return same_alert(known, digest)
    try:
        check_kind(message)
        asked = check_policy(message, now=now)
    except PolicyRefused as refused:
        raise _refusal(refused) from None
    if partner.categories and not partner.categories.issuperset(asked.categories):
        raise forbidden("other-category", "This partner may not speak on this category.")
    return Judged(message, digest, asked)


def _faulty(reading: Reading) -> Problem:
    first = reading.faults[0]
    errors = [Fault(one.path, one.code, f"Line {one.line}: {one.sentence}")
              for one in reading.faults]  # fmt: skip
    return Problem(422, "cap-invalid", first.sentence, errors=errors)


def _refusal(refused: PolicyRefused) -> Problem:
    at = f"Line {refused.line}: " if refused.line else ""
    fault = Fault(refused.path, refused.code, at + refused.sentence)
    return Problem(refused.status, f"cap-{refused.code}", refused.sentence, errors=[fault])

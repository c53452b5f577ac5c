"""The brake on alerts of unusual size: a town's people alone do not send them (M13)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.staff.people import is_state_wide
from shared.security.principal import Principal
from shared.web.errors import forbidden


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """How large an area in square kilometres, and how many people, two of a town may decide on."""

    km2: float
    people: int

    @classmethod
    def of(cls, settings: DispatcherSettings) -> "BlastRadius":
        """Return the bounds that the settings give."""
        return cls(settings.state_approval_km2, settings.state_approval_people)

    def is_exceeded(self, *, km2: float | None, people: int | None) -> bool:
        """Say whether an alert is beyond it; one of unknown size is."""
        return km2 is None or people is None or km2 > self.km2 or people > self.people

    def is_exceeded_by(self, row: RowMapping) -> bool:
        """Say whether a kept alert is beyond it."""
        answer: dict[str, Any] = row["area_answer"] or {}
        return self.is_exceeded(km2=answer.get("area_km2"), people=row["expected_people"])

    def check(self, who: Principal, *, km2: float | None, people: int | None) -> None:
        """Return if this person may approve an alert of this size.

        Raises:
            Problem: 403 for somebody of a town, and more than a town's people may decide on.
        """
        if self.is_exceeded(km2=km2, people=people) and not is_state_wide(who):
            detail = "An alert of this size is approved by somebody of the whole state."
            raise forbidden("needs-state-approver", detail)

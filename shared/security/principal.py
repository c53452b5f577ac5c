"""Who is asking: the record that authenticators make and verbs receive."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["staff", "partner", "service", "resident"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who proved who they are; `town` is "*" for the whole state, else a geoid."""

    subject: str
    kind: Kind
    roles: frozenset[str]
    town: str
    auth_time: datetime | None = None

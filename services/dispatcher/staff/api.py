"""HTTP doors of the staff room: enrolling partners."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.dispatcher.settings import Doors
from services.dispatcher.staff.partners import enrol
from shared.web.auth import Principal, require
from shared.web.models import StrictModel

router = APIRouter(tags=["staff"])

# CAP 1.2 §3.2.1: no spaces, commas, or the characters < and &.
Sender = Annotated[
    str, StringConstraints(pattern=r"^[^\s,<&\x00-\x1f]+$", min_length=3, max_length=200)
]
Category = Annotated[
    str,
    StringConstraints(
        pattern="^(Geo|Met|Safety|Security|Rescue|Fire|Health|Env|Transport|Infra|CBRNE|Other)$"
    ),
]
Town = Annotated[str, StringConstraints(pattern=r"^(\*|[0-9]{10})$")]
_EXAMPLE: dict[str, Any] = {
    "name": "NWS Boston / Norton",
    "sender": "w-nws.webmaster@noaa.gov",
    "categories": ["Met"],
    "town": "*",
}


class NewPartner(StrictModel):
    """Who may post CAP messages, as which sender, about what and for where."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    sender: Sender
    categories: Annotated[list[Category], Field(max_length=12, default_factory=list)]
    town: Town


class Enrolled(BaseModel):
    """A partner, and its key, which is shown this once."""

    partner_id: UUID
    api_key: str


@router.post("/v1/partners", status_code=201)
async def post_partner(
    body: NewPartner, doors: Doors, who: Principal = require("admin")
) -> Enrolled:
    """Enrol a partner; the answer shows its API key once."""
    async with doors.database.transaction(town=who.town) as tx:
        partner_id, key = await enrol(
            tx,
            name=body.name,
            sender=body.sender,
            categories=body.categories,
            town=body.town,
            who=who,
        )
    return Enrolled(partner_id=partner_id, api_key=key)

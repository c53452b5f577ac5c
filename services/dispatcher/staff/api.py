"""HTTP doors of the staff room: enrolling partners, and saying to services whose a key is."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.dispatcher.settings import Doors
from services.dispatcher.staff.partners import enrol, recognise
from shared.db.session import ALL_TOWNS
from shared.security.partner_keys import EXAMPLE, UNKNOWN
from shared.web.auth import Principal, require
from shared.web.errors import Problem
from shared.web.handlers import problem_examples
from shared.web.models import StrictModel, example

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
_ENROLLED: dict[str, Any] = {
    "partner_id": "019c0f3e-1b2c-7d3e-8f40-5a6b7c8d9e0f",
    "api_key": EXAMPLE,
}


class NewPartner(StrictModel):
    """Who may post CAP messages, as which sender, about what and for where."""

    model_config = example(**_EXAMPLE)

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
    sender: Sender
    categories: Annotated[list[Category], Field(max_length=12, default_factory=list)]
    town: Town


class Enrolled(BaseModel):
    """A partner, and its key, which is shown this once."""

    model_config = example(**_ENROLLED)

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


class AskedKey(StrictModel):
    """A key that a partner has sent to another service."""

    model_config = example(api_key=EXAMPLE)

    api_key: Annotated[str, Field(max_length=200, repr=False)]


class Recognised(BaseModel):
    """Whose a key is, and what that partner may."""

    model_config = example(
        subject="partner:019c0f3e-1b2c-7d3e-8f40-5a6b7c8d9e0f", town="*", roles=["partner"]
    )

    subject: str
    town: str
    roles: list[str]


@router.post("/internal/v1/partners/recognise", responses=problem_examples([404]))
async def post_recognise(
    body: AskedKey, doors: Doors, who: Principal = require("service")
) -> Recognised:
    """Say whose a partner's key is; 404 for one that is nobody's or its partner's is disabled."""
    async with doors.database.transaction(town=ALL_TOWNS) as tx:
        partner = await recognise(tx, body.api_key)
    if partner is None:
        raise Problem(404, UNKNOWN, "The key is nobody's.")
    return Recognised(subject=partner.subject, town=partner.town, roles=sorted(partner.roles))

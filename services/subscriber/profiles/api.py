"""The HTTP door of the public and of residents: sign up, confirm, and manage one's own profile."""

import re
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from services.subscriber.codes.manage_link import ROLE, manage_link
from services.subscriber.codes.slow_down import slow_down
from services.subscriber.profiles import answers, bodies
from services.subscriber.profiles.change import change
from services.subscriber.profiles.confirm import Attempt, confirm
from services.subscriber.profiles.export import export
from services.subscriber.profiles.leave import leave
from services.subscriber.profiles.receive import receive
from services.subscriber.profiles.resend import resend
from services.subscriber.profiles.show import show
from services.subscriber.profiles.sign_up import Consent, sign_up
from services.subscriber.roster.amend import Amendment
from services.subscriber.roster.resident import NewResident, Preferences
from services.subscriber.settings import Context, Doors
from shared.db.session import Tx
from shared.web.auth import Principal, public, require
from shared.web.errors import (
    bad_request,
    gone,
    not_found,
    precondition_required,
    too_many,
    unprocessable,
)
from shared.web.handlers import problem_examples
from shared.web.idempotency import Digest, OptionalKey

router = APIRouter(prefix="/v1/subscribers", tags=["subscribers"])

SAME_FOR_ALL = "If these contact points are yours, each of them receives a code."
_OWN = problem_examples([401, 404])
_CHANGED = problem_examples([401, 404, 412, 422, 428])
_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')


async def _own(subscriber_id: answers.SubscriberId, who: Principal = require(ROLE)) -> UUID:
    """Let residents at their own profile only; another's is not there at all."""
    if who.subject != str(subscriber_id):
        raise not_found()
    return subscriber_id


Own = Annotated[UUID, Depends(_own)]


@dataclass(frozen=True, slots=True)
class _Resident:
    """A resident at their own profile: what every change of it needs."""

    own: Own
    request: Request
    response: Response
    doors: Doors

    def expected(self, *, required: bool = False) -> int | None:
        """Return the version of If-Match, or None where any will do."""
        given = self.request.headers.get("if-match", "").strip()
        if required and not given:
            raise precondition_required("if-match-required", "Send the ETag of your profile.")
        if not given or given == "*":
            return None
        match = _ETAG.fullmatch(given)
        if match is None:
            raise bad_request("if-match-invalid", "If-Match must hold the ETag of your profile.")
        return int(match[1])

    async def amend(self, wish: Amendment) -> answers.ProfileAnswer:
        """Change the profile as wished and show it."""
        async with self.doors.database.transaction() as tx:
            await change(
                tx,
                self.own,
                wish,
                client=_client(self.request),
                limits=self.doors.limits,
                **_with(self.doors),
                voice_codes=self.doors.settings.voice_codes,
            )
            return await self.show(tx)

    async def show(self, tx: Tx) -> answers.ProfileAnswer:
        """Show the profile with its ETag."""
        profile = await show(tx, self.own, keys=self.doors.keys)
        self.response.headers["ETag"] = f'"{profile.version}"'
        return answers.ProfileAnswer.of(profile)


Resident = Annotated[_Resident, Depends()]


@router.post(
    "", status_code=202, dependencies=[public], responses=problem_examples([400, 415, 422, 429])
)
async def post_subscriber(
    body: bodies.SignUpBody, request: Request, doors: Doors, key: OptionalKey, digest: Digest
) -> answers.SignedUp:
    """Sign up: each contact point gets a code; the answer is the same for everybody."""
    resident = NewResident(
        language=body.language,
        contacts=tuple(point.record() for point in body.contact_points),
        places=tuple(place.record() for place in body.places),
        preferences=Preferences(body.categories, body.severity_floor),
    )
    async with doors.database.transaction() as tx:
        if key is not None:
            # Keyed: a plain hash of a sign-up would be tried out for each phone there is.
            sealed = doors.keys.hasher.hash(f"request:{digest.hex()}").digest
            first = await doors.idempotency.remember(tx, principal="public", key=key, digest=sealed)
            if first is not None:
                return answers.SignedUp.model_validate_json(first.body)
        addresses = [contact.address for contact in resident.contacts]
        await slow_down(doors.limits, addresses, client=_client(request), hasher=doors.keys.hasher)
        consent = Consent(body.consent.wording, body.consent.at)
        await sign_up(tx, resident, consent, **_with(doors), voice_codes=doors.settings.voice_codes)
        answer = answers.SignedUp(subscriber_id=resident.subscriber_id, message=SAME_FOR_ALL)
        if key is not None:
            await doors.idempotency.settle(
                tx, principal="public", key=key, status=202, body=answer.model_dump_json().encode()
            )
    return answer


@router.post(
    "/{subscriber_id}/confirm",
    dependencies=[public],
    responses=problem_examples([404, 410, 422, 429]),
)
async def post_confirm(
    subscriber_id: answers.SubscriberId, body: bodies.ConfirmBody, doors: Doors
) -> answers.Confirmed:
    """Confirm a contact point with its code, and get the token that manages the profile."""
    attempt = Attempt(subscriber_id, body.contact, body.code)
    async with doors.database.transaction() as tx:
        checked = await confirm(tx, attempt, **_with(doors), voice_codes=doors.settings.voice_codes)
        if checked is not None and checked.outcome == "right":
            profile = await show(tx, subscriber_id, keys=doors.keys)
            return answers.Confirmed(
                subscriber_id=subscriber_id,
                contact_points=tuple(
                    answers.PointState.model_validate(point) for point in profile.contact_points
                ),
                manage_token=manage_link(doors.keys.links, subscriber_id),
            )
    # Only now that the try is committed may the request fail.
    if checked is None:
        raise not_found()
    if checked.outcome == "too_many":
        raise too_many(checked.retry_after_s, "Too many tries: ask for a new code.")
    if checked.outcome == "gone":
        raise gone("code-gone", "This code was used or has expired: ask for a new one.")
    raise unprocessable(
        "wrong-code", f"The code is wrong; tries left: {checked.tries_left}.", pointer="/code"
    )


@router.post(
    "/{subscriber_id}/codes",
    status_code=202,
    dependencies=[public],
    responses=problem_examples([404, 422, 429]),
)
async def post_code(
    subscriber_id: answers.SubscriberId, body: bodies.ResendBody, request: Request, doors: Doors
) -> answers.SignedUp:
    """Send a contact point a new code."""
    async with doors.database.transaction() as tx:
        await resend(
            tx,
            subscriber_id,
            body.contact,
            client=_client(request),
            limits=doors.limits,
            **_with(doors),
            voice_codes=doors.settings.voice_codes,
        )
    return answers.SignedUp(subscriber_id=subscriber_id, message=SAME_FOR_ALL)


@router.get("/{subscriber_id}", responses=_OWN)
async def get_subscriber(me: Resident) -> answers.ProfileAnswer:
    """Show a resident their own profile."""
    async with me.doors.database.transaction() as tx:
        return await me.show(tx)


@router.get("/{subscriber_id}/export", responses=_OWN)
async def get_export(me: Resident) -> answers.ExportAnswer:
    """Give a resident everything we hold of them."""
    async with me.doors.database.transaction() as tx:
        everything = await export(tx, me.own, keys=me.doors.keys)
    me.response.headers["Content-Disposition"] = 'attachment; filename="ct-alert.json"'
    return answers.ExportAnswer.of_all(everything.profile, everything.consent)


@router.patch("/{subscriber_id}", responses=_CHANGED)
async def patch_subscriber(body: bodies.ChangeBody, me: Resident) -> answers.ProfileAnswer:
    """Change language, preferences or the order of contact points."""
    wish = Amendment(
        expect=me.expected(required=True),
        language=body.language,
        categories=body.categories,
        severity_floor=body.severity_floor,
        order=body.order,
    )
    return await me.amend(wish)


@router.delete("/{subscriber_id}", status_code=202, responses=_OWN)
async def delete_subscriber(me: Resident) -> answers.Left:
    """Erase a resident; alerts under way stop for them as soon as the news has travelled."""
    async with me.doors.database.transaction() as tx:
        await leave(tx, me.own, outbox=me.doors.outbox)
    return answers.Left(subscriber_id=me.own)


@router.post("/{subscriber_id}/contact-points", status_code=202, responses=_CHANGED)
async def post_contact_point(body: bodies.ContactBody, me: Resident) -> answers.ProfileAnswer:
    """Add a contact point, which gets a code."""
    return await me.amend(Amendment(expect=me.expected(), add_contacts=(body.record(),)))


@router.patch("/{subscriber_id}/contact-points/{contact_id}", responses=_CHANGED)
async def patch_contact_point(
    contact_id: answers.ContactId, body: bodies.ReceiveBody, me: Resident
) -> answers.ProfileAnswer:
    """Stop alerts to a contact point, or take that back."""
    async with me.doors.database.transaction() as tx:
        await receive(tx, me.own, contact_id, wanted=body.receive, **_with(me.doors))
        return await me.show(tx)


@router.delete("/{subscriber_id}/contact-points/{contact_id}", responses=_CHANGED)
async def delete_contact_point(
    contact_id: answers.ContactId, me: Resident
) -> answers.ProfileAnswer:
    """Remove a contact point."""
    return await me.amend(Amendment(expect=me.expected(), remove_contacts=(contact_id,)))


@router.post("/{subscriber_id}/places", status_code=201, responses=_CHANGED)
async def post_place(body: bodies.PlaceBody, me: Resident) -> answers.ProfileAnswer:
    """Add a place to be warned for."""
    return await me.amend(Amendment(expect=me.expected(), add_places=(body.record(),)))


@router.put("/{subscriber_id}/places/{place_id}", responses=_CHANGED)
async def put_place(
    place_id: answers.PlaceId, body: bodies.PlaceBody, me: Resident
) -> answers.ProfileAnswer:
    """Move a place."""
    wish = Amendment(expect=me.expected(), move_places=((place_id, body.record()),))
    return await me.amend(wish)


@router.delete("/{subscriber_id}/places/{place_id}", responses=_CHANGED)
async def delete_place(place_id: answers.PlaceId, me: Resident) -> answers.ProfileAnswer:
    """Remove a place; the resident stays, also without any."""
    return await me.amend(Amendment(expect=me.expected(), remove_places=(place_id,)))


def _client(request: Request) -> str | None:
    return request.client.host if request.client else None


def _with(doors: Context) -> dict[str, Any]:
    return {"outbox": doors.outbox, "keys": doors.keys}

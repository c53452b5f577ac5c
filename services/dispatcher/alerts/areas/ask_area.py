"""Asking the geofence for an area, and holding it against the jurisdiction of whoever asks."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.dispatcher.alerts.areas.verified_area import Area, Geofence
from services.dispatcher.staff.jurisdictions import covers
from services.dispatcher.staff.people import is_state_wide
from shared.connecticut import town_by_geoid
from shared.security.principal import Principal
from shared.web.errors import Problem, forbidden, unprocessable


async def ask_area(
    geofence: Geofence, request: Mapping[str, Any] | None, *, who: Principal
) -> Area:
    """Return the verified area of a request, inside the jurisdiction of whoever asks.

    Raises:
        Problem: 422 without an area or with a bad one, 403 outside one's own town.
        AreaUnverified: the geofence gave no answer that counts.
    """
    if not request or not any(request.get(side) for side in ("include", "exclude")):
        raise unprocessable("area-required", "An area is required.", pointer="/area")
    area = await geofence.ask(request, town=who.town)
    if not is_state_wide(who):
        await _check_jurisdiction(geofence, area, who.town)
    return area


async def _check_jurisdiction(geofence: Geofence, area: Area, town: str) -> None:
    outside = forbidden("outside-jurisdiction", "The area leaves your jurisdiction.")
    own = _same_town(town)
    if any(_same_town(code) != own for code in area.towns):
        raise outside
    boundary = {"include": [{"type": "geocode", "scheme": "TOWN", "value": town}]}
    try:
        jurisdiction = await geofence.ask(boundary, town=town)
    except Problem:
        detail = "Your town's boundary has not been imported, so no area of it can be judged."
        raise unprocessable("town-boundary-missing", detail, pointer="/area") from None
    if not await asyncio.to_thread(covers, jurisdiction.wkb, area.wkb):
        raise outside


def _same_town(code: str) -> str:
    """Return one code for a town that has two: by its county and by its planning region."""
    town = town_by_geoid(code)
    return town.geoid if town else code

"""Find residents whose change brings them into a live alert or takes them out, each once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import numpy as np
from shapely.geometry.base import BaseGeometry

from services.geofence.areas.area import Area, AreaBroken, from_wkb
from services.geofence.audience import store
from services.geofence.audience.store import LiveAlert
from services.geofence.index.geodesy import Floats
from services.geofence.index.grid import Ints, exact
from services.geofence.index.near import within
from services.geofence.index.settle_places import Step
from shared.db.session import Tx
from shared.events.audience import AudienceRefused, AudienceResolved, pack_ids
from shared.events.base import Event
from shared.identifiers import new_id
from shared.watch.logs import get_logger
from shared.watch.metrics import pages

log = get_logger(__name__)

MOST_AREAS = 64
BROKEN = "area-broken"
# Partition and offset of a resident's version, where it is certain of which topic they are.
Where: TypeAlias = dict[tuple[UUID, int], tuple[int, int]]


class Areas:
    """Areas of live alerts, each read once; of very many alerts at a time only the first stay."""

    def __init__(self, *, most: int = MOST_AREAS) -> None:
        self._known: dict[str, Area] = {}
        self._most = most

    async def of(self, tx: Tx, alert: LiveAlert) -> Area:
        """Return the area of a live alert.

        Raises:
            AreaBroken: what is stored is no area, or not the approved one.
        """
        area = self._known.get(alert.digest)
        if area is None:
            wkb = await store.area_wkb(tx, alert)
            if hashlib.sha256(wkb).hexdigest() != alert.digest:
                raise AreaBroken("the area is not the one of the digest")
            area = from_wkb(wkb, digest=alert.digest)
            # Nobody is put out for it: taking turns, each would be read for every batch.
            if len(self._known) < self._most:
                self._known[alert.digest] = area
        return area

    def keep_only(self, alerts: Sequence[LiveAlert]) -> None:
        """Forget the areas of alerts that are over."""
        live = {alert.digest for alert in alerts}
        self._known = {digest: area for digest, area in self._known.items() if digest in live}


@dataclass(frozen=True, slots=True)
class _Stays:
    """Places where residents have been, before a change or after it, and where that one lies."""

    who: Sequence[UUID]
    at: Sequence[tuple[int, int] | None]
    lon: Floats
    lat: Floats
    metres: Floats

    def since(self, offsets: Mapping[int, int]) -> Ints:
        """Return the rows of changes that lie at these offsets or after, or nobody knows where."""
        late = [one is None or one[1] >= offsets.get(one[0], 0) for one in self.at]
        return np.flatnonzero(late)

    def people(self, rows: Ints) -> set[UUID]:
        """Return whose rows they are."""
        return {self.who[n] for n in rows.tolist()}


async def late_joiners(
    tx: Tx,
    steps: Sequence[Step],
    *,
    live: Sequence[LiveAlert],
    lies: Where,
    topic_id: str,
    areas: Areas,
) -> list[Event]:
    """Return a chunk per live alert with whom a change brings into it or takes out of it.

    Nobody who was noted before. Who leaves was inside when the alert was registered, or since,
    and a run that looks only now does not see them any more. A change known to lie before the
    registration is left to the runs of the alert, all of which see it: whom it took out between
    approval and registration nobody can know here, where no past places are kept. A live alert
    whose area cannot be read any more is refused instead, once.
    """
    events: list[Event] = []
    stays = _stays(steps, lies)
    if stays is None:
        return events
    for alert in live:
        try:
            area = (await areas.of(tx, alert)).geometry
        except AreaBroken as error:
            # Rosters of all other alerts must not wait for the repair of one stored area.
            events += await _refuse(tx, alert, str(error))
            continue
        since = alert.since.offsets if alert.since and alert.since.topic_id == topic_id else {}
        inside, around = _met(area, stays, stays.since(since))
        new = await store.add_late_joiners(tx, alert, inside | around) if inside | around else ()
        if new:
            events.append(_chunk(alert, inside & set(new), around & set(new)))
    return events


def _stays(steps: Sequence[Step], lies: Where) -> _Stays | None:
    rows = [(step.change, spot) for step in steps for spot in (*step.before, *step.change.spots)]
    if not rows:
        return None
    lon, lat, metres = np.array(
        [(spot.lon, spot.lat, spot.uncertainty_m) for _, spot in rows], np.float64
    ).T
    who = [change.subscriber_id for change, _ in rows]
    at = [lies.get((change.subscriber_id, change.version)) for change, _ in rows]
    return _Stays(who, at, lon, lat, metres)


def _met(area: BaseGeometry, stays: _Stays, late: Ints) -> tuple[set[UUID], set[UUID]]:
    """Return who of some rows has been inside an area, and who inside by uncertainty only."""
    inside = stays.people(late[exact(area, stays.lon[late], stays.lat[late])])
    fuzzy = late[stays.metres[late] > 0]
    near = fuzzy[within(area, stays.lon[fuzzy], stays.lat[fuzzy], stays.metres[fuzzy])]
    return inside, stays.people(near) - inside


async def _refuse(tx: Tx, alert: LiveAlert, why: str) -> list[Event]:
    """Say that nobody joins an alert late any more, unless that has been said."""
    if alert.refused or not await store.note_refused(tx, alert, reason=BROKEN):
        return []
    log.critical("audience.area_broken", alert_id=str(alert.alert_id), reason=why)
    pages.labels("geofence", BROKEN).inc()
    return [
        AudienceRefused(
            alert_id=alert.alert_id,
            version=alert.version,
            area_digest=alert.digest,
            reason=BROKEN,
        )
    ]


def _chunk(alert: LiveAlert, inside: set[UUID], around: set[UUID]) -> AudienceResolved:
    return AudienceResolved(
        alert_id=alert.alert_id,
        version=alert.version,
        run_id=new_id(),
        chunk=0,
        area_digest=alert.digest,
        inside=pack_ids(sorted(inside)),
        by_uncertainty=pack_ids(sorted(around)),
        late=True,
    )

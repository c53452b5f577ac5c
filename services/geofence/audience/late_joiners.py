"""Find residents whose change brings them into a live alert, each once."""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

import numpy as np

from services.geofence.areas.area import Area, AreaBroken, from_wkb
from services.geofence.audience import store
from services.geofence.audience.store import LiveAlert
from services.geofence.index.change import Change
from services.geofence.index.grid import exact
from services.geofence.index.near import within
from shared.db.session import Tx
from shared.events.audience import AudienceRefused, AudienceResolved, pack_ids
from shared.events.base import Event
from shared.identifiers import new_id
from shared.watch.logs import get_logger
from shared.watch.metrics import pages

log = get_logger(__name__)

MOST_AREAS = 64
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


async def late_joiners(
    tx: Tx, changes: Sequence[Change], *, lies: Where, topic_id: str, areas: Areas
) -> list[Event]:
    """Return a chunk per live alert with the changed residents inside it, unless noted before.

    A change known to lie before the alert was registered is left to its runs, all of which see
    it; a later one may have taken the resident out of the area. A live alert whose area cannot be
    read any more is refused instead.
    """
    events: list[Event] = []
    rows = [(change, spot) for change in changes for spot in change.spots]
    if not rows:
        return events
    lon, lat, metres = np.array(
        [(spot.lon, spot.lat, spot.uncertainty_m) for _, spot in rows], np.float64
    ).T
    who = [change.subscriber_id for change, _ in rows]
    at = [lies.get((change.subscriber_id, change.version)) for change, _ in rows]
    live = await store.live_alerts(tx)
    areas.keep_only(live)
    for alert in live:
        try:
            area = (await areas.of(tx, alert)).geometry
        except AreaBroken as error:
            # Rosters of all other alerts must not wait for the repair of one stored area.
            log.critical("audience.area_broken", alert_id=str(alert.alert_id), reason=str(error))
            pages.labels("geofence", "area-broken").inc()
            events.append(_refused(alert))
            continue
        since = alert.since.offsets if alert.since and alert.since.topic_id == topic_id else {}
        late = np.flatnonzero([one is None or one[1] >= since.get(one[0], 0) for one in at])
        inside = {who[n] for n in late[exact(area, lon[late], lat[late])].tolist()}
        fuzzy = late[metres[late] > 0]
        near = fuzzy[within(area, lon[fuzzy], lat[fuzzy], metres[fuzzy])]
        around = {who[n] for n in near.tolist()} - inside
        new = await store.add_late_joiners(tx, alert, inside | around) if inside | around else ()
        if new:
            events.append(_chunk(alert, inside & set(new), around & set(new)))
    return events


def _refused(alert: LiveAlert) -> AudienceRefused:
    return AudienceRefused(
        alert_id=alert.alert_id,
        version=alert.version,
        area_digest=alert.digest,
        reason="area-broken",
    )


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

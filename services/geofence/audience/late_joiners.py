"""Find residents whose change brings them into a live alert, each once."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from services.geofence.areas.area import Area, AreaBroken, from_wkb
from services.geofence.audience import store
from services.geofence.audience.store import LiveAlert
from services.geofence.index.change import Change
from services.geofence.index.grid import exact
from services.geofence.index.near import within
from shared.db.session import Tx
from shared.events.audience import AudienceResolved, pack_ids
from shared.identifiers import new_id
from shared.watch.logs import get_logger
from shared.watch.metrics import pages

log = get_logger(__name__)

MOST_AREAS = 64


class Areas:
    """Areas of live alerts, read once by digest and kept while they are in use."""

    def __init__(self) -> None:
        self._known: dict[str, Area] = {}

    async def of(self, tx: Tx, alert: LiveAlert) -> Area:
        """Return the area of a live alert.

        Raises:
            AreaBroken: what is stored is no area.
        """
        area = self._known.pop(alert.digest, None)
        if area is None:
            area = from_wkb(await store.area_wkb(tx, alert), digest=alert.digest)
        self._known[alert.digest] = area
        if len(self._known) > MOST_AREAS:
            del self._known[next(iter(self._known))]
        return area


async def late_joiners(
    tx: Tx, changes: Sequence[Change], *, areas: Areas
) -> list[AudienceResolved]:
    """Return a chunk per live alert with the changed residents inside it, unless noted before."""
    chunks: list[AudienceResolved] = []
    rows = [(change.subscriber_id, spot) for change in changes for spot in change.spots]
    if not rows:
        return chunks
    lon, lat, metres = np.array(
        [(spot.lon, spot.lat, spot.uncertainty_m) for _, spot in rows], np.float64
    ).T
    for alert in await store.live_alerts(tx):
        try:
            area = (await areas.of(tx, alert)).geometry
        except AreaBroken as error:
            # Rosters of all other alerts must not wait for the repair of one stored area.
            log.critical("audience.area_broken", alert_id=str(alert.alert_id), reason=str(error))
            pages.labels("geofence", "area-broken").inc()
            continue
        inside = {rows[n][0] for n in np.flatnonzero(exact(area, lon, lat)).tolist()}
        fuzzy = np.flatnonzero(metres > 0)
        near = fuzzy[within(area, lon[fuzzy], lat[fuzzy], metres[fuzzy])]
        around = {rows[n][0] for n in near.tolist()} - inside
        new = await store.add_late_joiners(tx, alert, inside | around) if inside | around else ()
        if new:
            chunks.append(_chunk(alert, inside & set(new), around & set(new)))
    return chunks


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

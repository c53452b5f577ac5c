"""Find residents whose change brings them into a live alert or takes them out, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import numpy as np

from services.geofence.areas.area import Area, AreaBroken, from_wkb
from services.geofence.audience import store
from services.geofence.audience.chunks import late_chunks
from services.geofence.audience.leavers.stays import Stays, stays_of
from services.geofence.audience.store import LiveAlert
from services.geofence.index.grid import Ints
from services.geofence.index.settle_places import Step
from shared.db.session import Tx
from shared.events.audience import AudienceRefused
from shared.events.base import Event
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
            area = from_wkb(await store.area_wkb(tx, alert), digest=alert.digest)
            # Nobody is put out for it: taking turns, each would be read for every batch.
            if len(self._known) < self._most:
                self._known[alert.digest] = area
        return area

    def keep_only(self, alerts: Sequence[LiveAlert]) -> None:
        """Forget the areas of alerts that are over."""
        live = {alert.digest for alert in alerts}
        self._known = {digest: area for digest, area in self._known.items() if digest in live}


@dataclass(frozen=True, slots=True)
class _Seen:
    """Places before changes and after them; where each change lies, and of what it ended when."""

    stays: Stays
    at: Sequence[tuple[int, int] | None]
    ended: Sequence[tuple[datetime | None, datetime] | None]

    def of(self, alert: LiveAlert, *, topic_id: str) -> Ints:
        """Return the rows that count for an alert.

        Those of a change that lies after its registration, or nobody knows where, and those of
        its approval that were left later.
        """
        since = alert.since.offsets if alert.since and alert.since.topic_id == topic_id else {}
        counts = [
            at is None or at[1] >= since.get(at[0], 0) or _at_approval(ended, alert.approved_at)
            for at, ended in zip(self.at, self.ended, strict=True)
        ]
        return np.flatnonzero(counts)


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
    registration is left to the runs of the alert, all of which see it, but for whom it took out
    after the approval. A live alert whose area cannot be read any more is refused instead, once.
    """
    events: list[Event] = []
    seen = _seen(steps, lies) if live else None
    if seen is None:
        return events
    for alert in live:
        try:
            area = (await areas.of(tx, alert)).geometry
        except AreaBroken as error:
            # Rosters of all other alerts must not wait for the repair of one stored area.
            events += await _refuse(tx, alert, str(error))
            continue
        inside, around = seen.stays.met(area, seen.of(alert, topic_id=topic_id))
        if inside | around:
            new = await store.add_late_joiners(tx, alert, inside | around)
            events += late_chunks(
                inside & new,
                around & new,
                alert_id=alert.alert_id,
                version=alert.version,
                digest=alert.digest,
            )
    return events


def _seen(steps: Sequence[Step], lies: Where) -> _Seen | None:
    rows = [
        (step, spot, ended)
        for step in steps
        for spot, ended in (
            *((stay.spot, (stay.since, step.happened_at)) for stay in step.left),
            *((spot, None) for spot in step.change.spots),
        )
    ]
    if not rows:
        return None
    changes = [step.change for step, _, _ in rows]
    return _Seen(
        stays_of([(step.change.subscriber_id, spot) for step, spot, _ in rows]),
        [lies.get((change.subscriber_id, change.version)) for change in changes],
        [ended for _, _, ended in rows],
    )


def _at_approval(
    ended: tuple[datetime | None, datetime] | None, approved_at: datetime | None
) -> bool:
    """Say whether a place that has ended was one at a moment."""
    if ended is None or approved_at is None:
        return False
    since, left_at = ended
    return (since is None or since <= approved_at) and approved_at < left_at


async def _refuse(tx: Tx, alert: LiveAlert, why: str) -> list[Event]:
    """Say that nobody joins an alert late any more, unless that has been said."""
    if alert.refused_for == BROKEN:
        return []
    if not await store.note_refused(tx, alert, digest=alert.digest, reason=BROKEN):
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

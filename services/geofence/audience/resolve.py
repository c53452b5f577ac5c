"""Resolve an approved alert to the people in its area, and complete what went early."""

import asyncio
from dataclasses import dataclass

from services.geofence.areas.area import Area, AreaBroken, unpack
from services.geofence.audience import store
from services.geofence.audience.run import Publish, Run
from services.geofence.index.tail import Roster
from services.geofence.index.view import OutsideArea
from shared.bus.errors import passes
from shared.bus.kafka.bus import Bus
from shared.db.session import Database
from shared.db.transient import is_transient
from shared.events.alert import AlertApproved
from shared.events.envelope import Poison
from shared.events.topics import PLACE_CHANGED
from shared.identifiers import new_id
from shared.watch.failpoints import fp
from shared.watch.logs import get_logger
from shared.watch.metrics import Histogram, pages

log = get_logger(__name__)
_seconds = Histogram("ctalert_resolve_seconds", "From the event to its last chunk")

# A warning waits no longer for an index that is behind.
PATIENCE_S = 1.0
LOOK_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What a run must have seen: the end of the roster after the alert was registered."""

    topic_id: str
    offsets: dict[int, int]


class Resolver:
    """Resolves alerts; as a part of a replica it completes the runs that went early."""

    name = "complete-runs"

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        roster: Roster,
        publish: Publish,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._database = database
        self._bus = bus
        self._roster = roster
        self._publish = publish
        self._patience_s = patience_s
        self._early: set[asyncio.Task[None]] = set()

    async def resolve(self, alert: AlertApproved) -> None:
        """Publish everybody in the alert's area in chunks, then that the run is complete.

        1. Register the alert as live and commit. 2. Read the end offsets V of the roster.
        3. Wait a second at most for the index to reach V, resolve and publish.
        4. If that went early, look again on reaching V and publish the difference.
        5. Publish audience.completed.
        A change before V is in the index of 3 or 4; one after V finds the alert registered.
        Steps 4 and 5 of an early run go on beside later alerts; if this process dies first, the
        alert is announced again.

        Raises:
            Poison: the area is missing, altered or no area, or the index contradicts it; nobody
                is warned by guesswork.
        """
        area = _area(alert)
        run = Run(new_id(), alert, area, self._publish)
        if not await self._register(run):
            return
        fp("geofence.after_registration")
        with _seconds.time():
            sight = await self._end_of_roster()
            run.went_early = not await self._roster.reached(
                sight.offsets, topic_id=sight.topic_id, within_s=self._patience_s
            )
            await _guarded(run, self._roster)
        if run.went_early:
            log.warning("audience.went_early", alert_id=str(alert.alert_id))
            task = asyncio.create_task(self._complete_later(run, sight))
            self._early.add(task)
            task.add_done_callback(self._early.discard)
        else:
            await self._complete(run, sight)

    async def run(self, stop: asyncio.Event) -> None:
        """Let early runs go on until told to stop; those left are announced again by others."""
        await stop.wait()
        for task in list(self._early):
            task.cancel()
        await asyncio.gather(*self._early, return_exceptions=True)

    async def _register(self, run: Run) -> bool:
        alert = run.alert
        async with self._database.transaction() as tx:
            registered = await store.register(
                tx,
                alert_id=alert.alert_id,
                version=alert.version,
                wkb=run.area.wkb,
                digest=run.area.digest,
                expires_at=alert.expires_at,
            )
            if registered.live and registered.same_area:
                await store.begin_run(
                    tx, run_id=run.run_id, alert_id=alert.alert_id, version=alert.version
                )
        if not registered.same_area:
            raise _refusal(alert, "area-of-another-digest")
        if not registered.live:
            log.info(
                "audience.not_live",
                alert_id=str(alert.alert_id),
                version=alert.version,
                why=registered.why_not,
            )
        return registered.live

    async def _end_of_roster(self) -> Sight:
        topic_id, offsets = await asyncio.gather(
            self._bus.topic_id(PLACE_CHANGED), self._bus.end_offsets(PLACE_CHANGED)
        )
        return Sight(topic_id, offsets)

    async def _complete(self, run: Run, sight: Sight) -> None:
        await run.publish_completed(offsets=sight.offsets, topic_id=sight.topic_id)
        async with self._database.transaction() as tx:
            await store.complete_run(
                tx,
                run_id=run.run_id,
                went_early=run.went_early,
                chunks=run.chunks,
                members=run.members,
                topic_id=sight.topic_id,
                offsets=sight.offsets,
            )
        log.info(
            "audience.resolved",
            alert_id=str(run.alert.alert_id),
            version=run.alert.version,
            run_id=str(run.run_id),
            members=run.members,
            chunks=run.chunks,
        )

    async def _complete_later(self, run: Run, sight: Sight) -> None:
        """Look again when the index has reached V, unless the alert ends first."""
        while not await self._roster.reached(
            sight.offsets, topic_id=sight.topic_id, within_s=LOOK_AGAIN_S
        ):
            if not await self._still_live(run):
                return
        while await self._still_live(run):
            try:
                await _guarded(run, self._roster)
                await self._complete(run, sight)
            except Poison:
                return
            except Exception as error:
                if not passes(error):
                    raise
                await asyncio.sleep(LOOK_AGAIN_S)
            else:
                return

    async def _still_live(self, run: Run) -> bool:
        try:
            async with self._database.transaction() as tx:
                return await store.is_live(
                    tx, alert_id=run.alert.alert_id, version=run.alert.version
                )
        except Exception as error:
            if is_transient(error):
                return True
            raise


def _area(alert: AlertApproved) -> Area:
    try:
        return unpack(alert.area_wkb, digest=alert.area_digest)
    except AreaBroken as error:
        raise _refusal(alert, "area-broken", str(error)) from error


async def _guarded(run: Run, roster: Roster) -> None:
    try:
        await run.publish_new(roster.view())
    except OutsideArea as error:
        raise _refusal(run.alert, "audience-outside-area", str(error)) from error


def _refusal(alert: AlertApproved, reason: str, detail: str = "") -> Poison:
    """Say loudly that an alert is not resolved: a log, a count, and a dead letter that pages."""
    log.critical(
        "audience.refused",
        alert_id=str(alert.alert_id),
        version=alert.version,
        reason=reason,
        detail=detail,
    )
    pages.labels("geofence", reason).inc()
    return Poison(reason, detail)

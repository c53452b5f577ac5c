"""Resolve an approved alert to the people in its area, and complete what went early."""

import asyncio
from uuid import UUID

from services.geofence.areas.area import Area, AreaBroken, unpack
from services.geofence.audience import store
from services.geofence.audience.go_live import go_live
from services.geofence.audience.leavers.store import left_after
from services.geofence.audience.refuse import refuse
from services.geofence.audience.run import Publish, Run
from services.geofence.audience.store import Sight
from services.geofence.index.tail import Roster
from services.geofence.index.view import OutsideArea
from shared.bus.errors import BusError, BusUnavailable, passes
from shared.bus.kafka.bus import Bus
from shared.db.session import Database, Tx
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
LOOK_AT_KEEPERS_S = 0.05


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
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._database = database
        self._bus = bus
        self._roster = roster
        self._publish = publish
        self._patience_s = patience_s
        self._look_again_s = look_again_s
        self._early: dict[tuple[UUID, int], asyncio.Task[None]] = {}

    async def resolve(self, alert: AlertApproved) -> None:
        """Publish everybody in the alert's area in chunks, then that the run is complete.

        1. Register the alert as live and commit.
        2. Read the end offsets V of the roster.
        3. Wait a second at most for the index to reach V, resolve and publish; then publish who
           was inside at the approval and has left, as far as that is kept.
        4. If that went early, look again on reaching V and publish the difference.
        5. Publish audience.completed.
        A change before V is in the index of 3 or 4; one after V finds the alert registered,
        and whom it takes out is told by keep_places too, as by all that is kept after 3.
        Steps 4 and 5 of an early run go on beside later alerts; if this process dies first, the
        alert is announced again.

        Raises:
            Poison: the area is missing, altered or no area, or the index contradicts it; nobody
                is warned by guesswork.
        """
        run = await self._begin(alert, await self._area(alert))
        if run is None:
            return
        fp("geofence.after_registration")
        with _seconds.time():
            sight = await self._sight()
            fp("geofence.after_sight")
            run.went_early = not await self._reached(sight, within_s=self._patience_s)
            await self._publish_new(run)
        early = run.went_early or not run.knows_leavers
        if sight is None or early or not await self._stands(sight):
            run.went_early = True
            log.warning("audience.went_early", alert_id=str(alert.alert_id))
            self._complete_later(run, sight)
        else:
            await self._complete(run, sight)

    async def run(self, stop: asyncio.Event) -> None:
        """Let early runs go on until told to stop; those left are announced again by others."""
        await self._warm_up()
        await stop.wait()
        left = list(self._early.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _area(self, alert: AlertApproved) -> Area:
        try:
            return unpack(alert.area_wkb, digest=alert.area_digest)
        except AreaBroken as error:
            raise await self._refuse(alert, "area-broken", str(error)) from error

    async def _begin(self, alert: AlertApproved, area: Area) -> Run | None:
        """Register an alert version, and with it a new run; None where it is not live."""
        run = Run(new_id(), alert, area, self._publish)
        since = await self._sight()
        async with self._database.transaction() as tx:
            gone_live = await go_live(
                tx, alert, area, run_id=run.run_id, since=since, patience_s=self._patience_s
            )
        registered, run.knows_leavers = gone_live.registered, gone_live.knows_leavers
        if not registered.same_area:
            raise await self._refuse(alert, "area-of-another-digest")
        if registered.live:
            return run
        why = registered.why_not
        log.info("audience.not_live", alert_id=str(alert.alert_id), version=alert.version, why=why)
        return None

    async def _sight(self) -> Sight | None:
        """Read V; None where there is no roster topic to be seen, for which no warning waits.

        Identity and offsets come in two answers. An identity never comes back, so where it is
        the same before and after, the offsets are of that very topic: those of a topic made
        again in between would let an index of the lost one pass for complete.
        """
        try:
            topic_id = await self._bus.topic_id(PLACE_CHANGED)
            while True:
                before = topic_id
                offsets = await self._bus.end_offsets(PLACE_CHANGED)
                topic_id = await self._bus.topic_id(PLACE_CHANGED)
                if topic_id == before:
                    return Sight(topic_id, offsets)
        except BusUnavailable:
            raise
        except BusError as error:
            log.error("audience.no_roster", error=str(error))
            return None

    async def _stands(self, sight: Sight) -> bool:
        """Say whether V is still of the topic there is.

        Asked after the index was looked at: while the topic is the same, all that the index has
        read was of it; of one made again it may have passed V in other people's changes.
        """
        try:
            return await self._bus.topic_id(PLACE_CHANGED) == sight.topic_id
        except BusUnavailable:
            raise
        except BusError:
            return False

    async def _reached(self, sight: Sight | None, *, within_s: float) -> bool:
        return sight is not None and await self._roster.reached(
            sight.offsets, topic_id=sight.topic_id, within_s=within_s
        )

    async def _publish_new(self, run: Run) -> None:
        try:
            await run.publish_new(self._roster.view())
        except OutsideArea as error:
            raise await self._refuse(run.alert, "audience-outside-area", str(error)) from error
        await self._publish_left(run)

    async def _publish_left(self, run: Run) -> None:
        """Publish who was inside at the approval and is gone from the index, as far as kept by now.

        What is kept later finds the alert live. But one that found nobody is held, also for who
        is told late: such a run waits `patience_s` at most for keepers that are behind the index.
        """
        now = asyncio.get_running_loop().time
        until, bounds = now() + self._patience_s, run.area.geometry.bounds
        ends = None if run.members else await self._sight()
        behind = True
        while behind:
            async with self._database.transaction() as tx:
                behind = ends is not None and await _is_behind(tx, ends)
                left = await left_after(tx, run.alert.approved_at, bounds=bounds)
            await run.publish_left(left)
            if run.members or now() >= until:
                return
            if behind:
                await asyncio.sleep(LOOK_AT_KEEPERS_S)

    async def _complete(self, run: Run, sight: Sight) -> None:
        alert_id, version = str(run.alert.alert_id), run.alert.version
        await run.publish_completed(offsets=sight.offsets, topic_id=sight.topic_id)
        fp("geofence.after_completed")
        async with self._database.transaction() as tx:
            await store.complete_run(
                tx,
                run_id=run.run_id,
                went_early=run.went_early,
                chunks=run.chunks,
                members=run.members,
                sight=sight,
            )
        log.info(
            "audience.resolved",
            alert_id=alert_id,
            version=version,
            run_id=str(run.run_id),
            members=run.members,
            chunks=run.chunks,
        )

    def _complete_later(self, run: Run, sight: Sight | None) -> None:
        """Go on with an early run beside later alerts, in the place of an older one of its kind."""
        key = (run.alert.alert_id, run.alert.version)

        def ended(task: asyncio.Task[None]) -> None:
            if self._early.get(key) is task:
                del self._early[key]
            if not task.cancelled() and task.exception() is not None:
                log.critical("audience.early_run_failed", exc_info=task.exception())
                pages.labels("geofence", "early-run-failed").inc()

        older = self._early.pop(key, None)
        if older is not None:
            older.cancel()
        self._early[key] = asyncio.create_task(self._look_again(run, sight))
        self._early[key].add_done_callback(ended)

    async def _look_again(self, early: Run, sight: Sight | None) -> None:
        """Look again when the index has reached V, unless the alert ends first.

        What failed in the middle of that is made again as another run, from its beginning: nobody
        knows which of its chunks the bus has taken, nor who was in the one that was being cut.
        """
        run: Run | None = early if early.knows_leavers else None
        while await self._still_live(early.alert):
            try:
                if sight is None or not await self._stands(sight):
                    sight = await self._sight()
                elif await self._reached(sight, within_s=self._look_again_s):
                    run = run or await self._begin(early.alert, early.area)
                    if run is None or await self._finished(run, sight):
                        return
                    run = run if run.knows_leavers else None
            except Poison:
                return
            except Exception as error:
                if not passes(error):
                    raise
                log.warning("audience.made_again", error=type(error).__name__)
                run = None
            if sight is None or run is None:
                await asyncio.sleep(self._look_again_s)

    async def _finished(self, run: Run, sight: Sight) -> bool:
        """Publish what a run has not yet, and complete it if V stands and no leaver is missing."""
        if not run.knows_leavers:
            return False
        await self._publish_new(run)
        if not await self._stands(sight):
            return False
        await self._complete(run, sight)
        return True

    async def _still_live(self, alert: AlertApproved) -> bool:
        try:
            async with self._database.transaction() as tx:
                return await store.is_live(tx, alert_id=alert.alert_id, version=alert.version)
        except Exception as error:
            if is_transient(error):
                return True
            raise

    async def _warm_up(self) -> None:
        """Open the connections that the first alert would otherwise wait for, where they can be."""
        try:
            await self._publish(())
            await self._bus.topic_id(PLACE_CHANGED)
            await self._bus.end_offsets(PLACE_CHANGED)
            await self._database.answer()
        except Exception as error:
            if not isinstance(error, BusError) and not passes(error):
                raise
            log.info("audience.not_warm", error=type(error).__name__)

    async def _refuse(self, alert: AlertApproved, reason: str, detail: str = "") -> Poison:
        return await refuse(
            alert, reason, detail=detail, database=self._database, publish=self._publish
        )


async def _is_behind(tx: Tx, ends: Sight) -> bool:
    kept = await store.kept_offsets(tx, topic_id=ends.topic_id)
    return any(kept.get(one, 0) < end for one, end in ends.offsets.items())

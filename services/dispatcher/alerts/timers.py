"""Due work of the alerts room: lapse, expiry, telling again, how far alerts are, forgetting."""

from uuid import UUID

from sqlalchemy import RowMapping

from services.dispatcher.alerts import store
from services.dispatcher.alerts.approval import announcement
from services.dispatcher.alerts.areas import store as areas
from services.dispatcher.alerts.areas.ask_area import ask_area
from services.dispatcher.alerts.areas.hold import hold_of
from services.dispatcher.alerts.areas.hold_area import hold_area
from services.dispatcher.alerts.areas.verified_area import AreaUnverified, Geofence
from services.dispatcher.alerts.progress import store as progress
from services.dispatcher.alerts.states import sources
from services.dispatcher.alerts.submit import submit
from services.dispatcher.delivery.pacing import Every
from services.dispatcher.settings import Context
from services.dispatcher.staff.forget_pages import forget_pages
from shared.db.session import ALL_TOWNS, Tx
from shared.events.alert import AlertEnded
from shared.security.principal import Principal
from shared.service import Part
from shared.watch.logs import get_logger
from shared.web.errors import Problem
from shared.web.limits import PostgresStorage

log = get_logger(__name__)

BATCH = 50
# Longer than a fan-out keeps silent between two chunks, shorter than people wait for a warning.
SILENCE_S = 15.0
FORGET_S = 60.0
# A geofence that starts anew answers sooner; a warning that nobody can approve is no warning.
UNVERIFIED_S = 60.0


def timers(context: Context) -> list[Part]:
    """Return the due work of alerts as parts of the timers' role."""
    return [
        Every("alerts.advance", 1.0, lambda: _advance(context), page=context.page),
        Every("alerts.close", 5.0, lambda: _close(context), page=context.page),
        Every("alerts.verify", 5.0, lambda: _verify(context), page=context.page),
        Every("alerts.unverified", 5.0, _Unverified(context).look, page=context.page),
        Every("alerts.forget", FORGET_S, lambda: _forget(context), page=context.page),
    ]


async def _advance(context: Context) -> None:
    async with context.database.transaction(town=ALL_TOWNS) as tx:
        await progress.see_resolved(tx)
        await progress.see_dispatching(tx)
        await progress.see_sent(tx)
        await progress.see_completed(tx)
        await progress.see_cancelled(tx)
        await _end(tx, context)
        for alert_id in await _announce(tx, context):
            await context.page.within(
                tx, f"alert {alert_id} has no whole audience yet: it is announced again"
            )


async def _end(tx: Tx, context: Context) -> None:
    ended = await store.end_expired(tx, limit=BATCH)
    await context.outbox.put(
        tx,
        *(
            AlertEnded(
                alert_id=row["alert_id"],
                version=row["version"],
                reason="expired",
                ended_at=row["ended_at"],
            )
            for row in ended
        ),
    )


async def _announce(tx: Tx, context: Context) -> list[UUID]:
    rows = await store.announce_again(tx, silence_s=SILENCE_S, limit=BATCH)
    await context.outbox.put(tx, *(announcement(row) for row in rows))
    return [row["alert_id"] for row in rows]


async def _close(context: Context) -> None:
    async with context.database.transaction(town=ALL_TOWNS) as tx:
        undecided = ["draft", "pending_approval", "returned"]
        closed = [
            *await store.expire_undecided(tx, sources=undecided, limit=BATCH),
            *await store.lapse(tx, sources=sources("lapse"), limit=BATCH),
        ]
        for row in closed:
            if row["area_digest"] is None:
                await context.page.within(
                    tx,
                    f"alert {row['alert_id']} has {row['state']}, its area was never verified",
                    key=f"closed:{row['alert_id']}",
                    cause="closed",
                )


class _Unverified:
    """Calls a person to a partner's alert that nobody could approve, each once by one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told: set[UUID] = set()

    async def look(self) -> None:
        """Page for those whose area has been unverified for too long."""
        async with self._context.database.transaction(town=ALL_TOWNS) as tx:
            waiting = await areas.long_unverified(tx, seconds=UNVERIFIED_S)
            for alert_id in sorted(waiting - self._told):
                await self._context.page.within(
                    tx,
                    f"a partner's alert {alert_id} has no verified area:"
                    " the geofence gives no answer",
                    key=f"unverified:{alert_id}",
                    cause="unverified",
                )
        self._told = waiting


async def _forget(context: Context) -> None:
    """Forget request keys of a week ago, pages of yesterday and rate windows that have ended."""
    async with context.database.transaction() as tx:
        await context.idempotency.prune(tx)
        await forget_pages(tx)
    await PostgresStorage(context.database, "dispatcher").prune()


async def _verify(context: Context) -> None:
    async with context.database.transaction(town=ALL_TOWNS) as tx:
        waiting = await store.unverified_from_partners(tx, limit=BATCH)
    geofence = Geofence.of(context)
    for row in waiting:
        partner = Principal(row["created_by"], "partner", frozenset({"partner"}), row["town"])
        try:
            area = await ask_area(geofence, row["area_request"], who=partner)
        except AreaUnverified:
            return
        except Problem as refused:
            await _hold(context, row, refused)
            continue
        try:
            async with context.database.transaction(town=row["town"]) as tx:
                await submit(tx, row["alert_id"], area=area, who=partner, now=context.clock.now())
        except Problem as refused:
            log.warning("alert.not_submitted", alert_id=str(row["alert_id"]), reason=refused.slug)


async def _hold(context: Context, row: RowMapping, refused: Problem) -> None:
    """Hold what will be refused as often as it is asked, and call a person to it."""
    hold = hold_of(refused, row["area_request"])
    log.warning("alert.held", alert_id=str(row["alert_id"]), reason=hold.reason)
    async with context.database.transaction(town=row["town"]) as tx:
        if await hold_area(tx, row["alert_id"], hold):
            await context.page.within(tx, **hold.call(row))

"""Notices when a run has been fanned out whole, and judges then whether anybody can be told."""

from services.dispatcher.recipients import store_runs
from services.dispatcher.settings import Page
from shared.db.session import Tx

_WHY = {
    store_runs.NOBODY: "nobody is in its area",
    store_runs.UNREACHABLE: "nobody in its area can be told",
}


async def finish_runs(tx: Tx, *, page: Page) -> None:
    """Mark the runs that are complete; hold what reaches nobody; call a person to either.

    Who has nothing to be told by now may have it with a later card: that hold ends by itself. One
    for nobody at all does not: what was approved for people was not approved for whoever comes.
    """
    runs = await store_runs.finish_runs(tx)
    held = {}
    for alert_id, version in await store_runs.unheard(tx):
        reason = await store_runs.hold_unheard(tx, alert_id=alert_id, version=version)
        if reason is not None:
            held[alert_id, version] = reason
    for run in runs:
        alert_id, version, members, found = (
            run["alert_id"], run["version"], run["members"], run["found"],
        )  # fmt: skip
        if found < members and (alert_id, version) not in held:
            reason = f"alert {alert_id}: {members} people were resolved, {found} came"
            await page.within(tx, reason, key=f"short:{alert_id}:{version}", cause="short")
    for (alert_id, _), reason in held.items():
        called = f"alert {alert_id} is held: {_WHY[reason]}"
        await page.within(tx, called, key=f"hold:{alert_id}:{reason}")

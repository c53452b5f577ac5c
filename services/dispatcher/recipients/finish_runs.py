"""Notices when a run has been fanned out whole, and judges then whether it reached anybody."""

from services.dispatcher.recipients import store_runs
from shared.db.session import Tx


async def finish_runs(tx: Tx) -> list[str]:
    """Mark the runs that are complete; hold a broadcast for nobody; return reasons to page."""
    reasons = []
    for run in await store_runs.finish_runs(tx):
        alert_id, version = run["alert_id"], run["version"]
        if run["found"] == 0 and await store_runs.hold_empty(
            tx, alert_id=alert_id, version=version
        ):
            reasons.append(f"alert {alert_id} is held: nobody is in its area")
        elif run["found"] < run["members"]:
            reasons.append(
                f"alert {alert_id}: {run['members']} people were resolved, {run['found']} came"
            )
    return reasons

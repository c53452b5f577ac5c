"""Follows an alert to its end, with a progress bar a channel where somebody watches."""

import asyncio
import sys
import time
from typing import Any

from ctalert.demo.ask import Api

WIDTH = 40
CHANNELS = ("sms", "voice", "email")


# Not among them: one that was tried and waits for its next try, such as a busy line.
WAITING = ("pending", "held", "sending", "unknown")
SETTLED_S = 5.0


async def watch(api: Api, alert_id: str, *, timeout_s: float) -> dict[str, Any]:
    """Return the report once every delivery is handed over or failed and receipts come no more.

    Some receipts never come and some retries are due in minutes: nothing waiting and nothing new
    for 5 s is the end. The last report is returned when the time is over: the caller judges it.
    """
    live = sys.stderr.isatty()
    deadline = time.monotonic() + timeout_s
    report: dict[str, Any] = {}
    drawn = False
    before: Any = None
    changed = time.monotonic()
    while time.monotonic() < deadline:
        report = await api.get(f"/v1/alerts/{alert_id}/report")
        if live:
            _draw(report, again=drawn)
            drawn = True
        counts = (report["by_state"], report["audience"])
        if counts != before:
            before, changed = counts, time.monotonic()
        quiet = time.monotonic() - changed > SETTLED_S
        if report["complete"] and not _awaiting_receipts(report):
            break
        if quiet and report["deliveries"] and not waiting(report):
            break
        await asyncio.sleep(0.25)
    return report


def waiting(report: dict[str, Any]) -> int:
    """Return how many deliveries nobody has tried yet, or whose try has no outcome yet."""
    return sum(report["by_state"][state] for state in WAITING)


def _awaiting_receipts(report: dict[str, Any]) -> int:
    # A mail that was handed over gets no receipt.
    return sum(report["by_channel"][channel]["awaiting_receipt"] for channel in ("sms", "voice"))


def _draw(report: dict[str, Any], *, again: bool) -> None:
    if again:
        sys.stderr.write(f"\x1b[{len(CHANNELS)}A")
    for channel in CHANNELS:
        counts = report["by_channel"].get(channel, {})
        total, done = counts.get("deliveries", 0), counts.get("handed_over", 0)
        filled = WIDTH * done // total if total else 0
        bar = "█" * filled + "░" * (WIDTH - filled)
        line = f"  {channel:<6}{bar} {done:>6}/{total:<6} delivered {counts.get('delivered', 0):>6}"
        sys.stderr.write(f"\x1b[2K{line}  failed {counts.get('failed', 0):>4}\n")
    sys.stderr.flush()

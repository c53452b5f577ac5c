"""CAP messages as a partner writes and posts them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2

from shared.clock import cap_time
from tests.service.dispatcher.alerts.desk import Desk

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
POLYGON = "<polygon>41.30,-72.93 41.30,-72.91\n  41.32,-72.92 41.30,-72.93</polygon>"


def info(language: str = "en-US", area: str = POLYGON, **changes: str) -> str:
    """Return an <info>; a change replaces, or with the empty string removes, an element."""
    fields = {
        "language": language, "category": "Met", "event": "Tornado Warning",
        "urgency": "Immediate", "severity": "Extreme", "certainty": "Observed",
        "expires": cap_time(datetime.now(UTC) + timedelta(minutes=30)),
        "headline": "Tornado near Meriden", "description": "It moves north.",
        "instruction": "Take cover now.", **changes,
    }  # fmt: skip
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items() if text)
    area = f"<area><areaDesc>Meriden</areaDesc>{area}</area>" if area else ""
    return f"<info>{inside}{area}</info>"


def message(sender: str, *infos: str, **changes: str) -> str:
    """Return a message; a change replaces, or with the empty string removes, an element."""
    fields = {
        "identifier": f"WX-{uuid4().hex}", "sender": sender, "sent": cap_time(datetime.now(UTC)),
        "status": "Actual", "msgType": "Alert", "scope": "Public", **changes,
    }  # fmt: skip
    extra = fields.pop("extra", "")
    head = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items() if text)
    return (f'<?xml version="1.0" encoding="UTF-8"?><alert xmlns="{CAP}">{head}'
            f"{''.join(infos) or info()}{extra}</alert>")  # fmt: skip


async def post(desk: Desk, body: str | bytes, **headers: str) -> httpx2.Response:
    """Post a message with the partner's key."""
    sent = {"X-Api-Key": desk.keys["X-Api-Key"], "Content-Type": "application/cap+xml"} | headers
    content = body if isinstance(body, bytes) else body.encode()
    return await desk.client.post("/v1/cap", content=content, headers=sent)

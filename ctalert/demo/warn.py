"""A partner posts a CAP message; a second person looks at it and approves."""

import json
import os
from pathlib import Path
from typing import Any

from ctalert.demo.ask import Api, World
from ctalert.demo.message import SENDER


async def partner_api(world: World, *, admin_token: str, kept: Path, sender: str = SENDER) -> Api:
    """Return the dispatcher's API with the demo partner's key, registered on the first run.

    The partner may speak on everything: a message of the demo's caller is of any category.
    """
    if not kept.exists():
        made = await world.dispatcher.as_bearer(admin_token).post(
            "/v1/partners",
            {"name": "Demo weather office", "sender": sender, "categories": [], "town": "*"},
        )
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file)
    return world.dispatcher.with_key(json.loads(kept.read_text())["api_key"])


async def warn(partner: Api, approver: Api, message: bytes) -> dict[str, Any]:
    """Post the CAP message, approve what came of it, return the alert."""
    received = await partner.post_bytes("/v1/cap", message, "application/cap+xml")
    alert_path = f"/v1/alerts/{received['alert_id']}"
    alert = await approver.get(alert_path)
    await approver.post(
        f"{alert_path}/approve", {"digest": alert["digest"], "count": alert["count"]}
    )
    approved: dict[str, Any] = await approver.get(alert_path)
    return approved

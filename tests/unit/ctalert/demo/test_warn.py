"""The demo's partner: enrolled once, for every category, under the sender that is asked for."""

import json
from pathlib import Path
from typing import Any, cast

from ctalert.demo.ask import World
from ctalert.demo.message import ANY_SENDER, SENDER
from ctalert.demo.warn import partner_api


class Dispatcher:
    """Notes who is enrolled and gives each a key."""

    def __init__(self) -> None:
        self.enrolled: list[dict[str, Any]] = []
        self.dispatcher = self  # as the world has it

    def as_bearer(self, token: str) -> "Dispatcher":
        return self

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, str]:
        assert path == "/v1/partners"
        self.enrolled.append(body)
        return {"partner_id": "1", "api_key": f"key of {body['sender']}"}

    def with_key(self, key: str) -> str:
        return key


async def key_of(dispatcher: Dispatcher, kept: Path, **sender: str) -> str:
    """Return the key the partner calls with."""
    world = cast(World, dispatcher)
    return cast(str, await partner_api(world, admin_token="admin", kept=kept, **sender))


async def test_the_partner_is_enrolled_once_and_speaks_on_everything(tmp_path: Path) -> None:
    """No category means all; the key is read by nobody else."""
    dispatcher, kept = Dispatcher(), tmp_path / "partner.json"
    for _ in range(2):
        assert await key_of(dispatcher, kept) == f"key of {SENDER}"
    assert [(one["sender"], one["categories"]) for one in dispatcher.enrolled] == [(SENDER, [])]
    assert kept.stat().st_mode & 0o077 == 0


async def test_a_folder_with_the_older_partner_gets_another(tmp_path: Path) -> None:
    """Its sender is taken and may speak on the weather alone."""
    (tmp_path / "demo-partner.json").write_text(json.dumps({"api_key": "of old"}))
    dispatcher, kept = Dispatcher(), tmp_path / "demo-partner-any.json"
    assert await key_of(dispatcher, kept, sender=ANY_SENDER) == f"key of {ANY_SENDER}"
    assert dispatcher.enrolled[0]["sender"] != SENDER

"""List the layers there are."""

from services.geofence.layers import store
from services.geofence.layers.kinds import Layer
from shared.db.session import Tx


async def list_layers(
    tx: Tx, *, kind: str | None = None, version: int | None = None
) -> list[Layer]:
    """Return versions of layers, newest first: all, those of one kind, or one of them."""
    return await store.layers(tx, kind, version)

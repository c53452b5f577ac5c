"""List the layers there are."""

from services.geofence.layers import store
from services.geofence.layers.kinds import Layer
from shared.db.session import Tx


async def list_layers(tx: Tx) -> list[Layer]:
    """Return every version of every layer, newest first."""
    return await store.layers(tx)

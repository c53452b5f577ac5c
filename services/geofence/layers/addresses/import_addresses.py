"""Import address points: the same bytes twice are one version, put in force again."""

import asyncio
from datetime import date

from services.geofence.layers import store
from services.geofence.layers.addresses import store_addresses
from services.geofence.layers.addresses.read_addresses import AddressFile
from services.geofence.layers.formats.addresses.fields import Asked
from services.geofence.layers.kinds import ADDRESS_POINT, Layer, Origin, digest_of
from shared.db.session import Tx
from shared.identifiers import new_id

# Numbers are kept as they were read: the same bytes read in another way are another version.
READ_AS = "read-as=2"


async def import_addresses(
    tx: Tx, data: bytes, file: AddressFile, *, fields: Asked, valid_from: date | None = None
) -> tuple[Layer, bool]:
    """Store the addresses read from a file's bytes; return the layer and whether it is new."""
    named = [f"{part}={name}" for part, name in sorted(fields.items()) if name]
    origin = Origin(
        await asyncio.to_thread(digest_of, data),
        ";".join([READ_AS, *named]),
        "",
        layer=file.layer,
        valid_from=valid_from,
        format=file.format,
        crs=file.crs,
        warnings=file.warnings,
    )
    await store_addresses.allow_time(tx)
    await store.lock_kind(tx, ADDRESS_POINT)
    known = await store.activate(tx, kind=ADDRESS_POINT, origin=origin)
    layer_id = known or new_id()
    if known is None:
        await store.insert_layer(
            tx, layer_id=layer_id, kind=ADDRESS_POINT, origin=origin, features=file.count
        )
        # From a file on disk, in a thread: this process has alerts to resolve meanwhile.
        while (batch := await asyncio.to_thread(next, file.batches, None)) is not None:
            await store_addresses.insert_addresses(tx, layer_id, batch)
    return await store.layer(tx, layer_id), known is None

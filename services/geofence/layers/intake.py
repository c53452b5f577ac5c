"""Takes files of layers in, one at a time, and says what was wrong with one that is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from datetime import date
from typing import TypedDict

from services.geofence.layers.addresses.import_addresses import import_addresses
from services.geofence.layers.addresses.read_addresses import AddressFile
from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.addresses.fields import Asked
from services.geofence.layers.formats.read_features import LayerFile
from services.geofence.layers.import_layer import import_layer
from services.geofence.layers.kinds import Layer
from shared.db.session import Database
from shared.web.errors import Fault, Problem


class Named(TypedDict):
    """The properties that hold a feature's code and name."""

    code_field: str
    name_field: str


class Intake:
    """Takes one file after the other: reading a large one takes a processor and gigabytes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._busy = asyncio.Semaphore(1)

    async def take_boundaries(
        self,
        data: bytes,
        read: Callable[..., LayerFile],
        *,
        kind: str,
        fields: Named,
        valid_from: date | None,
    ) -> tuple[Layer, bool]:
        """Read boundaries and import them; say also whether the version is new.

        Raises:
            Problem: the file is no usable layer.
        """
        async with self._busy, _refusing():
            file = await asyncio.to_thread(read, **fields)
            async with self._database.transaction() as tx:
                return await import_layer(
                    tx, data, file.features, kind=kind, valid_from=valid_from, file=file, **fields
                )

    async def take_addresses(
        self,
        data: bytes,
        reading: AbstractContextManager[AddressFile],
        *,
        fields: Asked,
        valid_from: date | None,
    ) -> tuple[Layer, bool]:
        """Read address points and import them; say also whether the version is new.

        Raises:
            Problem: the file is no usable layer.
        """
        async with self._busy, _refusing():
            with ExitStack() as opened:
                file = await asyncio.to_thread(opened.enter_context, reading)
                async with self._database.transaction() as tx:
                    return await import_addresses(
                        tx, data, file, fields=fields, valid_from=valid_from
                    )


def refused_layer(error: LayerInvalid) -> Problem:
    """Make a problem of a file that is no usable layer, with its report."""
    first = error.faults[0]
    faults = [Fault(fault.pointer, fault.code, fault.detail) for fault in error.faults]
    if error.status == 422:
        return Problem(422, "layer-invalid", f"{len(faults)} faults.", errors=faults)
    return Problem(error.status, first.code, first.detail, errors=faults)


@asynccontextmanager
async def _refusing() -> AsyncIterator[None]:
    try:
        yield
    except LayerInvalid as error:
        raise refused_layer(error) from None

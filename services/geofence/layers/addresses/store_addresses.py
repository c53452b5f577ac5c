"""Every SQL statement about address points."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch


async def allow_time(tx: Tx) -> None:
    """Let this transaction take five minutes: a million rows are more than one minute's work."""
    # A clock that runs keeps its time: it is stopped and started again.
    await execute(tx, "SET LOCAL transaction_timeout = 0")
    await execute(tx, "SET LOCAL transaction_timeout = '300s'")


async def insert_addresses(tx: Tx, layer_id: UUID, batch: dict[str, list[Any]]) -> None:
    """Write a batch of a layer's addresses, given as columns."""
    await execute(
        tx,
        """
        INSERT INTO geofence_address (layer_id, street, number, town, unit, postal,
                                      street_given, town_given, lon, lat)
        SELECT :layer_id, incoming.*
          FROM unnest(CAST(:street AS text[]), CAST(:number AS text[]), CAST(:town AS text[]),
                      CAST(:unit AS text[]), CAST(:postal AS text[]),
                      CAST(:street_given AS text[]), CAST(:town_given AS text[]),
                      CAST(:lon AS float8[]), CAST(:lat AS float8[])) AS incoming
        """,
        layer_id=layer_id,
        **batch,
    )


async def addresses(
    tx: Tx,
    layer_id: UUID,
    *,
    numbers: Sequence[str],
    streets: Sequence[str],
    towns: Sequence[str],
    postals: Sequence[str],
    most: int,
) -> Sequence[RowMapping]:
    """Return the addresses of each wanted one by its place in the columns, at most `most` each.

    An empty number is every number of the street; an empty town or postal code is any.
    """
    return await fetch(
        tx,
        """
        SELECT wanted.place, found.*
          FROM unnest(CAST(:numbers AS text[]), CAST(:streets AS text[]),
                      CAST(:towns AS text[]), CAST(:postals AS text[]))
               WITH ORDINALITY AS wanted (number, street, town, postal, place)
         CROSS JOIN LATERAL (
            SELECT number, street_given, unit, town_given, postal, lon, lat
              FROM geofence_address AS known
             WHERE layer_id = :layer_id AND known.street = wanted.street
               AND (wanted.number = '' OR known.number = wanted.number)
               AND (wanted.town = '' OR known.town = wanted.town)
               AND (wanted.postal = '' OR known.postal = wanted.postal)
             ORDER BY known.number, known.unit, known.lon, known.lat
             LIMIT :most) AS found
         ORDER BY wanted.place
        """,
        layer_id=layer_id,
        numbers=list(numbers),
        streets=list(streets),
        towns=list(towns),
        postals=list(postals),
        most=most,
    )

"""Every SQL statement on residents, their versions, places and consent history."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from shared.db.session import Tx, execute, fetch

_COLUMNS = "r.subscriber_id, r.version, r.language, r.preferences, r.confirmed_at, r.created_at"


async def insert_residents(
    tx: Tx, columns: Mapping[str, Sequence[Any]], batch: str | None
) -> set[UUID]:
    """Add residents, leave out those known or erased before; return who is new."""
    rows = await fetch(
        tx,
        """INSERT INTO subscriber_resident
             (subscriber_id, language, preferences, batch, confirmed_at)
           SELECT n.subscriber_id, n.language, CAST(n.preferences AS jsonb), CAST(:batch AS text),
                  CASE WHEN n.reachable THEN now() END
           FROM unnest(CAST(:ids AS uuid[]), CAST(:languages AS text[]),
                       CAST(:preferences AS text[]), CAST(:reachable AS boolean[]))
                AS n(subscriber_id, language, preferences, reachable)
           WHERE NOT EXISTS (SELECT FROM subscriber_erased e
                             WHERE e.subscriber_id = n.subscriber_id)
           ORDER BY n.subscriber_id
           ON CONFLICT DO NOTHING
           RETURNING subscriber_id""",
        batch=batch,
        **columns,
    )
    return {row["subscriber_id"] for row in rows}


async def insert_places(tx: Tx, columns: Mapping[str, Sequence[Any]]) -> None:
    """Add places, given as columns."""
    await execute(
        tx,
        """INSERT INTO subscriber_place
             (place_id, subscriber_id, label_sealed, lon, lat, uncertainty_m, position)
           SELECT * FROM unnest(CAST(:place_ids AS uuid[]), CAST(:subscriber_ids AS uuid[]),
             CAST(:labels AS text[]), CAST(:lons AS float8[]), CAST(:lats AS float8[]),
             CAST(:uncertainties AS real[]), CAST(:positions AS smallint[]))""",
        **columns,
    )


async def move_place(
    tx: Tx,
    *,
    subscriber_id: UUID,
    place_id: UUID,
    label: str,
    lon: float,
    lat: float,
    within: float,
) -> bool:
    """Give a place another label, point and uncertainty; say whether it was there."""
    return bool(
        await execute(
            tx,
            """UPDATE subscriber_place
               SET label_sealed = :label, lon = :lon, lat = :lat, uncertainty_m = :within
               WHERE place_id = :place_id AND subscriber_id = :subscriber_id""",
            subscriber_id=subscriber_id,
            place_id=place_id,
            label=label,
            lon=lon,
            lat=lat,
            within=within,
        )
    )


async def delete_place(tx: Tx, *, subscriber_id: UUID, place_id: UUID) -> bool:
    """Remove a place; say whether it was there."""
    return bool(
        await execute(
            tx,
            "DELETE FROM subscriber_place"
            " WHERE place_id = :place_id AND subscriber_id = :subscriber_id",
            subscriber_id=subscriber_id,
            place_id=place_id,
        )
    )


async def lock(tx: Tx, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """Lock residents, always in the order of their ids so that two batches never deadlock."""
    return await fetch(
        tx,
        f"SELECT {_COLUMNS} FROM subscriber_resident r"
        " WHERE r.subscriber_id = ANY(CAST(:ids AS uuid[])) ORDER BY r.subscriber_id FOR UPDATE",
        ids=list(ids),
    )


async def raise_versions(tx: Tx, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """Give residents, locked before, their next version and return them as they stand."""
    return await fetch(
        tx,
        f"""UPDATE subscriber_resident r SET version = r.version + 1, changed_at = now()
            WHERE r.subscriber_id = ANY(CAST(:ids AS uuid[])) RETURNING {_COLUMNS}""",
        ids=list(ids),
    )


async def confirm_residents(tx: Tx, ids: Sequence[UUID]) -> None:
    """Note that residents have a reachable contact point, if they had none before."""
    await execute(
        tx,
        """UPDATE subscriber_resident SET confirmed_at = now()
           WHERE subscriber_id = ANY(CAST(:ids AS uuid[])) AND confirmed_at IS NULL""",
        ids=list(ids),
    )


async def set_preferences(tx: Tx, subscriber_id: UUID, *, language: str, preferences: str) -> None:
    """Write a resident's language and preferences (JSON text)."""
    await execute(
        tx,
        """UPDATE subscriber_resident
           SET language = :language, preferences = CAST(:preferences AS jsonb)
           WHERE subscriber_id = :subscriber_id""",
        subscriber_id=subscriber_id,
        language=language,
        preferences=preferences,
    )


async def read_places(tx: Tx, ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """Return the places of residents in their order."""
    return await fetch(
        tx,
        """SELECT subscriber_id, place_id, label_sealed, lon, lat, uncertainty_m, position
           FROM subscriber_place WHERE subscriber_id = ANY(CAST(:ids AS uuid[]))
           ORDER BY subscriber_id, position, place_id""",
        ids=list(ids),
    )


async def page_of_residents(tx: Tx, *, after: UUID | None, limit: int) -> list[UUID]:
    """Return the next ids, in order, of residents the other services know of."""
    rows = await fetch(
        tx,
        """SELECT subscriber_id FROM subscriber_resident
           WHERE confirmed_at IS NOT NULL
             AND (CAST(:after AS uuid) IS NULL OR subscriber_id > CAST(:after AS uuid))
           ORDER BY subscriber_id LIMIT :limit""",
        after=after,
        limit=limit,
    )
    return [row["subscriber_id"] for row in rows]


async def delete_resident(tx: Tx, subscriber_id: UUID) -> None:
    """Remove a resident with contact points, places and codes."""
    await execute(tx, "DELETE FROM subscriber_resident WHERE subscriber_id = :id", id=subscriber_id)


async def delete_unconfirmed(tx: Tx, *, older_than_s: int, limit: int) -> list[UUID]:
    """Remove residents who proved no address in time; return who they were."""
    rows = await fetch(
        tx,
        """DELETE FROM subscriber_resident WHERE subscriber_id IN (
             SELECT subscriber_id FROM subscriber_resident
             WHERE confirmed_at IS NULL AND created_at < now() - make_interval(secs => :age)
             ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED)
           RETURNING subscriber_id""",
        age=older_than_s,
        limit=limit,
    )
    return [row["subscriber_id"] for row in rows]


async def insert_erased(tx: Tx, subscriber_id: UUID, version: int) -> None:
    """Remember for ever that a resident was erased, and at which version."""
    await execute(
        tx,
        "INSERT INTO subscriber_erased (subscriber_id, version) VALUES (:id, :version)",
        id=subscriber_id,
        version=version,
    )


async def lock_erased(tx: Tx, *, after: UUID | None, limit: int) -> Sequence[RowMapping]:
    """Return the next erased residents in order, locked."""
    return await fetch(
        tx,
        """SELECT subscriber_id, version FROM subscriber_erased
           WHERE CAST(:after AS uuid) IS NULL OR subscriber_id > CAST(:after AS uuid)
           ORDER BY subscriber_id LIMIT :limit FOR UPDATE""",
        after=after,
        limit=limit,
    )

"""Every SQL statement about saved areas; what is visible, row-level security decides."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from services.geofence.saved.saved_area import LayerRef, Listed, Outcome, SavedArea
from shared.db.session import Tx, execute, fetch, fetch_one, fetch_value


async def lock_names(tx: Tx, town: str) -> None:
    """Let changes to one jurisdiction's saved areas come one after the other."""
    await execute(
        tx,
        "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))",
        name=f"geofence_saved_area.{town}",
    )


async def count_live(tx: Tx, town: str) -> int:
    """Return how many areas a jurisdiction has that are not archived."""
    return int(
        await fetch_value(
            tx,
            """SELECT count(*) FROM geofence_saved_area
                WHERE town = :town AND archived_at IS NULL""",
            town=town,
        )
    )


async def name_is_taken(tx: Tx, *, town: str, name: str, other_than: UUID) -> bool:
    """Say whether another live area of the jurisdiction has the name, in any case."""
    return bool(
        await fetch_value(
            tx,
            """SELECT EXISTS (SELECT 1 FROM geofence_saved_area
                               WHERE town = :town AND lower(name) = lower(:name)
                                 AND archived_at IS NULL AND saved_area_id <> :other_than)""",
            town=town,
            name=name,
            other_than=other_than,
        )
    )


async def insert_area(
    tx: Tx, saved_area_id: UUID, *, town: str, name: str, shared: bool, by: str
) -> None:
    """Write a saved area that has no version yet."""
    await execute(
        tx,
        """INSERT INTO geofence_saved_area (saved_area_id, town, name, shared, newest, created_by)
           VALUES (:id, :town, :name, :shared, 0, :by)""",
        id=saved_area_id,
        town=town,
        name=name,
        shared=shared,
        by=by,
    )


async def add_version(tx: Tx, saved_area_id: UUID, *, town: str, outcome: Outcome, by: str) -> int:
    """Write the next version of a saved area whose row is locked; return its number."""
    version = await fetch_value(
        tx,
        """UPDATE geofence_saved_area SET newest = newest + 1
            WHERE saved_area_id = :id RETURNING newest""",
        id=saved_area_id,
    )
    await execute(
        tx,
        """INSERT INTO geofence_saved_area_version
                  (saved_area_id, version, town, request, wkb, digest, layer_versions, area_km2,
                   vertices, created_by)
           VALUES (:id, :version, :town, CAST(:request AS jsonb), :wkb, :digest,
                   CAST(:layers AS jsonb), :area_km2, :vertices, :by)""",
        id=saved_area_id,
        version=version,
        town=town,
        request=orjson.dumps(outcome.request).decode(),
        wkb=outcome.wkb,
        digest=bytes.fromhex(outcome.digest),
        layers=orjson.dumps(outcome.layers).decode(),
        area_km2=outcome.area_km2,
        vertices=outcome.vertices,
        by=by,
    )
    return int(version)


async def set_label(tx: Tx, saved_area_id: UUID, *, name: str, shared: bool) -> None:
    """Give a saved area its name and say whether the whole state sees it."""
    await execute(
        tx,
        """UPDATE geofence_saved_area SET name = :name, shared = :shared
            WHERE saved_area_id = :id""",
        id=saved_area_id,
        name=name,
        shared=shared,
    )


async def archive(tx: Tx, saved_area_id: UUID) -> None:
    """Take a saved area out of use; its versions stay."""
    await execute(
        tx,
        """UPDATE geofence_saved_area SET archived_at = coalesce(archived_at, now())
            WHERE saved_area_id = :id""",
        id=saved_area_id,
    )


async def lock(tx: Tx, saved_area_id: UUID) -> RowMapping | None:
    """Lock a saved area that may be changed from here; None where there is none."""
    return await fetch_one(
        tx,
        """SELECT saved_area_id, town, newest, archived_at IS NOT NULL AS archived
             FROM geofence_saved_area WHERE saved_area_id = :id FOR UPDATE""",
        id=saved_area_id,
    )


async def find(
    tx: Tx, saved_area_id: UUID, *, version: int | None, archived: bool
) -> SavedArea | None:
    """Return a version of a saved area, the newest where none is named."""
    row = await fetch_one(
        tx,
        """SELECT a.saved_area_id, a.town, a.name, a.shared, a.newest,
                  a.archived_at IS NOT NULL AS archived, v.version, v.request, v.wkb,
                  encode(v.digest, 'hex') AS digest, v.layer_versions, v.area_km2, v.vertices,
                  v.created_at, v.created_by
             FROM geofence_saved_area AS a
             JOIN geofence_saved_area_version AS v USING (saved_area_id)
            WHERE a.saved_area_id = :id
              AND v.version = coalesce(CAST(:version AS bigint), a.newest)
              AND (a.archived_at IS NULL OR :archived)""",
        id=saved_area_id,
        version=version,
        archived=archived,
    )
    return _saved(row) if row else None


async def page(tx: Tx, *, after: UUID | None, limit: int) -> Sequence[Listed]:
    """Return live saved areas in the order of their ids, which is that of their making."""
    rows = await fetch(
        tx,
        """SELECT a.saved_area_id, a.town, a.name, a.shared, v.version,
                  encode(v.digest, 'hex') AS digest, v.area_km2, v.created_at
             FROM geofence_saved_area AS a
             JOIN geofence_saved_area_version AS v
               ON v.saved_area_id = a.saved_area_id AND v.version = a.newest
            WHERE a.archived_at IS NULL
              AND (CAST(:after AS uuid) IS NULL OR a.saved_area_id > CAST(:after AS uuid))
            ORDER BY a.saved_area_id LIMIT :limit""",
        after=after,
        limit=limit,
    )
    return [Listed(**row) for row in rows]


def _saved(row: RowMapping) -> SavedArea:
    return SavedArea(
        saved_area_id=row["saved_area_id"],
        town=row["town"],
        name=row["name"],
        shared=row["shared"],
        archived=row["archived"],
        newest=row["newest"],
        version=row["version"],
        outcome=Outcome(
            request=row["request"],
            wkb=bytes(row["wkb"]),
            digest=row["digest"],
            layers=tuple(LayerRef(**one) for one in row["layer_versions"]),
            area_km2=row["area_km2"],
            vertices=row["vertices"],
        ),
        created_at=row["created_at"],
        created_by=row["created_by"],
    )

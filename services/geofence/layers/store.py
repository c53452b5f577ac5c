"""Every SQL statement about layers and their features."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from services.geofence.layers.kinds import Layer
from shared.db.session import Tx, execute, fetch, fetch_one

# Of each kind the layer put in force last is the one that answers.
_LAYERS = """
    SELECT layer_id, kind, version, encode(digest, 'hex') AS digest, features, imported_at,
           activated_at,
           row_number() OVER (PARTITION BY kind ORDER BY activated_at DESC, version DESC) = 1
               AS current
      FROM geofence_layer
"""


async def lock_kind(tx: Tx, kind: str) -> None:
    """Let imports of one kind come one after the other until the transaction ends."""
    await execute(
        tx, "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", name=f"layer.{kind}"
    )


async def activate(tx: Tx, *, kind: str, digest: bytes, code_field: str, name_field: str) -> bool:
    """Put the layer made of the same bytes and fields in force; return whether there is one."""
    touched = await execute(
        tx,
        """
        UPDATE geofence_layer SET activated_at = clock_timestamp()
         WHERE kind = :kind AND digest = :digest
           AND code_field = :code_field AND name_field = :name_field
        """,
        kind=kind,
        digest=digest,
        code_field=code_field,
        name_field=name_field,
    )
    return touched > 0


async def insert_layer(
    tx: Tx,
    *,
    layer_id: UUID,
    kind: str,
    digest: bytes,
    code_field: str,
    name_field: str,
    features: Sequence[tuple[str, str, bytes]],
) -> None:
    """Write the next version of a layer with its features (code, name, WKB), in force at once."""
    await execute(
        tx,
        """
        INSERT INTO geofence_layer (layer_id, kind, version, digest, code_field, name_field,
                                    features)
        SELECT :layer_id, :kind, coalesce(max(version), 0) + 1, :digest, :code_field,
               :name_field, :features
          FROM geofence_layer WHERE kind = :kind
        """,
        layer_id=layer_id,
        kind=kind,
        digest=digest,
        code_field=code_field,
        name_field=name_field,
        features=len(features),
    )
    await execute(
        tx,
        """
        INSERT INTO geofence_feature (layer_id, code, name, wkb)
        SELECT :layer_id, code, name, wkb
          FROM unnest(CAST(:codes AS text[]), CAST(:names AS text[]), CAST(:wkbs AS bytea[]))
               AS incoming (code, name, wkb)
        """,
        layer_id=layer_id,
        codes=[code for code, _, _ in features],
        names=[name for _, name, _ in features],
        wkbs=[wkb for _, _, wkb in features],
    )


async def layers(tx: Tx) -> list[Layer]:
    """Return every version of every layer, newest first."""
    return [_layer(row) for row in await fetch(tx, _LAYERS + " ORDER BY kind, version DESC")]


async def layer_by_digest(
    tx: Tx, *, kind: str, digest: bytes, code_field: str, name_field: str
) -> Layer | None:
    """Return the layer made of these bytes and fields."""
    row = await fetch_one(
        tx,
        f"""
        SELECT known.* FROM ({_LAYERS}) AS known JOIN geofence_layer USING (layer_id)
         WHERE geofence_layer.kind = :kind AND geofence_layer.digest = :digest
           AND code_field = :code_field AND name_field = :name_field
        """,  # noqa: S608  a constant of ours
        kind=kind,
        digest=digest,
        code_field=code_field,
        name_field=name_field,
    )
    return _layer(row) if row else None


async def current_layer(tx: Tx, kind: str) -> Layer | None:
    """Return the layer of a kind that is in force."""
    row = await fetch_one(
        tx,
        f"SELECT * FROM ({_LAYERS}) AS known WHERE kind = :kind AND current",  # noqa: S608
        kind=kind,
    )
    return _layer(row) if row else None


async def features(
    tx: Tx,
    layer_id: UUID,
    *,
    codes: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Sequence[RowMapping]:
    """Return features by code: all, or those of some codes, or of some names in any case."""
    return await fetch(
        tx,
        """
        SELECT code, name, wkb FROM geofence_feature
         WHERE layer_id = :layer_id
           AND (CAST(:codes AS text[]) IS NULL OR code = ANY(CAST(:codes AS text[])))
           AND (CAST(:names AS text[]) IS NULL OR lower(name) = ANY(CAST(:names AS text[])))
         ORDER BY code
        """,
        layer_id=layer_id,
        codes=None if codes is None else list(codes),
        names=None if names is None else [name.lower() for name in names],
    )


def _layer(row: RowMapping) -> Layer:
    return Layer(
        layer_id=row["layer_id"],
        kind=row["kind"],
        version=row["version"],
        digest=row["digest"],
        features=row["features"],
        imported_at=row["imported_at"].isoformat(timespec="seconds"),
        activated_at=row["activated_at"].isoformat(timespec="seconds"),
        current=row["current"],
    )

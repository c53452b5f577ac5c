"""Every SQL statement about layers and their features."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from services.geofence.layers.faults import LayerWarning
from services.geofence.layers.kinds import Layer, Origin
from shared.db.session import Tx, execute, fetch, fetch_one

# Dates are the State's: a layer of the 1st is in force from midnight in Connecticut.
_BEGINS = "greatest(activated_at, valid_from::timestamp AT TIME ZONE 'America/New_York')"
_TODAY = "(now() AT TIME ZONE 'America/New_York')::date"
# What is handed in under a day that has passed is in force from that day, not once more from
# now on: boundaries of long ago must not take the place of today's.
_ACTIVATED = f"""CASE WHEN CAST(:valid_from AS date) < {_TODAY}
    THEN CAST(:valid_from AS date)::timestamp AT TIME ZONE 'America/New_York'
    ELSE clock_timestamp() END"""
# Of each kind the version that came into force last is the one that answers: when it was put in
# force, or on its date where that is later.
_LAYERS = f"""
    SELECT layer_id, kind, version, encode(digest, 'hex') AS digest, features, imported_at,
           activated_at, valid_from, source_format, source_crs, source_layer,
           CAST(warnings AS text) AS warnings,
           {_BEGINS} <= statement_timestamp()
               AND row_number() OVER (PARTITION BY kind, {_BEGINS} <= statement_timestamp()
                                          ORDER BY {_BEGINS} DESC, version DESC) = 1
               AS current
      FROM geofence_layer
"""


async def lock_kind(tx: Tx, kind: str) -> None:
    """Let imports of one kind come one after the other until the transaction ends."""
    await execute(
        tx, "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", name=f"layer.{kind}"
    )


async def activate(tx: Tx, *, kind: str, origin: Origin) -> UUID | None:
    """Put the newest version of the same origin in force and return its id, or None.

    Without a date of its own an origin is that of any version whose date has come, and in force
    from now on; with a date that has passed it is in force from that date, and what was put in
    force later stays so.
    """
    row = await fetch_one(
        tx,
        f"""
        UPDATE geofence_layer SET activated_at = greatest(activated_at, {_ACTIVATED})
         WHERE layer_id = (
            SELECT layer_id FROM geofence_layer
             WHERE kind = :kind AND digest = :digest AND source_layer = :layer
               AND code_field = :code_field AND name_field = :name_field
               AND CASE WHEN CAST(:valid_from AS date) IS NULL THEN valid_from <= {_TODAY}
                        ELSE valid_from = CAST(:valid_from AS date) END
             ORDER BY version DESC LIMIT 1)
        RETURNING layer_id
        """,
        kind=kind,
        digest=origin.digest,
        layer=origin.layer,
        code_field=origin.code_field,
        name_field=origin.name_field,
        valid_from=origin.valid_from,
    )
    return row["layer_id"] if row else None


async def insert_layer(tx: Tx, *, layer_id: UUID, kind: str, origin: Origin, features: int) -> None:
    """Write the next version of a layer, in force at once or from its date on."""
    warnings = [(one.code, one.detail, one.features) for one in origin.warnings]
    await execute(
        tx,
        f"""
        INSERT INTO geofence_layer (layer_id, kind, version, digest, code_field, name_field,
                                    features, valid_from, source_format, source_crs,
                                    source_layer, warnings, activated_at)
        SELECT :layer_id, :kind, coalesce(max(version), 0) + 1, :digest, :code_field,
               :name_field, :features, coalesce(CAST(:valid_from AS date), {_TODAY}),
               :format, :crs, :layer, CAST(:warnings AS jsonb), {_ACTIVATED}
          FROM geofence_layer WHERE kind = :kind
        """,
        layer_id=layer_id,
        kind=kind,
        digest=origin.digest,
        code_field=origin.code_field,
        name_field=origin.name_field,
        features=features,
        valid_from=origin.valid_from,
        format=origin.format,
        crs=origin.crs,
        layer=origin.layer,
        warnings=orjson.dumps(warnings).decode(),
    )


async def insert_features(
    tx: Tx, layer_id: UUID, features: Sequence[tuple[str, str, bytes]]
) -> None:
    """Write a layer's features (code, name, WKB)."""
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


async def layers(tx: Tx, kind: str | None = None, version: int | None = None) -> list[Layer]:
    """Return versions of layers, newest first: all, or of one kind, or one of them."""
    rows = await fetch(
        tx,
        f"""
        SELECT * FROM ({_LAYERS}) AS known
         WHERE (CAST(:kind AS text) IS NULL OR kind = CAST(:kind AS text))
           AND (CAST(:version AS integer) IS NULL OR version = CAST(:version AS integer))
         ORDER BY kind, version DESC
        """,
        kind=kind,
        version=version,
    )
    return [_layer(row) for row in rows]


async def layer(tx: Tx, layer_id: UUID) -> Layer:
    """Return one version of a layer, which is there."""
    row = await fetch_one(
        tx,
        f"SELECT * FROM ({_LAYERS}) AS known WHERE layer_id = :layer_id",
        layer_id=layer_id,
    )
    if row is None:
        raise RuntimeError("the layer just written is not there")
    return _layer(row)


async def layer_of(tx: Tx, kind: str, version: int | None = None) -> Layer | None:
    """Return a version of a layer, or the one that is in force."""
    row = await fetch_one(
        tx,
        f"""
        SELECT * FROM ({_LAYERS}) AS known
         WHERE kind = :kind AND (version = CAST(:version AS integer)
                                 OR (CAST(:version AS integer) IS NULL AND current))
        """,
        kind=kind,
        version=version,
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
        valid_from=row["valid_from"].isoformat(),
        current=row["current"],
        source_format=row["source_format"],
        source_crs=row["source_crs"],
        source_layer=row["source_layer"],
        warnings=tuple(
            LayerWarning(code, detail, tuple(features))
            for code, detail, features in orjson.loads(row["warnings"])
        ),
    )

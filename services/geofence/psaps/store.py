"""Every SQL statement about the directory: records of centres and the towns they serve."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from services.geofence.psaps.directory import Entry, Interpreter, Period, Police, Served
from shared.db.session import Tx, execute, fetch, fetch_one

_PERIODS = """
    SELECT code, name, ended, consolidated_into, valid_from,
           nullif(valid_until, 'infinity') AS valid_until, revision, recorded_at, recorded_by,
           fallout_numbers, emergency_numbers, police_kind, police_label, police_number,
           interpreter_number, interpreter_only_9_1_1, interpreter_note, false AS superseded
      FROM geofence_psap_period
"""
_SERVED = """
    SELECT town, code, valid_from, nullif(valid_until, 'infinity') AS valid_until, revision,
           recorded_at, recorded_by, false AS superseded
      FROM geofence_psap_town_period
"""


async def lock(tx: Tx) -> None:
    """Let changes of the directory come one after the other until the transaction ends."""
    await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('geofence.psaps', 0))")


async def layer_at(tx: Tx, kind: str, at: datetime) -> RowMapping | None:
    """Return the layer of a kind that holds at a moment: its id, version and since when.

    A version holds from midnight in Connecticut of its date, also where it came in later, and
    again from each time it was put in force: for the present that is the rule of all layers.
    """
    return await fetch_one(
        tx,
        """
        SELECT layer_id, version, since
          FROM (SELECT *, valid_from::timestamp AT TIME ZONE 'America/New_York' AS dated
                  FROM geofence_layer WHERE kind = :kind) AS layer,
               LATERAL (SELECT dated
                         UNION ALL
                        SELECT greatest(dated, put.activated_at)
                          FROM geofence_layer_activation AS put
                         WHERE put.layer_id = layer.layer_id) AS held (since)
         WHERE since <= :at
         ORDER BY since DESC, version DESC LIMIT 1
        """,
        kind=kind,
        at=at,
    )


async def features(tx: Tx, layer_id: UUID) -> Sequence[RowMapping]:
    """Return the features of a layer version by code, with their WKB."""
    return await fetch(
        tx,
        """
        SELECT code, name, wkb FROM geofence_feature WHERE layer_id = :layer_id
         ORDER BY code COLLATE "C"
        """,
        layer_id=layer_id,
    )


async def insert_record(
    tx: Tx,
    *,
    code: str,
    valid_from: datetime,
    entry: Entry,
    who: str,
    ended: bool = False,
    consolidated_into: str | None = None,
) -> None:
    """Add a record, or the next revision of one that holds from the same moment."""
    police, interpreter = entry.police, entry.interpreter
    await execute(
        tx,
        """
        INSERT INTO geofence_psap_record
               (code, valid_from, revision, ended, consolidated_into, name, fallout_numbers,
                emergency_numbers, police_kind, police_label, police_number, interpreter_number,
                interpreter_only_9_1_1, interpreter_note, recorded_by)
        SELECT :code, :valid_from, coalesce(max(revision), 0) + 1, :ended, :consolidated_into,
               :name, CAST(:fallout AS text[]), CAST(:emergency AS text[]), :police_kind,
               :police_label, :police_number, :interpreter_number, :only_9_1_1, :note, :who
          FROM geofence_psap_record WHERE code = :code AND valid_from = :valid_from
        """,
        code=code,
        valid_from=valid_from,
        ended=ended,
        consolidated_into=consolidated_into,
        name=entry.name,
        fallout=list(entry.fallout_numbers),
        emergency=list(entry.emergency_numbers),
        police_kind=police.kind if police else None,
        police_label=police.label if police else None,
        police_number=police.number if police else None,
        interpreter_number=interpreter.number if interpreter else None,
        only_9_1_1=interpreter.only_for_9_1_1_calls if interpreter else None,
        note=interpreter.note if interpreter else None,
        who=who,
    )


async def insert_towns(
    tx: Tx, *, towns: Sequence[str], code: str, valid_from: datetime, who: str
) -> None:
    """Give towns to a centre from a moment on, each until its own next row."""
    await execute(
        tx,
        """
        INSERT INTO geofence_psap_town (town, valid_from, revision, code, recorded_by)
        SELECT town, :valid_from,
               1 + coalesce((SELECT max(revision) FROM geofence_psap_town AS known
                              WHERE known.town = given.town
                                AND known.valid_from = :valid_from), 0),
               :code, :who
          FROM unnest(CAST(:towns AS text[])) AS given (town)
        """,
        towns=sorted(towns),
        code=code,
        valid_from=valid_from,
        who=who,
    )


async def orphans(tx: Tx) -> list[tuple[str, str]]:
    """Return towns with the centre each belongs to at a moment when that is not there."""
    rows = await fetch(tx, "SELECT DISTINCT town, code FROM geofence_psap_orphan ORDER BY town")
    return [(row["town"], row["code"]) for row in rows]


async def periods(tx: Tx, code: str) -> list[Period]:
    """Return what has been in force and will be for a code, oldest first."""
    rows = await fetch(tx, f"{_PERIODS} WHERE code = :code ORDER BY valid_from", code=code)
    return [_period(row) for row in rows]


async def periods_by_code(tx: Tx) -> dict[str, list[Period]]:
    """Return what has been in force and will be, by code, oldest first."""
    by_code: dict[str, list[Period]] = {}
    for row in await fetch(tx, f"{_PERIODS} ORDER BY valid_from"):
        by_code.setdefault(row["code"], []).append(_period(row))
    return by_code


async def periods_at(
    tx: Tx,
    at: datetime,
    *,
    codes: Sequence[str] | None = None,
    after: str = "",
    limit: int | None = None,
) -> list[Period]:
    """Return the centres there are at a moment by code: all, of some codes, or a page of them."""
    rows = await fetch(
        tx,
        f"""
        {_PERIODS}
         WHERE valid_from <= :at AND valid_until > :at AND NOT ended
           AND (CAST(:codes AS text[]) IS NULL OR code = ANY(CAST(:codes AS text[])))
           AND code COLLATE "C" > :after
         ORDER BY code COLLATE "C" LIMIT CAST(:limit AS bigint)
        """,
        at=at,
        codes=None if codes is None else list(codes),
        after=after,
        limit=limit,
    )
    return [_period(row) for row in rows]


async def records(tx: Tx, code: str) -> list[Period]:
    """Return every record of a code with what was corrected, oldest first."""
    rows = await fetch(
        tx,
        """
        SELECT one.code, one.name, one.ended, one.consolidated_into, one.valid_from,
               nullif(held.valid_until, 'infinity') AS valid_until, one.revision,
               one.recorded_at, one.recorded_by, one.fallout_numbers, one.emergency_numbers,
               one.police_kind, one.police_label, one.police_number, one.interpreter_number,
               one.interpreter_only_9_1_1, one.interpreter_note,
               one.revision < held.revision AS superseded
          FROM geofence_psap_record AS one
          JOIN geofence_psap_period AS held USING (code, valid_from)
         WHERE code = :code
         ORDER BY valid_from, one.revision
        """,
        code=code,
    )
    return [_period(row) for row in rows]


async def towns_at(
    tx: Tx, at: datetime, *, towns: Sequence[str] | None = None, codes: Sequence[str] | None = None
) -> list[Served]:
    """Return which centre towns belong to at a moment: all, of some towns, or of some centres."""
    rows = await fetch(
        tx,
        f"""
        {_SERVED}
         WHERE valid_from <= :at AND valid_until > :at
           AND (CAST(:towns AS text[]) IS NULL OR town = ANY(CAST(:towns AS text[])))
           AND (CAST(:codes AS text[]) IS NULL OR code = ANY(CAST(:codes AS text[])))
         ORDER BY town
        """,
        at=at,
        towns=None if towns is None else list(towns),
        codes=None if codes is None else list(codes),
    )
    return [Served(**row) for row in rows]


async def towns_by_code(tx: Tx, at: datetime, *, codes: Sequence[str]) -> dict[str, list[Served]]:
    """Return the towns that belong to some centres at a moment, by code."""
    by_code: dict[str, list[Served]] = {}
    for one in await towns_at(tx, at, codes=codes):
        by_code.setdefault(one.code, []).append(one)
    return by_code


async def town_records(tx: Tx, code: str) -> list[Served]:
    """Return every row by which a town was ever given to a centre, oldest first."""
    rows = await fetch(
        tx,
        """
        SELECT one.town, one.code, one.valid_from,
               nullif(held.valid_until, 'infinity') AS valid_until, one.revision,
               one.recorded_at, one.recorded_by, one.revision < held.revision AS superseded
          FROM geofence_psap_town AS one
          JOIN geofence_psap_town_period AS held USING (town, valid_from)
         WHERE one.code = :code
         ORDER BY valid_from, town, one.revision
        """,
        code=code,
    )
    return [Served(**row) for row in rows]


def _period(row: RowMapping | Mapping[str, Any]) -> Period:
    police = interpreter = None
    if row["police_number"] is not None:
        police = Police(row["police_kind"], row["police_label"], row["police_number"])
    if row["interpreter_number"] is not None:
        interpreter = Interpreter(
            row["interpreter_number"], row["interpreter_only_9_1_1"], row["interpreter_note"] or ""
        )
    same = {name: row[name] for name in Period.__slots__ if name != "entry"}
    entry = Entry(
        row["name"],
        tuple(row["fallout_numbers"]),
        tuple(row["emergency_numbers"]),
        police,
        interpreter,
    )
    return Period(entry=entry, **same)

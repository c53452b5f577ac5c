"""Every SQL statement about residents' places and the roster offsets they reflect."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from services.geofence.index.change import Change, Spot, Stay
from shared.db.session import Tx, execute, fetch, fetch_value

RESIDENT_BYTES = 16 + 8 + 2 + 2
PLACE_BYTES = 16 + 3 * 8


async def upsert_residents(tx: Tx, changes: Sequence[Change]) -> dict[UUID, int]:
    """Write who is new or newer than what we had; erased is final.

    Return them with the version they had before, 0 where they are new.
    """
    # What a statement finds in the table it writes is as it was before it.
    rows = await fetch(
        tx,
        """
        INSERT INTO geofence_resident AS known
               (subscriber_id, version, erased, channels, language, severity_floor,
                emergency_only, changed_at)
        SELECT subscriber_id, version, erased, channels, language, severity_floor,
               emergency_only, now()
          FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[]),
                      CAST(:erased AS boolean[]), CAST(:channels AS smallint[]),
                      CAST(:languages AS text[]), CAST(:floors AS text[]),
                      CAST(:emergency AS boolean[]))
               AS incoming (subscriber_id, version, erased, channels, language,
                            severity_floor, emergency_only)
         ORDER BY subscriber_id
            ON CONFLICT (subscriber_id) DO UPDATE
           SET version = greatest(known.version, EXCLUDED.version),
               erased = EXCLUDED.erased,
               channels = EXCLUDED.channels,
               language = EXCLUDED.language,
               severity_floor = EXCLUDED.severity_floor,
               emergency_only = EXCLUDED.emergency_only,
               changed_at = EXCLUDED.changed_at
         WHERE NOT known.erased AND (EXCLUDED.erased OR EXCLUDED.version > known.version)
        RETURNING subscriber_id,
                  coalesce((SELECT before.version FROM geofence_resident AS before
                             WHERE before.subscriber_id = known.subscriber_id), 0) AS version
        """,
        ids=[change.subscriber_id for change in changes],
        versions=[change.version for change in changes],
        erased=[change.erased for change in changes],
        channels=[0 if change.erased else change.channels for change in changes],
        languages=["" if change.erased else change.language for change in changes],
        floors=["" if change.erased else change.severity_floor for change in changes],
        emergency=[change.emergency_only and not change.erased for change in changes],
    )
    return {row["subscriber_id"]: row["version"] for row in rows}


async def remove_places(tx: Tx, subscriber_ids: Collection[UUID]) -> dict[UUID, tuple[Stay, ...]]:
    """Remove all places of residents and return them, of those who had any."""
    rows = await fetch(
        tx,
        """
        DELETE FROM geofence_place WHERE subscriber_id = ANY(CAST(:ids AS uuid[]))
        RETURNING subscriber_id, place_id, lon, lat, uncertainty_m, since
        """,
        ids=list(subscriber_ids),
    )
    found: dict[UUID, tuple[Stay, ...]] = {}
    for row in rows:
        spot = Spot(row["place_id"], row["lon"], row["lat"], row["uncertainty_m"])
        who = row["subscriber_id"]
        found[who] = (*found.get(who, ()), Stay(spot, row["since"]))
    return found


async def add_places(tx: Tx, stays: Mapping[UUID, Sequence[Stay]]) -> None:
    """Write places of residents who have none.

    What has been read has happened: a moment ahead of our own clock counts as now.
    """
    rows = [(subscriber_id, stay) for subscriber_id, some in stays.items() for stay in some]
    if not rows:
        return
    await execute(
        tx,
        """
        INSERT INTO geofence_place (subscriber_id, place_id, lon, lat, uncertainty_m, since)
        SELECT subscriber_id, place_id, lon, lat, uncertainty_m,
               CASE WHEN since < now() THEN since WHEN since IS NOT NULL THEN now() END
          FROM unnest(CAST(:ids AS uuid[]), CAST(:places AS uuid[]),
                      CAST(:lons AS float8[]), CAST(:lats AS float8[]),
                      CAST(:metres AS float8[]), CAST(:since AS timestamptz[]))
               AS incoming (subscriber_id, place_id, lon, lat, uncertainty_m, since)
        """,
        ids=[subscriber_id for subscriber_id, _ in rows],
        places=[stay.spot.place_id for _, stay in rows],
        lons=[stay.spot.lon for _, stay in rows],
        lats=[stay.spot.lat for _, stay in rows],
        metres=[stay.spot.uncertainty_m for _, stay in rows],
        since=[stay.since for _, stay in rows],
    )


async def write_offsets(tx: Tx, *, topic_id: str, offsets: Mapping[int, int]) -> None:
    """Write the next offsets to read, and forget those of a topic that no longer exists."""
    await execute(tx, "DELETE FROM geofence_roster_offset WHERE topic_id <> :id", id=topic_id)
    await execute(
        tx,
        """
        INSERT INTO geofence_roster_offset (topic_id, partition, next_offset, updated_at)
        SELECT :topic_id, partition, next_offset, now()
          FROM unnest(CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
               AS incoming (partition, next_offset)
         ORDER BY partition
            ON CONFLICT (topic_id, partition) DO UPDATE
           SET next_offset = EXCLUDED.next_offset, updated_at = EXCLUDED.updated_at
        """,
        topic_id=topic_id,
        partitions=list(offsets),
        offsets=list(offsets.values()),
    )


async def read_at_one_moment(tx: Tx) -> None:
    """Let all that this transaction reads be of the same moment."""
    await execute(tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


async def read_offsets(tx: Tx, *, topic_id: str) -> dict[int, int]:
    """Return the next offset of each partition of this very topic."""
    rows = await fetch(
        tx,
        "SELECT partition, next_offset FROM geofence_roster_offset WHERE topic_id = :id",
        id=topic_id,
    )
    return {row["partition"]: row["next_offset"] for row in rows}


async def read_residents(
    tx: Tx, *, after: UUID, limit: int, forgotten: int
) -> tuple[bytes, list[str]]:
    """Return the next residents by id, packed, and the language tags they have.

    A resident is 16 bytes of id, version, channel bits and the number of a tag, counted from 0.
    Packed by the server because a driver's row costs ten times what the bytes do.
    """
    rows = await fetch(
        tx,
        """
        WITH next AS (
            SELECT subscriber_id, version, erased, channels, language FROM geofence_resident
             WHERE subscriber_id > :after ORDER BY subscriber_id LIMIT :limit
        ), spoken AS (
            SELECT language, row_number() OVER (ORDER BY language) - 1 AS number
              FROM (SELECT DISTINCT language FROM next) AS tags
        )
        SELECT string_agg(uuid_send(subscriber_id)
                          || int8send(CASE WHEN erased THEN :forgotten ELSE version END)
                          || int2send(channels) || int2send(CAST(number AS smallint)),
                          CAST('' AS bytea) ORDER BY subscriber_id) AS packed,
               (SELECT array_agg(language ORDER BY number) FROM spoken) AS tags
          FROM next JOIN spoken USING (language)
        """,
        after=after,
        limit=limit,
        forgotten=forgotten,
    )
    return rows[0]["packed"] or b"", rows[0]["tags"] or []


async def read_places(tx: Tx, *, after: UUID, until: UUID) -> bytes:
    """Return the places of a range of residents, packed: id, lon, lat, uncertainty."""
    packed = await fetch_value(
        tx,
        """
        SELECT string_agg(uuid_send(subscriber_id) || float8send(lon) || float8send(lat)
                          || float8send(uncertainty_m), CAST('' AS bytea))
          FROM geofence_place
         WHERE subscriber_id > :after AND subscriber_id <= :until
        """,
        after=after,
        until=until,
    )
    return packed or b""

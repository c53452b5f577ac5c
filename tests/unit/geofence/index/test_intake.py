"""Changes come in: found by id, read fast as the full check would read them, held until merged."""

import dataclasses
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.geofence.index.change import FORGOTTEN, change_of
from services.geofence.index.intake import read_entry as module
from services.geofence.index.intake.entries import Entry, entry_of
from services.geofence.index.intake.id_table import make_id_table
from services.geofence.index.intake.languages import MOST, Languages
from services.geofence.index.intake.read_entry import read_entry
from shared.bus.reading import read
from shared.events.envelope import Poison, encode
from shared.events.subscriber import Place, PlaceChanged, Reach
from shared.events.topics import PLACE_CHANGED

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WHO = uuid.UUID("0192f3c4-5d6e-7f80-9123-456789abcdef")


def event(**changed: Any) -> PlaceChanged:
    fields: dict[str, Any] = {
        "subscriber_id": WHO,
        "version": 7,
        "places": (
            Place(place_id=WHO, lon=-72.7, lat=41.6),
            Place(place_id=WHO, lon=-72.8, lat=41.5, uncertainty_m=30.5),
        ),
        "reach": Reach(channels=5, language="en-US"),
    }
    return PlaceChanged(**fields | changed)


def record(value: bytes | None, *, key: bytes = str(WHO).encode()) -> SimpleNamespace:
    return SimpleNamespace(key=key, value=value, headers=(), partition=0, offset=3, timestamp=1)


def written(what: PlaceChanged) -> bytes:
    value = encode(what, producer="subscriber", signer=None, now=NOW).value
    assert value is not None
    return value


def by_full_check(one: SimpleNamespace) -> Entry | None:
    """Return what the check of every form makes of a record, or nothing if it refuses it."""
    try:
        message = read(PLACE_CHANGED, one, None)
        assert message.event is None or isinstance(message.event, PlaceChanged)
        return entry_of(change_of(message.key, message.event))
    except (Poison, ValueError):
        return None


def by_reader(one: SimpleNamespace) -> Entry | None:
    try:
        return read_entry(PLACE_CHANGED, one, None)
    except Poison:
        return None


def same(one: SimpleNamespace) -> bool:
    first, second = by_reader(one), by_full_check(one)
    if first is None or second is None:
        return first is second
    return first._replace(spots=list(first.spots)) == second._replace(spots=list(second.spots))


def test_what_the_relay_writes_is_read_without_the_full_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "read", None)
    entry = read_entry(PLACE_CHANGED, record(written(event())), None)
    assert entry == Entry(WHO.bytes, 7, 5, "en-US", [(-72.7, 41.6, 0.0), (-72.8, 41.5, 30.5)])


def test_the_erased_and_the_forgotten_have_no_places_and_the_last_version() -> None:
    gone = Entry(WHO.bytes, FORGOTTEN, 0, "", ())
    erased = event(erased=True, places=())
    assert read_entry(PLACE_CHANGED, record(written(erased)), None) == gone
    assert read_entry(PLACE_CHANGED, record(None), None) == gone


PATHS: list[tuple[str, ...]] = [
    ("id",),
    ("type",),
    ("version",),
    ("occurred_at",),
    ("producer",),
    ("traceparent",),
    ("key_id",),
    ("signature",),
    ("data",),
    ("data", "subscriber_id"),
    ("data", "version"),
    ("data", "erased"),
    ("data", "places"),
    ("data", "places", "0"),
    ("data", "places", "0", "place_id"),
    ("data", "places", "0", "lon"),
    ("data", "places", "0", "lat"),
    ("data", "places", "0", "uncertainty_m"),
    ("data", "reach"),
    ("data", "reach", "channels"),
    ("data", "reach", "language"),
    ("data", "reach", "severity_floor"),
    ("data", "reach", "emergency_only"),
]
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 7, 8, 2**63 - 1, 2**63, 0.0, -0.0, 1.5, 180.0, 180.5, -90.0, 90.5,
    1e300, 100_000.0, 100_001.0, "", "x", "en", "a" * 35, "a" * 36, "a" * 64, "a" * 65, "1", "7",
    "1.0", "1.1", "2.0", "01.0", "subscriber.place.changed", "subscriber.contact.changed",
    str(WHO), str(WHO).upper(), WHO.hex, "{" + str(WHO) + "}", f"urn:uuid:{WHO}",
    "2026-02-30T00:00:00+00:00", "2026-02-28T00:00:00+00:00", "2026-02-28T24:00:00+00:00",
    "2026-02-28T23:59:60+00:00", "2026-02-28 00:00:00+00:00", "2026-02-28T00:00:00Z",
    "2026-02-28T00:00:00.123456+00:00", "2026-02-28T00:00:00", "2019-12-31T00:00:00+00:00",
    "2100-01-01T00:00:00+00:00", "1790000000", 1790000000, [], {}, [1], {"lon": 1.0},
]  # fmt: skip


def nested(body: Any, path: tuple[str, ...]) -> tuple[Any, Any]:
    """Return the part of a body that holds the end of a path, and that end."""
    for part in path[:-1]:
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body, int(path[-1]) if isinstance(body, list) else path[-1]


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_every_odd_field_is_judged_as_the_full_check_judges_it(path: tuple[str, ...]) -> None:
    for odd in ODD:
        body = orjson.loads(written(event()))
        holder, end = nested(body, path)
        holder[end] = odd
        assert same(record(orjson.dumps(body))), (path, odd)
    body = orjson.loads(written(event()))
    holder, end = nested(body, path)
    del holder[end]
    assert same(record(orjson.dumps(body))), path


BODY = written(event())
RECORDS = {
    "empty": record(b""),
    "null": record(b"null"),
    "array": record(b"[]"),
    "cut-off": record(b"{"),
    "no-text": record(b"\xff"),
    "null-of-nobody": record(None, key=b"nobody"),
    "null-without-key": record(None, key=b""),
    "of-another-key": record(BODY, key=b"another"),
    "of-a-key-in-capitals": record(BODY, key=str(WHO).upper().encode()),
    "field-twice": record(BODY.replace(b'"version":7', b'"version":7,"version":8')),
    "nan": record(BODY.replace(b"-72.7", b"NaN")),
    "whole-degree": record(BODY.replace(b"-72.7", b"-72")),
    "newer-field": record(BODY.replace(b'"erased"', b'"unknown":1,"erased"')),
}


@pytest.mark.parametrize("one", RECORDS.values(), ids=RECORDS)
def test_odd_records_are_judged_as_the_full_check_judges_them(one: SimpleNamespace) -> None:
    assert same(one)


def test_too_many_headers_are_refused() -> None:
    one = record(written(event()))
    one.headers = (("a", b"b"),) * 33
    with pytest.raises(Poison, match="too-many-headers"):
        read_entry(PLACE_CHANGED, one, None)


@settings(max_examples=50, deadline=None)
@given(
    people=st.integers(0, 3_000),
    kind=st.sampled_from(["random", "counting", "high-words-equal"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_ids_are_found_and_only_they(people: int, kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    ids = random.integers(0, 2**63, (people, 2)).astype(np.uint64)
    if kind != "random":
        ids[:, 0] = np.arange(people) << (56 if kind == "counting" else 0)
        ids[:, 1] = 5
    ids = np.unique(ids, axis=0)[random.permutation(len(np.unique(ids, axis=0)))]
    half = len(ids) // 2
    table = make_id_table(ids[:half])
    if table.has_room(len(ids)):
        table.add(ids, np.arange(half, len(ids), dtype=np.int32))
    else:
        table = make_id_table(ids)
    assert (table.find(ids, ids) == np.arange(len(ids))).all()
    strangers = np.full((3, 2), 2**64 - 1, np.uint64)
    assert (table.find(ids, strangers) == -1).all()


def test_languages_keep_their_numbers_and_one_too_many_has_none() -> None:
    languages = Languages()
    assert [languages.number(tag) for tag in ("en-US", "es-US", "en-US", "")] == [1, 2, 1, 0]
    for number in range(MOST):
        languages.number(f"x-{number}")
    assert len(languages.tags) == MOST
    assert languages.number("one-more") == 0
    assert languages.number("es-US") == 2


def test_an_entry_says_what_its_change_says() -> None:
    change = change_of(str(WHO).encode(), event())
    entry = entry_of(change)
    assert entry.version == change.version
    assert entry.spots == [dataclasses.astuple(spot)[1:] for spot in change.spots]

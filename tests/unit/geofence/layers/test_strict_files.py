"""GeoJSON is read as strictly as the body of any request, and as quickly as before."""

import json
import random
from typing import Any

import pytest

from services.geofence.layers.faults import LayerInvalid
from services.geofence.layers.formats.geojson import read_collection
from services.geofence.layers.formats.sandbox.boundaries import read_areas, read_layer
from shared.web.strict import NotStrict, read_strict
from tests.unit.geofence.layers.strict_files import NOT_STRICT, STRICT

JOB = {"format": "geojson", "kind": "zip", "layer": None, "code_field": "geoid"}


@pytest.mark.shows(*(f"bad:J{n:02}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10)), "G1", "G2")
@pytest.mark.parametrize("name", NOT_STRICT)
def test_a_file_of_two_meanings_is_refused_by_name(name: str) -> None:
    _, data, status, code, pointer = NOT_STRICT[name]
    for read in (read_areas, read_layer):
        with pytest.raises(LayerInvalid) as invalid:
            list(read({**JOB, "name_field": "name"}, data))
        (fault,) = invalid.value.faults
        assert (invalid.value.status, fault.code, fault.pointer) == (status, code, pointer)
        assert "geoid" not in fault.detail


@pytest.mark.shows("bad:J03", "bad:J05", "bad:J07", "bad:J10", "G1")
@pytest.mark.parametrize("name", NOT_STRICT)
def test_a_large_file_is_refused_by_the_same_name(name: str) -> None:
    """Its fault has line and column where finding the member would take a second reading."""
    _, data, _, code, pointer = NOT_STRICT[name]
    empty = code == "empty-body"
    with pytest.raises(NotStrict) as refused:
        read_strict(data if empty else b" " * 4_000_000 + data, "file")
    assert refused.value.code == code
    faults = [one.pointer for one in refused.value.faults]
    assert faults == [pointer] or (not faults and (not pointer or "column" in refused.value.detail))


@pytest.mark.shows("G1")
@pytest.mark.parametrize("name", STRICT)
def test_a_file_of_one_meaning_is_read(name: str) -> None:
    data = STRICT[name]
    assert read_collection(data).members == json.loads(data)["features"]
    assert read_strict(data) == json.loads(data)


@pytest.mark.shows("bad:J06", "G1")
def test_a_member_written_twice_is_found_wherever_it_is() -> None:
    """The quick count of members agrees with a reader that compares the names."""
    chance = random.Random(6)
    refused = 0
    for _ in range(3_000):
        data = written(chance, 4)
        try:
            value = json.loads(data, object_pairs_hook=once)
        except Twice:
            refused += 1
            with pytest.raises(NotStrict, match="duplicate-key"):
                read_strict(data.encode())
        else:
            assert read_strict(data.encode()) == value
    assert 200 < refused < 2_700


class Twice(ValueError):
    """Two members of one name."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose members all have names of their own."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise Twice
    return dict(pairs)


def written(chance: random.Random, deep: int) -> str:
    """Return some JSON whose texts are full of the marks that JSON is made of."""
    kind = chance.randrange(4) if deep else 0
    if kind < 2:
        texts: list[Any] = ['"', "\\", ":", "{", "]", '\\"', '":', "é", "\n", 1, -7.25, None]
        return json.dumps(chance.choice(texts))
    inside = [written(chance, deep - 1) for _ in range(chance.randrange(4))]
    if kind == 2:
        return f"[{','.join(inside)}]"
    names = ['"a"', '"\\u0061"', '"\\""', '":"', '"\\\\"', '"b\\\\\\":"', '"c"', '"d"', '"e"']
    return "{" + ", ".join(f"{chance.choice(names)} :{one}" for one in inside) + "}"

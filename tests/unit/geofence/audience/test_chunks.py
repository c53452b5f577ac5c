"""Blocks of any sizes are cut into full chunks: everybody once, in the order they were found."""

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.geofence.audience.chunks import MOST_IDS, Chunk, Cutter, late_chunks
from services.geofence.index.columns import no_places
from services.geofence.index.view import Block
from shared.events.audience import unpack_ids
from tests.unit.geofence.oracle import ident, make_index, number_of

PEOPLE = 3 * MOST_IDS
VIEW = make_index(no_places(), PEOPLE).view()
SIZES = st.lists(
    st.one_of(st.integers(1, 40), st.integers(MOST_IDS - 2, MOST_IDS + 2)), max_size=5
).filter(lambda sizes: sum(sizes) <= PEOPLE)


def cut(sizes: list[int], *, uncertain_from: int) -> list[Chunk]:
    """Cut blocks of these sizes, those from some number on matched by uncertainty."""
    cutter, at = Cutter(VIEW), 0
    chunks: list[Chunk] = []
    for number, size in enumerate(sizes):
        people = np.arange(at, at + size, dtype=np.int32)
        chunks += cutter.add(Block(people, number >= uncertain_from))
        at += size
    return [*chunks, *cutter.rest()]


@given(sizes=SIZES, uncertain_from=st.integers(0, 5))
def test_everybody_is_in_one_chunk_under_the_right_reason(
    sizes: list[int], uncertain_from: int
) -> None:
    chunks = cut(sizes, uncertain_from=uncertain_from)
    assert all(chunk.members == MOST_IDS for chunk in chunks[:-1])
    assert all(0 < chunk.members <= MOST_IDS for chunk in chunks)
    inside, around = (
        [number_of(packed[at : at + 16]) for packed in part for at in range(0, len(packed), 16)]
        for part in (
            [chunk.inside for chunk in chunks],
            [chunk.by_uncertainty for chunk in chunks],
        )
    )
    split = sum(sizes[:uncertain_from])
    assert inside == list(range(split))
    assert around == list(range(split, sum(sizes)))


@pytest.mark.shows("G14")
def test_a_chunk_leaves_as_soon_as_it_is_full() -> None:
    cutter = Cutter(VIEW)
    assert list(cutter.add(Block(np.arange(MOST_IDS - 1, dtype=np.int32), False))) == []
    last = Block(np.array([MOST_IDS - 1], np.int32), False)
    (chunk,) = cutter.add(last)
    assert chunk.members == MOST_IDS
    assert list(cutter.rest()) == []


def test_ids_go_as_they_are_also_those_that_end_in_zeros() -> None:
    (chunk,) = cut([3], uncertain_from=1)
    written = chunk.encoded()
    assert unpack_ids(written["inside"]) == [ident(number) for number in range(3)]
    assert written["by_uncertainty"] == ""


@pytest.mark.parametrize("certain", [0, 3, MOST_IDS, MOST_IDS + 3])
def test_late_joiners_of_any_number_are_cut_as_well(certain: int) -> None:
    people = [uuid.UUID(int=number) for number in range(MOST_IDS + 7)]
    inside, around = people[:certain], people[certain:]
    alert_id = uuid.uuid4()
    chunks = list(late_chunks(inside, around, alert_id=alert_id, version=1, digest="0" * 64))
    assert [len(list(chunk.members())) for chunk in chunks] == [MOST_IDS, 7]
    assert [one for chunk in chunks for one in unpack_ids(chunk.inside)] == inside
    assert [one for chunk in chunks for one in unpack_ids(chunk.by_uncertainty)] == around
    assert len({chunk.run_id for chunk in chunks}) == 2
    assert list(late_chunks((), (), alert_id=alert_id, version=1, digest="0" * 64)) == []

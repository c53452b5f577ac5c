"""Layers put in force again and again: each moment keeps the version that held then."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from services.geofence.layers.find_features import find_features
from services.geofence.psaps.boundaries import Drawings
from services.geofence.psaps.coverage.store import moment
from shared.db.session import Tx
from tests.service.geofence.psaps.desk import ANDOVER, ANSONIA, TOWNS, Desk

DRAWN = {1: {"ONE": TOWNS[ANDOVER]}, 2: {"TWO": TOWNS[ANSONIA]}}


@pytest.fixture
async def tx(desk: Desk) -> AsyncIterator[Tx]:
    """What reads the directory."""
    async with desk.database.transaction() as tx:
        yield tx


@pytest.mark.shows("G6")
async def test_every_time_a_version_was_in_force_is_answered_for(desk: Desk, tx: Tx) -> None:
    turns = (1, 2, 1, 2, 1)
    after: list[datetime] = []
    for version in turns:
        await desk.draw("psap", DRAWN[version], since=None)
        after.append(await moment(tx))
    drawings = Drawings()
    found = [await drawings.at(tx, "psap", at) for at in after]
    assert [one.version for one in found if one] == list(turns)
    since = [one.since for one in found if one]
    assert all(one < at for one, at in zip(since, after, strict=True))
    assert all(at < one for at, one in zip(after, since[1:], strict=False))


@pytest.mark.shows("G6")
async def test_a_date_that_has_passed_does_not_take_back_what_was_put_in_force(
    desk: Desk, tx: Tx
) -> None:
    await desk.draw("psap", DRAWN[1], since="2024-01-01")
    await desk.draw("psap", DRAWN[2], since=None)
    for since, version in (("2024-01-01", 2), (None, 1), ("2024-01-01", 1)):
        await desk.draw("psap", DRAWN[1], since=since)
        now = await Drawings().at(tx, "psap", await moment(tx))
        features = await find_features(tx, "psap")
        assert now is not None
        assert features is not None
        assert (now.version, features[0].version) == (version, version)

"""Address points on a real database: imported, versioned, found however they are written."""

import pytest

from services.geofence.layers.addresses.import_addresses import import_addresses
from services.geofence.layers.addresses.read_addresses import read_addresses
from services.geofence.layers.find_addresses import find_addresses
from tests.service.geofence.world import World

CSV = """number,street,unit,city,postcode,lon,lat
12,North Main Street,1,Kent,06757,-72.7,41.6
12,N Main St,2,Kent,06757,-72.7,41.6
14,N. MAIN ST,,Kent,06757,-72.71,41.6
12,North Main Street,,Bolton,06043,-72.4,41.75
1A,Elm Avenue,,Town of Kent,06757,-72.72,41.6
"""


async def imported(world: World, csv: str = CSV) -> tuple[int, bool]:
    """Import addresses; return the version and whether it is new."""
    data = csv.encode()
    with read_addresses(data, "csv", fields={}) as file:
        async with world.database.transaction() as tx:
            layer, new = await import_addresses(tx, data, file, fields={})
    assert layer.features == csv.count("\n") - 1
    return layer.version, new


@pytest.mark.shows("G11")
async def test_addresses_are_found_however_they_are_written(world: World) -> None:
    await imported(world)
    wanted = [
        ("12", "n main street", "KENT", None),
        ("012", "North Main St.", None, "06757-1234"),
        ("12", "North Main Street", None, None),
        (None, "north main", "Kent", None),
        (None, "North Main Street", "Kent", None),
        ("1 a", "Elm Ave", "kent", ""),
        ("13", "North Main Street", "Kent", None),
        ("12", "South Main Street", "Kent", None),
        ("12", "North Main Street", "Bolton", "06757"),
    ]
    async with world.database.transaction() as tx:
        found = await find_addresses(tx, wanted)
    assert found is not None
    layer, matches = found
    assert (layer.kind, layer.version) == ("address_point", 1)
    assert [len(match.addresses) for match in matches] == [2, 2, 3, 0, 3, 1, 0, 0, 0]
    first, second = matches[0].addresses
    assert (first.street, first.unit, first.town) == ("North Main Street", "1", "Kent")
    assert (first.number, first.postal, first.lon, first.lat) == ("12", "06757", -72.7, 41.6)
    assert (second.street, second.unit) == ("N Main St", "2")
    assert not any(match.more for match in matches)


@pytest.mark.shows("G11")
async def test_what_was_given_and_means_nothing_matches_nothing(world: World) -> None:
    await imported(world)
    wanted = [
        ("", "North Main Street", None, None),
        ("-", "North Main Street", None, None),
        ("12", "", None, None),
        (None, "", None, None),
        (None, "...", None, None),
        ("12", "North Main Street", "...", None),
        ("12", "North Main Street", None, "CT"),
        ("12", "%", None, None),
        ("*", "*", "*", "*"),
    ]
    async with world.database.transaction() as tx:
        found = await find_addresses(tx, wanted)
    assert found is not None
    assert [match.addresses for match in found[1]] == [()] * len(wanted)


async def test_a_long_street_is_cut_off_and_says_so(world: World) -> None:
    await imported(world)
    async with world.database.transaction() as tx:
        found = await find_addresses(tx, [(None, "N Main St", None, None)], most=3)
        assert found is not None
        assert (len(found[1][0].addresses), found[1][0].more) == (3, True)


async def test_versions_of_addresses_are_apart(world: World) -> None:
    async with world.database.transaction() as tx:
        assert await find_addresses(tx, [("12", "North Main Street", None, None)]) is None
    assert await imported(world) == (1, True)
    moved = CSV.replace("-72.4,41.75", "-72.41,41.76")
    assert await imported(world, moved) == (2, True)
    wanted = [("12", "North Main Street", "Bolton", None)]
    for version, lon in ((None, -72.41), (1, -72.4), (2, -72.41)):
        async with world.database.transaction() as tx:
            found = await find_addresses(tx, wanted, version=version)
        assert found is not None
        assert [one.lon for one in found[1][0].addresses] == [lon]
    assert await imported(world) == (1, False)
    async with world.database.transaction() as tx:
        found = await find_addresses(tx, wanted)
        assert found is not None
        assert found[0].version == 1
        assert await find_addresses(tx, wanted, version=9) is None
    assert await world.value("SELECT count(*) FROM geofence_address") == 10

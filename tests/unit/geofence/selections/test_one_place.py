"""Points are one place or several, one street or several, by how far they lie apart."""

import pytest

from services.geofence.selections.lists.one_place import is_apart, is_spread

pytestmark = pytest.mark.shows("G11")
# So far is a minute of latitude of the State, about 1,851 m.
MINUTE = 1 / 60


def road(*minutes: float) -> list[tuple[float, float]]:
    """Return points up a meridian."""
    return [(-72.7, 41.5 + one * MINUTE) for one in minutes]


@pytest.mark.parametrize(
    ("minutes", "apart"),
    [
        ((), False),
        ((0,), False),
        ((0, 0, 0), False),
        ((0, 1, 2, 3, 4, 5), False),
        ((5, 0, 3, 1, 4, 2), False),
        ((0, 1.1), True),
        ((0, 1, 2, 3.1, 4), True),
        ((4, 0, 3.1, 1, 2), True),
    ],
)
def test_a_street_has_no_long_gap(minutes: tuple[float, ...], apart: bool) -> None:
    assert is_apart(road(*minutes)) is apart


def test_one_place_is_small() -> None:
    assert not is_spread(road(0, 0.2))
    assert is_spread(road(0, 0.3))

"""An index that cannot be trusted: it finds people, and then contradicts the area."""

from collections.abc import Iterator
from typing import Any

from shapely.geometry.base import BaseGeometry

from services.geofence.index.tail import Roster
from services.geofence.index.view import Block, OutsideArea, View


class Lying(Roster):
    """A roster that finds people, and then a place that is not in the area."""

    def view(self) -> View:
        """Return the index as it is, with what it says spoilt after the first block."""
        return _Spoilt(super().view())  # type: ignore[return-value]


class _Spoilt:
    def __init__(self, view: View) -> None:
        self._view = view

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def blocks(self, area: BaseGeometry, *, seen: Any = None) -> Iterator[Block]:
        """Yield somebody inside, then find that the index cannot be trusted."""
        yield from self._view.blocks(area, seen=seen)
        raise OutsideArea("a place taken whole does not lie in the area")

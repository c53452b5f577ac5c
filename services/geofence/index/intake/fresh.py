"""Places that came since the last sorting in: appended, killed, and looked at as of a moment."""

import numpy as np
from numpy.typing import NDArray

from services.geofence.index.columns import Ordinals, Places, Sorted, longer, no_places, sort_places
from services.geofence.index.grid import Grid

LEAST = 1024


class Pending:
    """Fresh places as of a moment; sorted by whoever first asks, in whatever thread that is."""

    def __init__(self, grid: Grid, places: Places, alive: NDArray[np.bool_]) -> None:
        self._grid = grid
        self._places = places
        self._alive = alive
        self._sorted: Sorted | None = None

    def sort(self) -> Sorted:
        """Return them sorted by cell, without those killed since they came."""
        if self._sorted is None:
            self._sorted = sort_places(self._grid, self._places.take(self._alive), few=True)
        return self._sorted


class Fresh:
    """Grows at the end: what a moment has been given of it never changes under it."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places or no_places()
        self.count = len(self._places.person)
        self._alive = np.ones(self.count, np.bool_)
        self._shared = False

    def add(self, spots: NDArray[np.float64], person: Ordinals) -> None:
        """Append places given as rows of lon, lat, metres."""
        begin, end = self.count, self.count + len(person)
        if end > len(self._alive):
            self._grow(max(LEAST, 2 * end))
        self._places.lon[begin:end] = spots[:, 0]
        self._places.lat[begin:end] = spots[:, 1]
        self._places.uncertainty_m[begin:end] = spots[:, 2]
        self._places.person[begin:end] = person
        self._alive[begin:end] = True
        self.count = end

    def kill(self, marked: NDArray[np.bool_]) -> None:
        """Let go of the places of the people marked by ordinal."""
        if self._shared:
            self._alive, self._shared = self._alive.copy(), False
        self._alive[: self.count] &= ~marked[self._places.person[: self.count]]

    def freeze(self, grid: Grid) -> Pending:
        """Return the places as they are now."""
        self._shared = True
        return Pending(grid, self._places.take(slice(self.count)), self._alive[: self.count])

    def since(self, begin: int) -> "Fresh":
        """Return those that came after the first so many."""
        alive = np.flatnonzero(self._alive[begin : self.count]) + begin
        return Fresh(self._places.take(alive))

    def _grow(self, size: int) -> None:
        # Copies: whoever was given a moment keeps it.
        old = self._places
        self._places = Places(
            longer(old.lon, size),
            longer(old.lat, size),
            longer(old.uncertainty_m, size),
            longer(old.person, size),
        )
        self._alive, self._shared = longer(self._alive, size), False

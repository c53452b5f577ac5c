"""A refusal of several shapes at once: whoever has to mend a list wants all of it."""

from collections.abc import Sequence

from services.geofence.layers.geometry import GeometryRefused


class ShapesRefused(GeometryRefused):
    """Shapes that cannot be used; it reads as the refusal of the first of them."""

    def __init__(self, faults: Sequence[GeometryRefused]) -> None:
        first = faults[0]
        super().__init__(first.code, first.pointer, first.detail, status=first.status)
        self.faults = tuple(faults)


def faults_of(refused: GeometryRefused) -> tuple[GeometryRefused, ...]:
    """Return every fault of a refusal, which may be one alone."""
    return refused.faults if isinstance(refused, ShapesRefused) else (refused,)

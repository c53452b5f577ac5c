"""The boxes of longitude and latitude that say what lies in or near Connecticut."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A box in degrees WGS 84 whose edges belong to it."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, lon: float, lat: float) -> bool:
        """Say whether a point in degrees lies in the box or on its edge."""
        return self.west <= lon <= self.east and self.south <= lat <= self.north


# Land and the state's part of Long Island Sound.
STATE_BOX = Box(-73.73, 40.95, -71.78, 42.06)
# The state and 50 km around it: 0.45 degrees of latitude, 0.61 of longitude at 42 N.
SERVICE_BOX = Box(-74.34, 40.50, -71.17, 42.51)


def in_service_area(lon: float, lat: float) -> bool:
    """Say whether a point in degrees lies in the state or about 50 km around it."""
    return SERVICE_BOX.holds(lon, lat)


def is_swapped(lon: float, lat: float) -> bool:
    """Say whether a point lies outside the service area but inside it with its numbers swapped."""
    return not SERVICE_BOX.holds(lon, lat) and SERVICE_BOX.holds(lat, lon)

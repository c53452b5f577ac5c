"""The eight legacy counties, nine planning regions and thirteen forecast zones of Connecticut."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Division:
    """A county or planning region: five-digit FIPS code, name, SAME code."""

    fips: str
    name: str

    @property
    def same(self) -> str:
        """The six-digit SAME code of the whole division (47 CFR 11.31)."""
        return f"0{self.fips}"


@dataclass(frozen=True, slots=True)
class Zone:
    """A public forecast zone of the National Weather Service: UGC code, name, office."""

    ugc: str
    name: str
    office: str


COUNTIES = (
    Division("09001", "Fairfield"),
    Division("09003", "Hartford"),
    Division("09005", "Litchfield"),
    Division("09007", "Middlesex"),
    Division("09009", "New Haven"),
    Division("09011", "New London"),
    Division("09013", "Tolland"),
    Division("09015", "Windham"),
)

# County equivalents of the Census Bureau since 6 June 2022.
PLANNING_REGIONS = (
    Division("09110", "Capitol"),
    Division("09120", "Greater Bridgeport"),
    Division("09130", "Lower Connecticut River Valley"),
    Division("09140", "Naugatuck Valley"),
    Division("09150", "Northeastern Connecticut"),
    Division("09160", "Northwest Hills"),
    Division("09170", "South Central Connecticut"),
    Division("09180", "Southeastern Connecticut"),
    Division("09190", "Western Connecticut"),
)

FORECAST_ZONES = (
    Zone("CTZ001", "Northern Litchfield", "ALY"),
    Zone("CTZ002", "Hartford", "BOX"),
    Zone("CTZ003", "Tolland", "BOX"),
    Zone("CTZ004", "Windham", "BOX"),
    Zone("CTZ005", "Northern Fairfield", "OKX"),
    Zone("CTZ006", "Northern New Haven", "OKX"),
    Zone("CTZ007", "Northern Middlesex", "OKX"),
    Zone("CTZ008", "Northern New London", "OKX"),
    Zone("CTZ009", "Southern Fairfield", "OKX"),
    Zone("CTZ010", "Southern New Haven", "OKX"),
    Zone("CTZ011", "Southern Middlesex", "OKX"),
    Zone("CTZ012", "Southern New London", "OKX"),
    Zone("CTZ013", "Southern Litchfield", "ALY"),
)

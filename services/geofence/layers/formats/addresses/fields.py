"""Which properties of a file say number, street, town, unit, postal code and position."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from services.geofence.layers.faults import whole_file


class Asked(TypedDict, total=False):
    """Names given by the importer; several with commas between are joined with spaces."""

    number: str | None
    street: str | None
    town: str | None
    unit: str | None
    postal: str | None


# NENA-STA-006 and the FGDC address standard first, then how open collections call them. Of a
# candidate the part with a star must be there, the others may.
_CANDIDATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "number": (
        ("AddNum_Pre", "*Add_Number", "AddNum_Suf"),
        ("AddressNumberPrefix", "*AddressNumber", "AddressNumberSuffix"),
        ("*number",), ("*house_number",), ("*housenumber",), ("*addr:housenumber",), ("*hnum",),
    ),
    "street": (
        ("St_PreMod", "St_PreDir", "St_PreTyp", "St_PreSep", "*St_Name", "St_PosTyp",
         "St_PosDir", "St_PosMod"),
        ("StreetNamePreModifier", "StreetNamePreDirectional", "StreetNamePreType", "*StreetName",
         "StreetNamePostType", "StreetNamePostDirectional", "StreetNamePostModifier"),
        ("*CompleteStreetName",), ("*FullStName",), ("*street",), ("*street_name",),
        ("*addr:street",),
    ),
    "town": (
        ("*Inc_Muni",), ("*town",), ("*municipality",), ("*city",), ("*PlaceName",),
        ("*addr:city",), ("*Post_Comm",),
    ),
    "unit": (("*Unit",), ("*SubaddressIdentifier",), ("*addr:unit",)),
    "postal": (
        ("*Post_Code",), ("*ZipCode",), ("*zip",), ("*postal",), ("*postcode",), ("*postal_code",),
        ("*addr:postcode",),
    ),
}  # fmt: skip
_POSITION = (("lon", "lat"), ("longitude", "latitude"), ("Long", "Lat"), ("x", "y"))


class Parts(NamedTuple):
    """The properties that make up a part of an address, and which one it is nothing without."""

    names: tuple[str, ...] = ()
    needed: int | None = None


def match_fields(available: Sequence[str], asked: Asked) -> dict[str, Parts]:
    """Return the properties of the file that make up each part of an address.

    Raises:
        LayerInvalid: those for number or street are not there, or a name given is not.
    """
    by_name = {name.casefold(): name for name in reversed(available)}
    found: dict[str, Parts] = {}
    for part, candidates in _CANDIDATES.items():
        given = asked.get(part)
        if given:
            names = [one.strip().casefold() for one in str(given).split(",")]
            if not all(name in by_name for name in names):
                raise _missing(part)
            found[part] = Parts(tuple(by_name[name] for name in names))
            continue
        found[part] = _first(candidates, by_name)
    for part in ("number", "street"):
        if not found[part].names:
            raise _missing(part)
    return found


def match_position(available: Sequence[str]) -> tuple[str, str]:
    """Return the columns of longitude and latitude.

    Raises:
        LayerInvalid: there are none.
    """
    by_name = {name.casefold(): name for name in reversed(available)}
    for lon, lat in _POSITION:
        if lon.casefold() in by_name and lat.casefold() in by_name:
            return by_name[lon.casefold()], by_name[lat.casefold()]
    raise _missing("position")


def _first(candidates: Sequence[Sequence[str]], by_name: Mapping[str, str]) -> Parts:
    for candidate in candidates:
        (needed,) = (name[1:].casefold() for name in candidate if name.startswith("*"))
        if needed in by_name:
            parts = [name.lstrip("*").casefold() for name in candidate]
            there = [part for part in parts if part in by_name]
            return Parts(tuple(by_name[part] for part in there), there.index(needed))
    return Parts()


def _missing(part: str) -> Exception:
    return whole_file("property-required", f"The property that holds the {part} is missing.")

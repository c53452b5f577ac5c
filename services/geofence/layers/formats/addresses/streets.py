"""How a street, a house number and a town are written alike (USPS Publication 28, appendix C)."""

import re

# Directions, then street suffixes, then words that begin a name. Each word of a name is
# shortened on both sides of a comparison, so that it matters little which of them it is.
_SHORT = {
    "NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W", "NORTHEAST": "NE", "NORTHWEST": "NW",
    "SOUTHEAST": "SE", "SOUTHWEST": "SW", "NO": "N", "SO": "S",
    "ALLEY": "ALY", "ANNEX": "ANX", "AVENUE": "AVE", "AV": "AVE", "AVEN": "AVE", "BEACH": "BCH",
    "BEND": "BND", "BLUFF": "BLF", "BOULEVARD": "BLVD", "BLV": "BLVD", "BOUL": "BLVD",
    "BRANCH": "BR", "BRIDGE": "BRG", "BROOK": "BRK", "BYPASS": "BYP", "CENTER": "CTR",
    "CENTRE": "CTR", "CIRCLE": "CIR", "CIRC": "CIR", "CLIFF": "CLF", "COMMON": "CMN",
    "COMMONS": "CMNS", "CORNER": "COR", "CORNERS": "CORS", "COURSE": "CRSE", "COURT": "CT",
    "COURTS": "CTS", "COVE": "CV", "CREEK": "CRK", "CRESCENT": "CRES", "CREST": "CRST",
    "CROSSING": "XING", "CROSSROAD": "XRD", "DALE": "DL", "DIVIDE": "DV", "DRIVE": "DR",
    "DRIV": "DR", "DRV": "DR", "ESTATE": "EST", "ESTATES": "ESTS", "EXPRESSWAY": "EXPY",
    "EXTENSION": "EXT", "EXTN": "EXT", "FALLS": "FLS", "FERRY": "FRY", "FIELD": "FLD",
    "FIELDS": "FLDS", "FOREST": "FRST", "FORT": "FT", "FREEWAY": "FWY", "GARDEN": "GDN",
    "GARDENS": "GDNS", "GATEWAY": "GTWY", "GLEN": "GLN", "GREEN": "GRN", "GROVE": "GRV",
    "HARBOR": "HBR", "HAVEN": "HVN", "HEIGHTS": "HTS", "HIGHWAY": "HWY", "HILL": "HL",
    "HILLS": "HLS", "HOLLOW": "HOLW", "ISLAND": "IS", "JUNCTION": "JCT", "KNOLL": "KNL",
    "LAKE": "LK", "LAKES": "LKS", "LANDING": "LNDG", "LANE": "LN", "LODGE": "LDG",
    "MANOR": "MNR", "MEADOW": "MDW", "MEADOWS": "MDWS", "MILL": "ML", "MILLS": "MLS",
    "MOUNT": "MT", "MOUNTAIN": "MTN", "ORCHARD": "ORCH", "PARKWAY": "PKWY", "PKY": "PKWY",
    "PLACE": "PL", "PLAIN": "PLN", "PLAINS": "PLNS", "PLAZA": "PLZ", "POINT": "PT",
    "POINTS": "PTS", "PORT": "PRT", "RIDGE": "RDG", "RIVER": "RIV", "ROAD": "RD", "ROADS": "RDS",
    "ROUTE": "RTE", "RT": "RTE", "SAINT": "ST", "SHORE": "SHR", "SHORES": "SHRS",
    "SPRING": "SPG", "SPRINGS": "SPGS", "SQUARE": "SQ", "STATION": "STA", "STREAM": "STRM",
    "STREET": "ST", "STR": "ST", "STRT": "ST", "SUMMIT": "SMT", "TERRACE": "TER", "TERR": "TER",
    "TRACE": "TRCE", "TRAIL": "TRL", "TRL": "TRL", "TURNPIKE": "TPKE", "TPK": "TPKE",
    "TRNPK": "TPKE", "VALLEY": "VLY", "VIEW": "VW", "VILLAGE": "VLG", "VISTA": "VIS",
    "WELLS": "WLS", "FIRST": "1ST", "SECOND": "2ND", "THIRD": "3RD", "FOURTH": "4TH",
    "FIFTH": "5TH", "SIXTH": "6TH", "SEVENTH": "7TH", "EIGHTH": "8TH", "NINTH": "9TH",
    "TENTH": "10TH",
}  # fmt: skip
_DROPPED = re.compile("['\u2019`.]")
_APART = re.compile(r"[^0-9A-Z]+")
_NUMBER_PARTS = re.compile(r"[^0-9A-Z/]+")
_TOWN = re.compile(r"^(?:THE )?(?:TOWN|CITY|BOROUGH|VILLAGE) OF ")
# A table of numbers has lost the zero that every code of the State begins with.
_POSTAL = re.compile(r"\s*(\d{4,5})(?:-?\d{4})?\s*")


def alike_street(street: str) -> str:
    """Return a street's name in capitals, without punctuation, its words shortened."""
    words = _APART.sub(" ", _DROPPED.sub("", street.upper())).split()
    return " ".join(_SHORT.get(word, word) for word in words)


def alike_number(number: str) -> str:
    """Return a house number in capitals without leading zeros: `012 a` is 12A, `12-14` 12 14."""
    parts = _NUMBER_PARTS.sub(" ", number.upper()).split()
    joined = ""
    for part in (part.lstrip("0") or "0" for part in parts):
        joined += part if not joined or (part.isalpha() and len(part) == 1) else f" {part}"
    return joined


def alike_town(town: str) -> str:
    """Return a town's name in capitals, without punctuation and without `Town of`."""
    words = _APART.sub(" ", _DROPPED.sub("", town.upper())).split()
    return _TOWN.sub("", " ".join(words))


def alike_postal(postal: str) -> str:
    """Return the five digits of a postal code, or nothing where it is none."""
    match = _POSTAL.fullmatch(postal)
    return match[1].zfill(5) if match else ""

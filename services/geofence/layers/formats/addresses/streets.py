"""How a street, a house number and a town are written alike (USPS Publication 28, appendix C)."""

import re
import unicodedata
from collections.abc import Mapping

# Directions, then street suffixes, then words that begin a name.
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
_DIRECTIONS = {
    word: _SHORT[word]
    for word in ("NORTH", "SOUTH", "EAST", "WEST",
                 "NORTHEAST", "NORTHWEST", "SOUTHEAST", "SOUTHWEST")
}  # fmt: skip
_ORDINALS = {word: short for word, short in _SHORT.items() if short[0].isdigit()}
# `St John` is no street of that name, `Mt Pleasant` no mountain's type: they begin a name.
_BEGINNINGS = {word: _SHORT[word] for word in ("SAINT", "MOUNT", "FORT")}
_ADDED = {word: short for word, short in _SHORT.items() if short == "EXT"}
# `NO` and `SO` are North and South in old files, and words.
_TYPES = {
    word: short
    for word, short in _SHORT.items()
    if word not in {"NO", "SO", *_DIRECTIONS, *_ORDINALS, *_BEGINNINGS, *_ADDED}
}
_NUMBERED = {"RTE", "HWY"}
_DROPPED = re.compile("['\u2019`.]")
_APART = re.compile(r"[^0-9A-Z]+")
_SIGNS_APART = re.compile(r"[\W_]+")
_NUMBER_PARTS = re.compile(r"[^0-9A-Z/]+")
# One sign for a fraction, which stands behind the number; then wide forms of ASCII, and dashes.
_FRACTION = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_WIDE = re.compile("[\uff01-\uff5e]+")
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_TOWN = re.compile(r"^(?:THE )?(?:TOWN|CITY|BOROUGH|VILLAGE) OF ")
# A table of numbers has lost the zero that every code of the State begins with.
_POSTAL = re.compile(r"\s*(\d{4,5})(?:-?\d{4})?\s*")


def alike_street(street: str) -> str:
    """Return the key of a street's name: in capitals, without punctuation, each word shortened.

    Names that are the same have the same key, and so may others: `Court St` and `Ct St`, `East St`
    and `E Street`. `written_street` tells them apart.
    """
    words = _APART.sub(" ", _DROPPED.sub("", street.upper())).split()
    return " ".join(_SHORT.get(word, word) for word in words)


def written_street(street: str) -> str:
    """Return a street's name in capitals, without punctuation, shortened where it is not a name.

    A type is shortened as the last word, a direction as the first or last, where something else
    remains as the name; the type of `Avenue A` and `Route 7`; `Saint`, `Mount` and `Fort` where
    they begin a name; ordinals everywhere.
    """
    words = _SIGNS_APART.sub(" ", _DROPPED.sub("", street.upper())).split()
    words = [_ORDINALS.get(word, word) for word in words]
    end = _shorten_end(words)
    begin = 0
    if end > 1 and _is(words[0], _DIRECTIONS):
        words[0], begin = _DIRECTIONS.get(words[0], words[0]), 1
    if end - begin > 1:
        words[begin] = _BEGINNINGS.get(words[begin], words[begin])
    return " ".join(words)


def _shorten_end(words: list[str]) -> int:
    """Shorten `Extension`, direction and type at the end; return how many words are before them."""
    end = len(words)
    if end > 1 and _is(words[end - 1], _ADDED):
        end -= 1
        words[end] = _ADDED.get(words[end], words[end])
    if end > 1 and _is(words[end - 1], _DIRECTIONS) and (end > 2 or not _is(words[0], _TYPES)):
        end -= 1
        words[end] = _DIRECTIONS.get(words[end], words[end])
    if end > 1 and _is(words[end - 1], _TYPES):
        end -= 1
        words[end] = _TYPES.get(words[end], words[end])
    elif end > 1 and (words[end - 1][0].isdigit() or len(words[end - 1]) == 1):
        before = _TYPES.get(words[end - 2], words[end - 2])
        # `Avenue A` and `Old Route 7` are names; of `East St 5` only East can be one.
        if end == 2 or before in _NUMBERED:
            words[end - 2] = before
        elif _is(before, _TYPES):
            end -= 2
    return end


def _is(word: str, known: Mapping[str, str]) -> bool:
    return word in known or word in known.values()


def alike_number(number: str) -> str:
    """Return a house number in capitals without leading zeros: `012 a` is 12A, `12-14` 12 14.

    `12\u00bd` is 12 1/2. What holds another sign that is not ASCII is no number, and not what
    would be left without it.
    """
    number = _FRACTION.sub(lambda found: f" {_plain(found[0])} ", number)
    number = _WIDE.sub(lambda found: _plain(found[0]), number)
    number = _DASHES.sub("-", " ".join(number.split()))
    if not number.isascii():
        return ""
    parts = _NUMBER_PARTS.sub(" ", number.upper()).split()
    joined = ""
    for part in (part.lstrip("0") or "0" for part in parts):
        joined += part if not joined or (part.isalpha() and len(part) == 1) else f" {part}"
    return joined


def _plain(signs: str) -> str:
    return unicodedata.normalize("NFKC", signs).replace("\u2044", "/")


def alike_town(town: str) -> str:
    """Return a town's name in capitals, without punctuation and without `Town of`."""
    words = _APART.sub(" ", _DROPPED.sub("", town.upper())).split()
    return _TOWN.sub("", " ".join(words))


def alike_postal(postal: str) -> str:
    """Return the five digits of a postal code, or nothing where it is none."""
    match = _POSTAL.fullmatch(postal)
    return match[1].zfill(5) if match else ""

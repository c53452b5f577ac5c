"""What residents may choose: languages, kinds of alerts, names of places, and where those lie."""

import re
import unicodedata
from typing import Literal

from services.subscriber.entries.refusal import Refusal
from shared.connecticut import in_service_area, is_swapped

# Languages spoken by enough people in Connecticut that a text may exist (the state's own lists).
LANGUAGES = frozenset(
    "am ar bn de el en es fa fr gu hi ht hu it ja km ko lo ml ne pa pl ps pt ro ru so sq sr sw ta "
    "te th tl tr uk ur uz vi yue zh".split()
)
# CAP 1.2 §3.2.2, elements category and severity.
Category = Literal[
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
]
Severity = Literal["Unknown", "Minor", "Moderate", "Severe", "Extreme"]

LONGEST_LABEL = 60
MOST_MARKS = 2  # marks on one letter: Vietnamese needs two
_TAG = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}|[0-9]{3}))?")


def read_language(raw: str) -> str:
    """Return the language tag as RFC 5646 §2.1.1 writes it.

    Raises:
        Refusal: it is no tag, or of a language nobody here could be warned in.
    """
    match = _TAG.fullmatch(raw)
    if match is None or match[1].lower() not in LANGUAGES:
        raise Refusal("unknown-language", "Alerts are not written in this language.")
    language, script, region = match.groups()
    parts = [language.lower(), script.title() if script else None, region]
    return "-".join(p.upper() if p is region else p for p in parts if p)


def read_label(raw: str) -> str:
    """Return what a resident calls a place: one plain line, composed (NFC).

    Raises:
        Refusal: it is too long, or holds what can hide or overwrite other text.
    """
    text = unicodedata.normalize("NFC", raw.strip())
    if len(text) > LONGEST_LABEL:
        raise Refusal("too-long", "The label is too long.")
    marks = 0
    for character in text:
        kind = unicodedata.category(character)
        if kind in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}:
            raise Refusal("control-char", "The label holds characters that cannot be seen.")
        marks = marks + 1 if kind in {"Mn", "Me"} else 0
        if marks > MOST_MARKS:
            raise Refusal("stacked-marks", "The label holds stacked marks.")
    return text


def check_point(lon: float, lat: float) -> None:
    """Refuse a point (degrees WGS 84) that lies outside Connecticut and 50 km around it.

    Raises:
        Refusal: it does, or its numbers seem to be swapped.
    """
    if is_swapped(lon, lat):
        raise Refusal("swapped-lon-lat", "Longitude and latitude seem to be swapped.")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise Refusal("out-of-range", "There is no such point on Earth.")
    if not in_service_area(lon, lat):
        raise Refusal("outside-service-area", "The place is not in or near Connecticut.")

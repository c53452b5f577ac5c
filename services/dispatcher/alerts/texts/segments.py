"""How a text travels as SMS: its letters, how many pieces it takes, and plainer punctuation."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from gsm0338.charset import BASIC_CHARACTER_SET, BASIC_CHARACTER_SET_EXTENSION

# 3GPP TS 23.038: 140 bytes a message, six of them a header once there are several.
GSM_ALONE, GSM_JOINED = 160, 153
UCS_ALONE, UCS_JOINED = 70, 67
LONGEST = 1_600


def _letters(names: Iterable[str]) -> frozenset[str]:
    # The escape to the other table is a place in this one, but no letter.
    return frozenset(unicodedata.lookup(name) for name in names if not name.startswith("ESC"))


_EXTENSION = _letters(BASIC_CHARACTER_SET_EXTENSION.values())
_BASIC = _letters(BASIC_CHARACTER_SET.values())
# Typography that would more than halve what fits into a message and says nothing more.
_PLAINER = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'", "\u02bc": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"', "\u00ab": '"', "\u00bb": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "\u2026": "...", "\u2022": "-", "\u00b7": "-", "\u00a0": " ", "\u2009": " ",
        "\u202f": " ", "\u200b": "", "\ufeff": "", "\u00ad": "", "\t": " ",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Length:
    """How long a text is as SMS."""

    characters: int
    encoding: str
    segments: int


def plainer(text: str) -> str:
    """Return the text with typographic quotes, dashes and spaces as GSM 03.38 has them."""
    return text.translate(_PLAINER)


def is_gsm(text: str) -> bool:
    """Tell whether every letter is in GSM 03.38 or its extension table."""
    return all(letter in _BASIC or letter in _EXTENSION for letter in text)


def measure(text: str) -> Length:
    """Count characters and segments; a pair of units is never split over two segments."""
    if is_gsm(text):
        sizes = [2 if letter in _EXTENSION else 1 for letter in text]
        return Length(len(text), "GSM-7", _pieces(sizes, GSM_ALONE, GSM_JOINED))
    sizes = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
    return Length(len(text), "UCS-2", _pieces(sizes, UCS_ALONE, UCS_JOINED))


def _pieces(sizes: list[int], alone: int, joined: int) -> int:
    if sum(sizes) <= alone:
        return 1
    pieces, room = 1, joined
    for size in sizes:
        if size > room:
            pieces, room = pieces + 1, joined
        room -= size
    return pieces

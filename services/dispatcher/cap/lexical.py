"""The lexical forms that CAP 1.2 borrows from XML Schema: times, languages, numbers, addresses."""

import re
from calendar import monthrange
from collections.abc import Callable

BLANKS = " \t\r\n"
_BLANK = re.compile(r"[ \t\r\n]+")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)[-+](\d\d):(\d\d)", re.ASCII)
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
# Zones reach 14 hours either way (XML Schema part 2 §3.2.7.3).
_FURTHEST_ZONE_MIN = 14 * 60

# RFC 3986 after every character outside it has been replaced, as XML Schema allows.
_MARK = r"[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}"
_PCHAR = rf"(?:{_MARK}|[:@])"
_AUTHORITY = rf"(?:(?:{_MARK}|:)*@)?(?:\[[^\]]*\]|(?:{_MARK})*)(?::(?P<port>[0-9]+))?"
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:\#(?:{_PCHAR}|[/?\[\]])*)?"
_ABSENT_OR_ABSOLUTE = rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|"
_ABSOLUTE = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.\-]*:{_ABSENT_OR_ABSOLUTE}{_PCHAR}+(?:/{_PCHAR}*)*|){_TAIL}"
)
_RELATIVE = re.compile(rf"{_ABSENT_OR_ABSOLUTE}(?:{_MARK}|@)+(?:/{_PCHAR}*)*|){_TAIL}")
_FOREIGN = re.compile(r"[^\x20-\x7e]|[ <>\"{}|\\^`]")
_HIGHEST_PORT = 2**31 - 1

Check = Callable[[str], bool]


def collapse(text: str) -> str:
    """Return the text without outer blanks and with inner runs as one space."""
    return _BLANK.sub(" ", text).strip(" ")


def is_time(text: str) -> bool:
    """Tell whether the text is a CAP 1.2 time (§3.2.1: offset required, no Z, no fraction)."""
    found = _TIME.fullmatch(text.strip(BLANKS))
    if found is None:
        return False
    year, month, day, hour, minute, second, zone_hour, zone_minute = map(int, found.groups())
    if not (year and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return False
    if not (minute < 60 and second < 60 and zone_minute < 60):
        return False
    if zone_hour * 60 + zone_minute > _FURTHEST_ZONE_MIN:
        return False
    return hour < 24 or (hour == 24 and minute == second == 0)


def is_language(text: str) -> bool:
    """Tell whether the text is a language tag; an empty element stands for the default, en-US."""
    return not text or _LANGUAGE.fullmatch(text.strip(BLANKS)) is not None


def is_integer(text: str) -> bool:
    """Tell whether the text is a whole number."""
    return _INTEGER.fullmatch(text.strip(BLANKS)) is not None


def is_decimal(text: str) -> bool:
    """Tell whether the text is a decimal number without exponent."""
    return _DECIMAL.fullmatch(text.strip(BLANKS)) is not None


def is_uri(text: str) -> bool:
    """Tell whether the text is an address or a relative reference (RFC 3986, escaped first)."""
    plain = _FOREIGN.sub("_", collapse(text))
    found = _ABSOLUTE.fullmatch(plain) or _RELATIVE.fullmatch(plain)
    if found is None:
        return False
    # Python refuses to read more than 4,300 digits as a number.
    port = (found["port"] or "").lstrip("0")
    return len(port) <= len(str(_HIGHEST_PORT)) and int(port or 0) <= _HIGHEST_PORT


def is_text(text: str) -> bool:
    """Accept any text."""
    return True

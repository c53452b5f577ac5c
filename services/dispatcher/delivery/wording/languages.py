"""Which language stands in for which (R15): a missing translation never suppresses an alert."""

from collections.abc import Iterable


def fallback(wanted: str, available: Iterable[str]) -> list[str]:
    """Return the available languages, best first: the same, the same base, English, the rest."""
    tag = wanted.lower()
    base = tag.partition("-")[0]

    def distance(one: str) -> int:
        other = one.lower()
        if other == tag:
            return 0
        if other == base:
            return 1
        if other.partition("-")[0] == base:
            return 2
        return 3 if other.partition("-")[0] == "en" else 4

    return sorted(available, key=distance)

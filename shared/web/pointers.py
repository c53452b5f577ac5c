"""Writes where in a body something is wrong."""

from collections.abc import Iterable


def to_pointer(steps: Iterable[object]) -> str:
    """Write the steps to a value as a JSON pointer (RFC 6901), long names cut."""
    return "".join("/" + str(step)[:60].replace("~", "~0").replace("/", "~1") for step in steps)

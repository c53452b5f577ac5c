"""What a person who called a command is told of an error that is theirs to mend."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError

from shared.bus.errors import BusError, BusUnavailable

_NO_DATABASE = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
)
_AWAY = (ConnectionError, TimeoutError, socket.gaierror)
_OUR_SCHEMES = ("postgresql+asyncpg",)
_SCHEMES = ("postgresql", "postgres", *_OUR_SCHEMES)


def explain(error: Exception, given: Mapping[str, str] = os.environ) -> str | None:
    """Return one sentence on wrong settings and servers that are away; None for anything else.

    Names settings, and never says their values.
    """
    if isinstance(error, ValidationError):
        return _settings(error) if error.title.endswith("Settings") else None
    if isinstance(error, KeyError):
        name = str(error.args[0]) if error.args else ""
        return f"{name} is not set" if name.startswith("CTALERT_") else None
    if isinstance(error, (OSError, ValueError, ArgumentError)):
        malformed = "; ".join(_malformed(given))
        if malformed:
            return malformed
    if isinstance(error, BusError):
        verb = "does not answer" if isinstance(error, BusUnavailable) else "refuses"
        return f"the broker that KAFKA_BOOTSTRAP names {verb} ({error})"
    if isinstance(error, _NO_DATABASE):
        return f"the database server refuses ({error})"
    if _is_away(error):
        said = str(error) or type(error).__name__
        return f"a server that the settings name does not answer ({said})"
    return None


def _is_away(error: Exception) -> bool:
    """A host of several addresses that all refuse is a bare OSError without a number."""
    if isinstance(error, BrokenPipeError):
        return False
    return isinstance(error, _AWAY) or (type(error) is OSError and error.errno is None)


def _settings(error: ValidationError) -> str:
    missing: list[str] = []
    unusable: list[str] = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(map(str, one["loc"])) or error.title
        (missing if one["type"] == "missing" else unusable).append(name)
    said = [
        f"{' and '.join(names)} {verb[len(names) > 1]} {what}"
        for names, verb, what in (
            (missing, ("is", "are"), "not set"),
            (unusable, ("has", "have"), "a value that cannot be used"),
        )
        if names
    ]
    return "; ".join(said)


def _malformed(given: Mapping[str, str]) -> Iterator[str]:
    """Yield for each database URL that is none how it must be written."""
    for name, value in sorted(given.items()):
        ours = name.startswith("CTALERT_") and name.endswith("DATABASE_URL")
        if ours or name == "DATABASE_URL":
            schemes = _OUR_SCHEMES if ours else _SCHEMES
            if value and not _is_url(value, schemes):
                yield f"{name} must be written {schemes[0]}://USER:PASSWORD@HOST:PORT/DATABASE"


def _is_url(value: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  raises where it is no number
    except ValueError:
        return False
    return parts.scheme in schemes

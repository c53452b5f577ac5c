"""Reads JSON strictly: what two readers could understand differently is refused (RFC 8259)."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from shared.web.errors import Fault, Problem, bad_request, unsupported_media
from shared.web.pointers import to_pointer

DEEPEST = 64
_INT64 = 2**63
_MOST_FAULTS = 10
_LINE_MARKS = {"\t", "\n", "\r"}


@dataclass(frozen=True, slots=True)
class _Refused:
    code: str


class _DuplicateKey(ValueError):
    pass


async def json_body(request: Request) -> Any:
    """Read the body of a request as strict JSON.

    Raises:
        Problem: 415 for another media type, 400 for what cannot be read, 422 for what may not be.
    """
    if not _is_json(request.headers.get("content-type", "")):
        raise unsupported_media("application/json")
    return read_json(await request.body())


def read_json(raw: bytes) -> Any:
    """Read strict JSON: one meaning, finite numbers, 64-bit integers, plain text.

    Raises:
        Problem: 400 empty-body, bad-encoding, malformed-json, duplicate-key or too-deep; 422 with
            the places of numbers and texts that are not allowed.
    """
    if not raw.strip():
        raise bad_request("empty-body", "The body is empty.")
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=lambda _: _Refused("not-finite"),
        )
    except UnicodeDecodeError:
        raise bad_request("bad-encoding", "The body is not UTF-8.") from None
    except _DuplicateKey:
        raise bad_request("duplicate-key", "An object names the same member twice.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise bad_request("malformed-json", "The body is not JSON.") from None
    faults = [fault for fault, _ in zip(_faults(value), range(_MOST_FAULTS), strict=False)]
    if faults:
        detail = "The body holds numbers or text that are not allowed."
        raise Problem(422, faults[0].code, detail, errors=faults)
    return value


def _faults(value: Any) -> Iterator[Fault]:
    """Walk the whole value, with a stack of our own: the input decides how deep it is."""
    stack: list[tuple[Any, tuple[object, ...]]] = [(value, ())]
    while stack:
        one, path = stack.pop()
        if len(path) > DEEPEST:
            raise _too_deep()
        if isinstance(one, _Refused):
            yield Fault(to_pointer(path), one.code)
        elif isinstance(one, str):
            if code := _text_fault(one):
                yield Fault(to_pointer(path), code)
        elif isinstance(one, dict):
            for name, member in one.items():
                if code := _text_fault(name):
                    yield Fault(to_pointer(path), code)
                else:
                    stack.append((member, (*path, name)))
        elif isinstance(one, list):
            stack.extend((item, (*path, n)) for n, item in enumerate(one))


def _text_fault(text: str) -> str | None:
    if text.isprintable():
        return None
    for character in text:
        if (character < " " and character not in _LINE_MARKS) or character == "\x7f":
            return "control-char"
        if "\ud800" <= character <= "\udfff":
            return "lone-surrogate"
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DuplicateKey
    return made


def _integer(digits: str) -> int | _Refused:
    # 20 characters hold every 64-bit integer; Python refuses 4,300 digits with an error of its own.
    if len(digits) > 20 or not -_INT64 <= (number := int(digits)) < _INT64:
        return _Refused("integer-too-large")
    return number


def _float(digits: str) -> float | _Refused:
    number = float(digits)
    return number if math.isfinite(number) else _Refused("not-finite")


def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    if any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise bad_request("bad-encoding", "Send the body as UTF-8.")
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _too_deep() -> Problem:
    return bad_request("too-deep", "The body is nested too deeply.")

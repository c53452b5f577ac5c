"""Reads JSON strictly: what two readers could understand differently is refused (RFC 8259)."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import orjson

from shared.web.errors import Fault, to_pointer

DEEPEST = 64
_INT64 = 2**63
_MOST_FAULTS = 10
# A file of tens of megabytes is not read a second time only to tell more of what is wrong.
_READ_AGAIN = 4_000_000
_INTEGER = re.compile(r"-?\d+(?![\d.eE])")
_NOT_FINITE = ("NaN", "Infinity")
_LINE_MARKS = {"\t", "\n", "\r"}
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
# The least integer beyond 64 bits has so many digits.
_LONG = b"0" * 19
_NESTS = {list, dict}
_DOUBTFUL = object()
_NO_MARKS = bytes(set(range(256)) - set(b'":[{'))


class NotStrict(Exception):
    """JSON that is not read: as a whole by its code, or with the places of what is not allowed."""

    def __init__(self, code: str, detail: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__(code)
        self.code, self.detail, self.faults = code, detail, tuple(faults)


@dataclass(frozen=True, slots=True)
class _Refused:
    code: str


class _DuplicateKey(ValueError):
    pass


def read_strict(raw: bytes, what: str = "body") -> Any:
    """Read strict JSON: one meaning, finite numbers, 64-bit integers, plain text.

    Raises:
        NotStrict: empty-body, bad-encoding, malformed-json, duplicate-key or too-deep; or with
            the places of numbers and texts that are not allowed.
    """
    if not raw.strip():
        raise NotStrict("empty-body", f"The {what} is empty.")
    try:
        value = _read_quickly(raw)
        return _read_closely(raw, what) if value is _DOUBTFUL else value
    except UnicodeDecodeError:
        raise NotStrict("bad-encoding", f"The {what} is not UTF-8.") from None
    except _DuplicateKey:
        raise NotStrict("duplicate-key", "An object names the same member twice.") from None
    except RecursionError:
        raise NotStrict("too-deep", f"The {what} is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise _not_read(error, what) from None


def _read_quickly(raw: bytes) -> Any:
    """Return the value where it is surely strict; refuse lost members and deep nesting."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if len(raw) <= _READ_AGAIN:
            return _DOUBTFUL
        raw.decode("utf-8")
        if "depth" in error.msg:
            raise RecursionError from None
        raise
    # Only an escape can put an odd character into a text that the parser lets pass.
    odd = b"\\" in raw or b"\x7f" in raw
    doubtful = _LONG in raw.translate(_ZEROS)
    marks = _marks_outside_texts(raw)
    members, unseen = 0, marks.count(b"[") + marks.count(b"{")
    for lists, dicts in _levels(value):
        members += sum(map(len, dicts))
        if odd and not doubtful:
            names = set(chain.from_iterable(dicts))
            texts = (one for one in _inside(lists, dicts) if type(one) is str)
            doubtful = any(_text_fault(text) for text in chain(names, texts))
        unseen -= len(lists) + len(dicts)
        # What is left are numbers and texts: millions of them need not be looked at one by one.
        if not unseen and not odd:
            break
    if members != marks.count(b":"):
        raise _DuplicateKey
    # A text alone is on no level.
    return _DOUBTFUL if doubtful or type(value) is str else value


def _not_read(error: json.JSONDecodeError, what: str) -> NotStrict:
    place = f"line {error.lineno}, column {error.colno}"
    if "infinity" in error.msg and _INTEGER.match(error.doc, error.pos):
        return NotStrict("integer-too-large", f"The {what} holds too large an integer: {place}.")
    if "infinity" in error.msg or error.doc.startswith(_NOT_FINITE, error.pos):
        return NotStrict("not-finite", f"The {what} holds a number that is not finite: {place}.")
    if "surrogate" in error.msg:
        return NotStrict("lone-surrogate", f"The {what} holds half a character: {place}.")
    return NotStrict("malformed-json", f"The {what} is not JSON: {place}.")


def _read_closely(raw: bytes, what: str) -> Any:
    """Read as exactly as can be, many times as slowly, to name what is wrong and where."""
    value = json.loads(
        raw.decode("utf-8"),
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_constant=lambda _: _Refused("not-finite"),
    )
    faults = list(islice(_faults(value), _MOST_FAULTS))
    if faults:
        detail = f"The {what} holds numbers or text that are not allowed."
        raise NotStrict(faults[0].code, detail, faults)
    return value


def _levels(value: Any) -> Iterator[tuple[list[list[Any]], list[dict[str, Any]]]]:
    """Yield the lists and the objects of each level: no Python runs for a single number."""
    lists = [value] if type(value) is list else []
    dicts = [value] if type(value) is dict else []
    depth = 0
    while lists or dicts:
        if depth == DEEPEST and (any(lists) or any(dicts)):
            raise RecursionError
        yield lists, dicts
        kinds = set(map(type, _inside(lists, dicts)))
        if kinds == {list}:
            lists, dicts = list(_inside(lists, dicts)), []
        else:
            within = _inside(lists, dicts) if kinds & _NESTS else ()
            nests = [one for one in within if type(one) in _NESTS]
            lists = [one for one in nests if type(one) is list]
            dicts = [one for one in nests if type(one) is dict]
        depth += 1


def _inside(lists: list[list[Any]], dicts: list[dict[str, Any]]) -> Iterator[Any]:
    return chain(chain.from_iterable(lists), chain.from_iterable(map(dict.values, dicts)))


def _marks_outside_texts(raw: bytes) -> bytes:
    """Return what opens a list or an object or follows a name."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.translate(None, _NO_MARKS).split(b'"')[::2])


def _faults(value: Any) -> Iterator[Fault]:
    """Walk the whole value in its order, with a stack of our own: the input says how deep."""
    path: list[object] = [None]
    stack: list[Iterator[tuple[object, Any]]] = [iter([(None, value)])]
    while stack:
        for step, one in stack[-1]:
            if type(step) is str and (code := _text_fault(step)):
                yield Fault(to_pointer(path[1:-1]), code)
                continue
            path[-1] = step
            if code := _fault(one):
                yield Fault(to_pointer(path[1:]), code)
            elif one and (type(one) is dict or type(one) is list):
                if len(stack) > DEEPEST:
                    raise RecursionError
                stack.append(iter(one.items() if type(one) is dict else enumerate(one)))
                path.append(None)
                break
        else:
            stack.pop()
            path.pop()


def _fault(one: Any) -> str | None:
    if type(one) is float:
        return None if math.isfinite(one) else "not-finite"
    if type(one) is str:
        return _text_fault(one)
    return one.code if type(one) is _Refused else None


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

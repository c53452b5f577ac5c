"""Bombs of text: depth, length, repetition, what is no JSON, and what is packed."""

import gzip
from collections.abc import Iterator

from benchmarks.hostile.bomb import Bomb, area

MALFORMED, REFUSED = frozenset({400}), frozenset({422})
EITHER = MALFORMED | REFUSED


def word_bombs() -> Iterator[Bomb]:
    """Yield bodies that are hostile before anybody asks for geometry."""
    deep = 100_000
    for name, statuses, body in (
        ("nothing", MALFORMED, b""),
        ("blanks, 500 kB of them", MALFORMED, b" " * 500_000),
        ("half a body", MALFORMED, b'{"area":{"include":['),
        ("arrays 100,000 deep", MALFORMED, b"[" * deep + b"]" * deep),
        ("arrays 100,000 deep, never closed", MALFORMED, b"[" * deep),
        ("objects 80,000 deep", MALFORMED, b'{"a":' * 80_000 + b"1" + b"}" * 80_000),
        ("an area 100,000 deep", EITHER, b'{"area":' + b"[" * deep + b"]" * deep + b"}"),
        ("coordinates 100,000 deep", EITHER, _deep_coordinates(deep)),
        ("a key twice", MALFORMED, b'{"area":{},"area":{}}'),
        ("a key 50,000 times", MALFORMED, b"{" + b'"area":1,' * 50_000 + b'"area":1}'),
        ("45,000 unknown keys", REFUSED, _keys(45_000)),
        ("45,000 unknown keys of an area", REFUSED, b'{"area":' + _keys(44_000) + b"}"),
        ("a text of 500 kB as a name", EITHER, _named("x" * 500_000)),
        ("a text of 80,000 escapes as a name", EITHER, _named("\\u00e9" * 80_000)),
        ("2,000 names of 200 characters", EITHER | {413}, _names(2_000)),
        ("UTF-16", MALFORMED, '{"area":1}'.encode("utf-16")),
        ("bytes that are no UTF-8", MALFORMED, b'{"area":"' + b"\xff" * 1_000 + b'"}'),
        ("a lone surrogate", EITHER, b'{"area":"\\ud800"}'),
        ("a zero character", EITHER, b'{"area":"\\u0000"}'),
        ("a body of 2 MB", frozenset({413}), b"[" + b"1," * 1_000_000 + b"1]"),
    ):
        yield Bomb(name, statuses, lambda body=body: body)  # type: ignore[misc]
    yield Bomb(
        "a gigabyte packed into a megabyte",
        frozenset({413, 415}),
        lambda: gzip.compress(bytes(1_000_000_000), 1)[:480_000],
        headers=(("Content-Encoding", "gzip"),),
    )


def _deep_coordinates(depth: int) -> bytes:
    empty = area([{"type": "geojson", "geometry": {"type": "Polygon", "coordinates": "?"}}])
    return empty.replace(b'"?"', b"[" * depth + b"]" * depth)


def _keys(many: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % n for n in range(many)) + b"}"


def _named(text: str) -> bytes:
    shape = f'{{"type":"feature","kind":"town","name":"{text}"}}'
    return f'{{"area":{{"include":[{shape}]}}}}'.encode()


def _names(many: int) -> bytes:
    return area([{"type": "feature", "kind": "town", "name": f"{n:0200}"} for n in range(many)])

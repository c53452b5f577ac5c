"""GeoJSON that two readers could understand differently, by the rows of the catalogue."""

from tests.unit.geofence.layers.files import SQUARE, geojson

_GOOD = geojson(SQUARE)
_FEET = b'"crs": {"type": "name", "properties": {"name": "EPSG:2234"}}'


def _instead(old: bytes, new: bytes) -> bytes:
    assert old in _GOOD
    return _GOOD.replace(old, new, 1)


def _with(member: bytes) -> bytes:
    return _GOOD[:-1] + b", " + member + b"}"


# The row, the file, the status and the code; where it has one, the place of the fault.
NOT_STRICT: dict[str, tuple[str, bytes, int, str, str]] = {
    "empty": ("J01", b" \n", 400, "empty-body", ""),
    "cut off": ("J02", _GOOD[:-1], 400, "malformed-json", ""),
    "far too deep": ("J03", _with(b'"a": ' + b"[" * 100_000), 400, "too-deep", ""),
    "too deep": ("J03", _with(b'"a": ' + b"[" * 65 + b"]" * 65), 400, "too-deep", ""),
    "wide": ("J05", _GOOD.decode().encode("utf-16"), 400, "bad-encoding", ""),
    "broken text": ("J05", _instead(b"Town", b"\xff"), 400, "bad-encoding", ""),
    "two areas": (
        "J06", _instead(b'"coordinates"', b'"coordinates": [], "coordinates"'), 400,
        "duplicate-key", "",
    ),
    "two systems": ("J06", _with(_FEET + b', "crs": null'), 400, "duplicate-key", ""),
    "two spellings": ("J06", _with(b'"\\u0074ype": "x"'), 400, "duplicate-key", ""),
    "two codes": ("J06", _instead(b'"geoid"', b'"geoid": "a:\\"\\\\", "geoid"'), 400,
                  "duplicate-key", ""),
    "no number": ("J07", _with(b'"a": [1, NaN]'), 422, "not-finite", "/a/1"),
    "endless": ("J07", _with(b'"a": -Infinity'), 422, "not-finite", "/a"),
    "too great": ("J07", _with(b'"a": 1e400'), 422, "not-finite", "/a"),
    "19 digits": ("J08", _with(b'"a": 9223372036854775808'), 422, "integer-too-large", "/a"),
    "5,000 digits": ("J08", _with(b'"a": ' + b"9" * 5_000), 422, "integer-too-large", "/a"),
    "control": (
        "J09", _instead(b"Town", b"To\\u0000wn"), 422, "control-char",
        "/features/0/properties/name",
    ),
    "control in a name": ("J09", _with(b'"a\x7f": 1'), 422, "control-char", ""),
    "half a pair": ("J10", _with(b'"a": "\\ud800"'), 422, "lone-surrogate", "/a"),
}  # fmt: skip
# What looks like a fault and is none.
STRICT: dict[str, bytes] = {
    "64 deep": _with(b'"a": ' + b"[" * 64 + b"]" * 64),
    "colons": _with(b'"a:\\"": "b\\\\", "c\\\\\\":": "{\\"d\\": 1, \\"d\\": 2}", "e": "\\u003a"'),
    "many digits": _with(b'"a": [0.1000000000000000055, 9223372036854775807]'),
    "digits in a text": _with(b'"a": "9223372036854775808"'),
    "lines": _with(b'"a": "one\\r\\n\\ttwo \\ud83d\\ude00"'),
}  # fmt: skip

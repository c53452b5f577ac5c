"""Telephone numbers and texts of the directory: what is kept, and what is refused as what."""

import pytest

from services.geofence.psaps.entries import EntryRefused, read_number, read_text


@pytest.mark.parametrize(
    "raw",
    ["+18605550123", "8605550123", "(860) 555-0123", "860.555.0123", "1 860 555 0123",
     "+1 (860) 555-0123"],
)  # fmt: skip
def test_one_number_in_any_writing_is_one_number(raw: str) -> None:
    assert read_number(raw) == "+18605550123"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "not-a-number"),
        ("   ", "not-a-number"),
        ("911", "short-code"),
        ("211", "short-code"),
        ("5550123", "short-code"),
        ("+1860555012", "invalid-number"),
        ("+1 060 555 0123", "invalid-number"),
        ("+18601550123", "invalid-number"),
        ("1-800-FLOWERS", "not-a-number"),
        ("+18005550123", "toll-free"),
        ("+18885550123", "toll-free"),
        ("+19005550123", "premium"),
        ("+15005550123", "kind-not-allowed"),
        ("+14165550123", "region-not-allowed"),
        ("+17875550123", "region-not-allowed"),
        ("+442079460123", "invalid-number"),
        ("+18605550123x5", "not-a-number"),
        ("+18605550123 ext. 5", "not-a-number"),
        ("+18605550123;ext=5", "not-a-number"),
        ("+18605550123,,5", "not-a-number"),
        ("+18605550123#", "not-a-number"),
        ("tel:+18605550123", "not-a-number"),
        ("+18605550123/+18605550124", "not-a-number"),
        ("+18605550123\n", "not-a-number"),
        ("+1 860 555 0123 +1 860 555 0124", "not-a-number"),
        ("\uff0b1\uff18\uff16\uff105550123", "not-a-number"),
        ("\u0661\u06608605550123", "not-a-number"),
        ("8" * 41, "not-a-number"),
    ],
)
def test_what_does_not_ring_straight_through_is_refused(raw: str, code: str) -> None:
    with pytest.raises(EntryRefused) as refused:
        read_number(raw)
    assert refused.value.code == code
    assert raw.strip() == "" or raw not in refused.value.detail


def test_lines_for_other_than_emergency_calls_may_be_toll_free() -> None:
    assert read_number("1-800-555-0123", toll_free=True) == "+18005550123"
    with pytest.raises(EntryRefused, match="premium"):
        read_number("+19005550123", toll_free=True)


def test_a_text_is_kept_in_one_form() -> None:
    assert read_text("  Cafe\u0301 ", most=10) == "Caf\u00e9"
    assert read_text("one\r\ntwo", most=10, lines=True) == "one\ntwo"
    assert read_text('=HYPERLINK("x")', most=20) == '=HYPERLINK("x")'


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("x" * 11, "too-long"),
        ("a\nb", "control-char"),
        ("a\tb", "control-char"),
        ("a\u202eb", "control-char"),
        ("a\u200bb", "control-char"),
        ("a\u2028b", "control-char"),
        ("a\x00b", "control-char"),
        ("z" + "\u0337" * 4, "control-char"),
    ],
    ids=lambda value: ascii(value),
)
def test_a_text_that_hides_something_is_refused(raw: str, code: str) -> None:
    with pytest.raises(EntryRefused) as refused:
        read_text(raw, most=10)
    assert refused.value.code == code

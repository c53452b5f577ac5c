"""What people enter: numbers, addresses, languages, labels and points, read or refused."""

import pytest

from services.subscriber.entries.email import read_email
from services.subscriber.entries.phone import read_phone
from services.subscriber.entries.refusal import Refusal
from services.subscriber.entries.wishes import check_point, read_label, read_language


@pytest.mark.parametrize(
    "raw",
    [
        "+18605550123",
        "860 555 0123",
        "(860) 555-0123",
        "1-860-555-0123",
        " 860.555.0123 ",
        "8605550123",
        "\uff0b\uff11\uff18\uff16\uff10\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
        "٨٦٠٥٥٥٠١٢٣",
        "+1 860\u2011555\u20110123",
    ],
)
@pytest.mark.shows("bad:U07")
def test_every_way_to_write_a_number_is_the_same_number(raw: str) -> None:
    """Digits of any script and any punctuation give one E.164 number."""
    assert read_phone(raw) == "+18605550123"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param("", "required", marks=pytest.mark.shows("bad:U01")),
        pytest.param("+1860555012", "invalid-number", marks=pytest.mark.shows("bad:U02")),
        pytest.param("1-800-FLOWERS", "toll-free", marks=pytest.mark.shows("bad:U03")),
        pytest.param("+18005550123", "toll-free", marks=pytest.mark.shows("bad:U03")),
        pytest.param("860-FLOWERS", "letters", marks=pytest.mark.shows("bad:U03")),
        pytest.param("911", "short-code", marks=pytest.mark.shows("bad:U04")),
        pytest.param("211", "short-code", marks=pytest.mark.shows("bad:U04")),
        pytest.param("77295", "short-code", marks=pytest.mark.shows("bad:U04")),
        pytest.param("+19005550123", "premium", marks=pytest.mark.shows("bad:U05", "S21")),
        pytest.param("+18765550123", "region-not-allowed", marks=pytest.mark.shows("bad:U06")),
        pytest.param("+18095550123", "region-not-allowed", marks=pytest.mark.shows("bad:U06")),
        pytest.param("+442071234567", "region-not-allowed", marks=pytest.mark.shows("bad:U06")),
        pytest.param("+14165550123", "region-not-allowed", marks=pytest.mark.shows("bad:U06")),
        pytest.param("+15005550006", "kind-not-allowed", marks=pytest.mark.shows("S21")),
        pytest.param("860 555 0123 ext 9", "extension", marks=pytest.mark.shows("bad:U08")),
        pytest.param("8605550123x9", "extension", marks=pytest.mark.shows("bad:U08")),
        pytest.param("8605550123#9", "extension", marks=pytest.mark.shows("bad:U08")),
        pytest.param("8605550123\r\nBcc: x", "control-char", marks=pytest.mark.shows("bad:U09")),
        pytest.param("8605550123\n", "control-char", marks=pytest.mark.shows("bad:U09")),
        pytest.param("860\u200b5550123", "control-char", marks=pytest.mark.shows("bad:U09")),
        pytest.param(
            "tel:8605550123;phone-context=evil",
            "not-a-number",
            marks=pytest.mark.shows("bad:U10"),
        ),
        pytest.param("8605550123, 8605550124", "one-number", marks=pytest.mark.shows("bad:U11")),
        pytest.param("8605550123/8605550124", "one-number", marks=pytest.mark.shows("bad:U11")),
        pytest.param("8605550123 8605550124", "not-a-number", marks=pytest.mark.shows("bad:U11")),
        pytest.param("8" * 60, "too-long"),
        pytest.param("hello", "not-a-number"),
        pytest.param("*67 8605550123", "not-a-number"),
    ],
)
def test_what_is_no_number_of_ours_is_refused(raw: str, code: str) -> None:
    """Each kind of bad number has its own code, and the refusal never repeats it."""
    with pytest.raises(Refusal) as refused:
        read_phone(raw)
    assert refused.value.code == code
    assert not raw or raw not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("a@example.com", "a@example.com"),
        (" Ann.O'Neil+ct@Example.COM ", "ann.o'neil+ct@example.com"),
        pytest.param("a@münchen.de", "a@xn--mnchen-3ya.de", marks=pytest.mark.shows("bad:U13")),
        pytest.param("a@аpple.com", "a@xn--pple-43d.com", marks=pytest.mark.shows("bad:U13")),  # noqa: RUF001
    ],
)
def test_addresses_are_kept_in_one_form(raw: str, kept: str) -> None:
    """Case does not part addresses, and a look-alike domain shows as punycode."""
    assert read_email(raw) == kept


@pytest.mark.shows("bad:U12", "S34")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "required"),
        ("a@b", "not-an-address"),
        ("<a@x.com>", "not-an-address"),
        ("a@x.com,b@x.com", "one-address"),
        ("a@x.com b@x.com", "one-address"),
        ('"a b"@x.com', "not-an-address"),
        ("a@[192.0.2.1]", "not-an-address"),
        ("a" * 65 + "@x.com", "too-long"),
        ("a@" + "x" * 260 + ".com", "too-long"),
        ("a@x.com\r\nBcc: b@x.com", "control-char"),
        ("a@x.com\n", "control-char"),
        ("ü@x.com", "not-an-address"),
        ("a@localhost", "not-an-address"),
        ("a", "not-an-address"),
    ],
)
def test_what_is_no_plain_address_is_refused(raw: str, code: str) -> None:
    """Nothing reaches a mail header that is not one plain address."""
    with pytest.raises(Refusal) as refused:
        read_email(raw)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("raw", "kept"),
    [("en", "en"), ("EN-us", "en-US"), ("pt-br", "pt-BR"), ("zh-hans", "zh-Hans"), ("ht", "ht")],
)
def test_languages_are_written_one_way(raw: str, kept: str) -> None:
    """Case follows RFC 5646."""
    assert read_language(raw) == kept


@pytest.mark.shows("bad:U18")
@pytest.mark.parametrize("raw", ["xx", "", "e", "english", "en_US", "en-", "tlh", "en-USA"])
def test_other_languages_are_refused(raw: str) -> None:
    """Nobody can be warned in a language that no text will ever be in."""
    with pytest.raises(Refusal):
        read_language(raw)


@pytest.mark.shows("bad:U17")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("x" * 10_000, "too-long"),
        ("Z" + "\u0351" * 30, "stacked-marks"),
        ("home\u202egnp", "control-char"),
        ("home\u2066", "control-char"),
        ("a\nb", "control-char"),
    ],
)
def test_labels_that_hide_or_overwrite_are_refused(raw: str, code: str) -> None:
    """Bidi overrides, stacked marks and control characters are no names of places."""
    with pytest.raises(Refusal) as refused:
        read_label(raw)
    assert refused.value.code == code


@pytest.mark.shows("bad:U17")
@pytest.mark.parametrize("raw", ["=HYPERLINK(1)", "Grandma's", "Nhà của Mẹ", "家", ""])
def test_other_labels_are_kept_as_they_are(raw: str) -> None:
    """Accents and formulas are only text."""
    assert read_label(raw) == raw


@pytest.mark.shows("R19", "bad:U14", "bad:U15")
@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (-72.67, 91.0, "out-of-range"),
        (-181.0, 41.76, "out-of-range"),
        (0.0, 0.0, "outside-service-area"),
        (41.76, -72.67, "swapped-lon-lat"),
        (-71.06, 42.36, "outside-service-area"),
        (-75.17, 39.95, "outside-service-area"),
    ],
)
def test_points_elsewhere_are_refused(lon: float, lat: float, code: str) -> None:
    """Only Connecticut and 50 km around it; swapped numbers are named as such."""
    with pytest.raises(Refusal) as refused:
        check_point(lon, lat)
    assert refused.value.code == code


@pytest.mark.parametrize(("lon", "lat"), [(-72.6734, 41.7658), (-74.0, 40.75), (-71.41, 41.82)])
def test_points_in_and_near_connecticut_are_taken(lon: float, lat: float) -> None:
    """Hartford, and the neighbours people work in: New York and Providence."""
    check_point(lon, lat)

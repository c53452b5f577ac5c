"""Reading hostile bytes: bounded, quick, without a look outside."""

import time

import pytest

from services.dispatcher.cap.lexical import is_time, is_uri
from services.dispatcher.cap.message import MOST_FAULTS
from services.dispatcher.cap.read_message import Unreadable, read_message

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
HEAD = ("<identifier>a</identifier><sender>b</sender><sent>2026-01-31T16:05:00-05:00</sent>"
        "<status>Actual</status><msgType>Alert</msgType><scope>Public</scope>")  # fmt: skip


def alert(inside: str = HEAD) -> bytes:
    """Return a message with these elements."""
    return f'<alert xmlns="{CAP}">{inside}</alert>'.encode()


LAUGHS = b'<!DOCTYPE a [<!ENTITY l "ha">' + b"".join(
    b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"&l;" * 10) for n in range(10)
) + b"]><a>&l9;</a>"  # fmt: skip
HOSTILE = [
    ("C02", b"", 400, "empty-body"),
    ("C02", b"   ", 400, "empty-body"),
    ("C02", b"<a", 400, "not-well-formed"),
    ("C02", alert() + b"<b/>", 400, "not-well-formed"),
    ("C02", b"<a>&unknown;</a>", 400, "not-well-formed"),
    ("C03", LAUGHS, 400, "dtd-forbidden"),
    ("C03", b'<!DOCTYPE a SYSTEM "http://169.254.169.254/x.dtd"><a/>', 400, "dtd-forbidden"),
    ("C03", b'<!-- x --> <!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', 400,
     "dtd-forbidden"),
    ("C03", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % p SYSTEM "x"> %p;]><a/>', 400,
     "dtd-forbidden"),
    ("C04", "<a/>".encode("utf-16"), 400, "bad-encoding"),
    ("C04", b'<?xml version="1.0" encoding="UTF-7"?><a/>', 400, "bad-encoding"),
    ("C04", b'<?xml version="1.0" encoding="IBM037"?><a/>', 400, "bad-encoding"),
    ("C04", b"<a>\xff</a>", 400, "bad-encoding"),
    ("C04", b"<a>\x00</a>", 400, "bad-encoding"),
    ("C05", alert(" " * 262_144), 413, "too-large"),
    ("C06", b"<a>" * 300 + b"</a>" * 300, 413, "too-complex"),
    ("C06", b"<a>" * 33 + b"</a>" * 33, 413, "too-complex"),
    ("C06", b"<a " + b" ".join(b'a%d=""' % n for n in range(20_000)) + b"/>", 413, "too-complex"),
    ("C06", b"<a>" + b"<b/>" * 5_000 + b"</a>", 413, "too-complex"),
    ("C06", b"<a>" + b"<!---->" * 5_001 + b"</a>", 413, "too-complex"),
    ("C03", b"<?xml-stylesheet href='x'?><a/>", 400, "instruction-forbidden"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "data", "status", "code"), [
    pytest.param(*one, id=f"{one[0]}-{one[3]}-{number}",
                 marks=pytest.mark.shows("S26", "C2", f"bad:{one[0]}"))
    for number, one in enumerate(HOSTILE)
])  # fmt: skip
def test_hostile_bytes_are_refused_at_once(row: str, data: bytes, status: int, code: str) -> None:
    began = time.perf_counter()
    with pytest.raises(Unreadable) as refused:
        read_message(data)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert time.perf_counter() - began < 1


def test_a_plain_message_is_read() -> None:
    message = read_message(alert()).message
    assert message is not None
    assert (message.identifier, message.sent.isoformat()) == ("a", "2026-01-31T16:05:00-05:00")


def test_a_doctype_inside_a_text_is_only_text() -> None:
    body = alert(HEAD + "<note>&lt;!DOCTYPE a></note>")
    assert read_message(body).message is not None


@pytest.mark.shows("C1", "bad:C08", "bad:C09")
@pytest.mark.parametrize(("inside", "codes"), [
    ("", ["missing-element"] * 6),
    (HEAD.replace("<sender>b</sender>", ""), ["missing-element"]),
    (HEAD + "<code>x</code><references>a,b,2026-01-31T16:05:00-05:00</references><note/>",
     ["order"]),
    (HEAD + "<nonsense/>", ["unknown-element"]),
    (HEAD + "<note/><note/>", ["too-many"]),
    (HEAD + "words", ["text-between"]),
    (HEAD.replace("<status>", '<status kind="x">'), ["attribute"]),
    (HEAD.replace("Actual", "actual"), ["not-listed"]),
    (HEAD.replace("16:05:00-05:00", "16:05:00Z"), ["time"]),
    (HEAD.replace("<identifier>a", "<identifier>a<!-- hidden -->b"), ["comment-inside"]),
    (HEAD.replace("<sender>b", "<sender>b,c"), ["name"]),
    (HEAD + "<info/>" * 20, ["missing-element"] * MOST_FAULTS),
])  # fmt: skip
def test_faults_have_code_path_line_and_sentence(inside: str, codes: list[str]) -> None:
    reading = read_message(alert(inside))
    assert reading.message is None
    assert [fault.code for fault in reading.faults] == codes
    for fault in reading.faults:
        assert fault.path.startswith("/alert")
        assert fault.line == 1
        assert fault.sentence.endswith(".")


@pytest.mark.shows("C6")
def test_the_same_content_has_one_canonical_form() -> None:
    one, two = alert(), alert().replace(b'xmlns="', b'  xmlns = "')
    assert read_message(one).canonical == read_message(two).canonical
    other = alert(HEAD.replace("<sender>b", "<sender>c"))
    assert read_message(other).canonical != read_message(one).canonical


@pytest.mark.shows("C7")
@pytest.mark.parametrize(("references", "good"), [
    ("a,b,2026-01-31T16:05:00-05:00", True),
    ("\n a,b,2026-01-31T16:05:00-05:00\t\n  c,d,2026-01-31T16:05:00-00:00 ", True),
    ("a,b", False), ("a,b,yesterday", False), ("a, b,2026-01-31T16:05:00-05:00", False),
])  # fmt: skip
def test_references_are_triples(references: str, good: bool) -> None:
    body = alert(HEAD + f"<references>{references}</references>")
    assert (read_message(body).message is not None) is good


@pytest.mark.parametrize(("text", "good"), [
    ("2026-01-31T16:05:00-05:00", True), ("2026-01-31T16:05:00+00:00", True),
    ("2026-01-31T16:05:00-00:00", True), ("2026-01-31T16:05:00Z", False),
    ("2026-01-31T16:05:00", False), ("2026-01-31T16:05:00.5-05:00", False),
    ("2026-02-29T16:05:00-05:00", False), ("2028-02-29T16:05:00-05:00", True),
    ("2026-01-31 16:05:00-05:00", False), ("2026-01-31T16:05:00-15:00", False),
])  # fmt: skip
def test_times_are_caps(text: str, good: bool) -> None:
    assert is_time(text) is good


def test_addresses_are_checked_without_delay() -> None:
    began = time.perf_counter()
    for hostile in ("a" * 100_000 + "%", "http://" + "a:" * 50_000 + "[", "/" * 100_000 + "%"):
        assert not is_uri(hostile)
    assert time.perf_counter() - began < 1

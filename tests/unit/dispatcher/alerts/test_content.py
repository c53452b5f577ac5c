"""What is said: texts of every channel, their length, and what may not be in them."""

import contextlib
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.alerts.content import (
    ContentRefused,
    Words,
    build_correction,
    build_texts,
    clean,
    reference_of,
)
from services.dispatcher.alerts.texts.segments import measure, plainer
from services.dispatcher.alerts.texts.wording import WORDINGS, fall_back

REFERENCE = "7F3K9Q"


def texts(words: Words, language: str = "en-US", **options: bool):  # type: ignore[no-untyped-def]
    """Return one language's texts."""
    made = build_texts({language: words}, authority="CT Alert", reference=REFERENCE, **options)
    return made[language]


@pytest.mark.shows("M18")
def test_every_channel_begins_with_the_authority_and_says_what_to_do_first() -> None:
    made = texts(Words("Tornado near Meriden", "It moves north.", "Take cover now"))
    assert made.sms == (
        "CT Alert: Tornado near Meriden. Take cover now. It moves north. Ref 7F3K9Q"
    )
    assert made.voice == "CT Alert. Tornado near Meriden. Take cover now. It moves north."
    assert made.email_subject == "CT Alert: Tornado near Meriden"
    assert made.email_body == (
        "CT Alert\n\nTornado near Meriden\n\nTake cover now\n\nIt moves north.\n\nRef 7F3K9Q\n"
    )


def test_a_written_text_wins_and_gets_name_and_reference() -> None:
    made = texts(Words("x", sms="Go \u2018now\u2019", email_subject="CT Alert: go"))
    assert made.sms == "CT Alert: Go 'now' Ref 7F3K9Q"
    assert made.email_subject == "CT Alert: go"


@pytest.mark.shows("M11")
@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")),
               max_size=4000), st.text(max_size=2000))  # fmt: skip
def test_derived_texts_always_fit(description: str, instruction: str) -> None:
    with contextlib.suppress(ContentRefused):
        made = texts(Words("Headline", description, instruction))
        assert len(made.sms) <= 1_600
        assert made.sms.endswith(f" Ref {REFERENCE}")
        assert len(made.voice) <= 1_600


def test_a_long_description_is_cut_at_a_word_and_the_instruction_is_whole() -> None:
    made = texts(Words("Storm", "word " * 900, "Stay inside. " * 10))
    assert "Stay inside. " * 9 in made.sms
    assert made.sms.endswith("word... Ref 7F3K9Q")
    assert measure(made.sms).segments == 3


@pytest.mark.shows("S33", "S34", "bad:A18")
@pytest.mark.parametrize(("words", "code"), [
    (Words("a\u202eb"), "bidi-char"), (Words("a\u2066b"), "bidi-char"),
    (Words("x", "a\x00b"), "control-char"), (Words("x", "a\x1bb"), "control-char"),
    (Words("x", email_subject="a\r\nBcc: b@example.org"), "control-char"),
    (Words("x", sms=" "), "blank"), (Words("  "), "blank"),
    (Words("\u200b"), "blank"), (Words("\u200b \u2060\ufeff\u00ad\n"), "blank"),
    (Words("\u3164"), "blank"), (Words("\u2800\ufe0f"), "blank"), (Words(""), "blank"),
    (Words("x", " "), "blank"), (Words("x", "y", "\u200d"), "blank"),
    (Words("x", voice="\u200b"), "blank"), (Words("x", email_subject="\u2060"), "blank"),
    (Words("x", email_body="\u00a0\u2003"), "blank"),
    (Words("x", sms="y" * 1_600), "too-long"), (Words("x", voice="y" * 1_600), "too-long"),
])  # fmt: skip
def test_what_may_not_be_said(words: Words, code: str) -> None:
    with pytest.raises(ContentRefused) as refused:
        texts(words)
    assert refused.value.code == code
    assert refused.value.pointer.startswith("/en-US/")


@pytest.mark.shows("S33")
@pytest.mark.parametrize("text", ["{{7*7}}", "%n%s", "<Dial>911</Dial>", "${jndi:ldap://x}"])
def test_what_looks_like_code_stays_text(text: str) -> None:
    assert text in texts(Words(text)).sms


@pytest.mark.parametrize(
    "text", ["\u0645\u06cc\u200c\u062e", "क्\u200dष", "👩\u200d🚒", "x\u200b", "\u0301a"]
)
def test_joiners_stay_where_there_is_something_to_see(text: str) -> None:
    assert text in texts(Words("x", email_body=text)).email_body


def test_letters_are_composed() -> None:
    assert clean("e\u0301", "") == "\u00e9"


@pytest.mark.shows("S03")
def test_an_exercise_says_so_in_its_language() -> None:
    for language, wording in WORDINGS.items():
        made = texts(Words("x"), language, exercise=True)
        for one in (made.sms, made.voice, made.email_subject, made.email_body):
            assert one.startswith(f"CT Alert [{wording.exercise}]")


@pytest.mark.shows("M8")
def test_a_correction_is_ready_in_every_language() -> None:
    made = build_correction(dict.fromkeys((*WORDINGS, "nl"), "Storm"),
                            authority="CT Alert", reference=REFERENCE)  # fmt: skip
    assert set(made) == {*WORDINGS, "nl"}
    assert made["es"].sms == (
        "CT Alert: CANCELADO. La alerta anterior ya no es válida: Storm. Ref 7F3K9Q"
    )
    assert made["nl"].voice.startswith("CT Alert. CANCELLED.")


def test_the_reference_is_the_alerts_own() -> None:
    one = UUID(int=7)
    assert reference_of(one) == reference_of(UUID(int=7))
    assert len({reference_of(uuid4()) for _ in range(2_000)}) == 2_000
    assert not set(reference_of(one)) & set("01ILOU")


@pytest.mark.shows("M11")
@pytest.mark.parametrize(("text", "encoding", "segments"), [
    ("a" * 160, "GSM-7", 1), ("a" * 161, "GSM-7", 2), ("a" * 306, "GSM-7", 2),
    ("a" * 307, "GSM-7", 3), ("€" * 80, "GSM-7", 1), ("€" * 81, "GSM-7", 2),
    ("é" * 160, "GSM-7", 1), ("á" * 70, "UCS-2", 1), ("á" * 71, "UCS-2", 2),
    ("😀" * 35, "UCS-2", 1), ("😀" * 36, "UCS-2", 2), ("a" * 152 + "€" + "a" * 153, "GSM-7", 3),
])  # fmt: skip
def test_segments_are_counted_exactly(text: str, encoding: str, segments: int) -> None:
    made = measure(text)
    assert (made.characters, made.encoding, made.segments) == (len(text), encoding, segments)


def test_plainer_punctuation_keeps_the_cheap_alphabet() -> None:
    assert plainer("\u201cgo\u201d \u2013 it\u2019s 5\u00a0pm\u2026") == '"go" - it\'s 5 pm...'
    assert plainer("Protéjase ahora, ñandú") == "Protéjase ahora, ñandú"


@pytest.mark.parametrize(("wanted", "written", "given"), [
    ("es-PR", ["en-US", "es-PR"], "es-PR"), ("es-PR", ["en", "es", "es-MX"], "es"),
    ("es-PR", ["en-US", "es-MX"], "es-MX"), ("pl", ["en-US", "es-US"], "en-US"),
    ("pl", ["fr", "es"], "es"), ("EN-us", ["en-US"], "en-US"),
])  # fmt: skip
def test_languages_fall_back(wanted: str, written: list[str], given: str) -> None:
    assert fall_back(wanted, written) == given

"""What the demo and the seed are asked for is checked before a server is started."""

from pathlib import Path

import pytest
from lxml import etree

from ctalert.cli import main
from ctalert.demo.arguments import Asked, read_arguments
from ctalert.demo.ask import Refused
from ctalert.demo.boundaries import TownMissing
from ctalert.demo.message import ANY_SENDER, CAP, SENDER, compose, read_words
from ctalert.supervise import NotReady
from shared.clock import SystemClock

ALERT = f'<alert xmlns="{CAP}">%s</alert>'
RESCUE = "<info><category>Rescue</category><event>Missing child</event></info>"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of these words may start anything."""

    def fail(**wanted: bool) -> None:
        raise AssertionError("a server is started")

    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    monkeypatch.setattr("ctalert.demo.run.servers", fail)
    monkeypatch.setattr("ctalert.demo.seed.servers", fail)


@pytest.fixture
def cap(tmp_path: Path) -> Path:
    """A message on something else than the weather."""
    file = tmp_path / "message.xml"
    file.write_text(ALERT % RESCUE)
    return file


def refused(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the sentence a wrong call ends with."""
    with pytest.raises(SystemExit) as left:
        main(list(words))
    assert left.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("not xml", "is no XML"),
        ("", "is no XML"),
        (ALERT % "", "is no CAP 1.2 message with an <info>"),
        (f"<alert>{RESCUE}</alert>", "is no CAP 1.2 message with an <info>"),
        (ALERT % "<info><category>Met</category></info>", "has an <info> without an <event>"),
    ],
)
def test_a_file_without_words_to_send_is_a_wrong_call(
    text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence that names the file."""
    file = tmp_path / "message.xml"
    if text is not None:
        file.write_text(text)
    sentence = refused("demo", "--cap", str(file), "--towns", "Kent", capsys=capsys)
    assert f"{file} {said}" in sentence


@pytest.mark.parametrize("towns", ["Nowhere", "Kent,Nowhere"])
def test_a_town_nobody_knows_is_a_wrong_call(
    towns: str, cap: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named."""
    sentence = refused("demo", "--cap", str(cap), "--towns", towns, capsys=capsys)
    assert sentence.endswith("Connecticut has no town 'Nowhere'")


@pytest.mark.parametrize("towns", ["", " , "])
def test_no_town_is_a_wrong_call(towns: str, cap: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commas alone name none."""
    sentence = refused("demo", "--cap", str(cap), "--towns", towns, capsys=capsys)
    assert sentence.endswith("it names no town")


def test_words_and_towns_go_together(cap: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One without the other is a wrong call."""
    assert refused("demo", "--cap", str(cap), capsys=capsys).endswith("go together")
    assert refused("demo", "--towns", "Kent", capsys=capsys).endswith("go together")


@pytest.mark.parametrize("command", ["demo", "seed"])
@pytest.mark.parametrize("count", ["-3", "0", "many"])
def test_residents_are_counted_from_one(
    command: str, count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fewer make no demo."""
    assert count in refused(command, "--residents", count, capsys=capsys)


def test_a_seed_is_no_negative_number(capsys: pytest.CaptureFixture[str]) -> None:
    """The generator takes none."""
    assert "-1 is less than 0" in refused("seed", "--seed", "-1", capsys=capsys)


def test_each_town_counts_once_however_it_is_written(cap: Path) -> None:
    """A trailing comma, a town twice and another case are no mistakes worth stopping for."""
    asked = read_arguments(["--cap", str(cap), "--towns", "Kent,kent, ,New  haven, "])
    assert list(asked.towns) == ["Kent", "New Haven"]
    assert [one["category"] for one in asked.words] == ["Rescue"]


def test_the_demos_own_words_need_no_file() -> None:
    """Neither words nor towns are asked for."""
    asked = read_arguments([])
    assert (list(asked.words), list(asked.towns), asked.residents) == ([], [], 10_000)


def test_an_empty_language_is_english(tmp_path: Path) -> None:
    """As CAP has it where none is given, and a message can be made of it."""
    file = tmp_path / "message.xml"
    file.write_text(ALERT % "<info><language/><event>Flood</event></info>")
    words = read_words(file)
    assert words[0]["language"] == "en-US"
    assert b"<event>Flood</event>" in compose(now=SystemClock().now(), words=words)


def test_a_message_is_of_the_sender_that_is_asked_for() -> None:
    """A message of any category is sent by a partner who may speak on all."""
    for sender in (SENDER, ANY_SENDER):
        alert = etree.fromstring(compose(now=SystemClock().now(), sender=sender))
        assert alert.findtext(f"{{{CAP}}}sender") == sender


@pytest.mark.parametrize(
    "error",
    [TownMissing("Kent has no boundary yet"), Refused(403, "{}"), NotReady("apis: is not ready")],
)
def test_what_goes_wrong_on_the_way_is_a_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A boundary that is lacking, a refusal, a process that does not start."""

    def fail(asked: Asked) -> None:
        raise error

    monkeypatch.setattr("ctalert.demo.run._run", fail)
    monkeypatch.setattr("ctalert.demo.run.uses_simulators", lambda: True)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == f"ctl demo: {error}\n"

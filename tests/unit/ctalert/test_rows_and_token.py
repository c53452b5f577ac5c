"""`ctl rows` and `ctl token`: what a script reads is JSON, and a useless token is never printed."""

import json
from pathlib import Path

import pytest

from ctalert import rows
from ctalert.commands import token
from shared.connecticut import town_by_name
from shared.security.keys import KeyRing

RIGHT = ["--role", "manager", "--subject", "ann"]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, empty as yet; where its keys will be."""
    monkeypatch.setenv("CTALERT_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "keys"


def test_rows_as_json_are_an_object_before_any_test_has_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows, "RESULTS", tmp_path / "rows.json")
    assert rows.run(["--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == {"rows": [], "ok": False}
    assert "./ctl test" in said.err
    assert rows.run([]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--lifetime", "-5"], "-5 is not between 1 and 86400"),
        (["--lifetime", "0"], "0 is not between"),
        (["--lifetime", "86401"], "86401 is not between"),
        (["--lifetime", "1h"], "'1h' is no whole number of seconds"),
        (["--town", "Atlantis"], "'Atlantis' is no town's name or GEOID"),
        (["--town", "0900000000"], "no town's name or GEOID"),
        (["--town", ""], "no town's name or GEOID"),
        (["--subject", " "], "speaks for somebody"),
        (["--role", "service"], "invalid choice"),
    ],
)
def test_a_token_that_would_be_refused_is_not_made(
    wrong: list[str], said: str, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        token.run([*RIGHT, *wrong])
    assert left.value.code == 2
    shown = capsys.readouterr()
    assert said in shown.err.splitlines()[-1]
    assert shown.out == ""
    assert not keys.exists()


def test_a_town_is_named_by_geoid_or_name(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kent = town_by_name("Kent")
    assert kent
    for given, town in (
        ("*", "*"), ("kent", kent.geoid), (kent.geoid, kent.geoid),
        (kent.geoid_2022, kent.geoid_2022),
    ):  # fmt: skip
        assert token.run([*RIGHT, "--town", given]) == 0
        printed = capsys.readouterr().out.strip()
        verifier = KeyRing.load(keys / "issuer.json").tokens.verifier
        assert verifier.verify(printed).town == town


def test_help_names_the_roles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        token.run(["--help"])
    assert "manager, admin, viewer; may be given" in capsys.readouterr().out

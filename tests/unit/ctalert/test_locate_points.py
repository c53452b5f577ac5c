"""`ctl layers locate` on files that are no table of points: a sentence, before any database."""

import io
from pathlib import Path

import pytest

from ctalert.layers import run


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**wanted: bool) -> None:
        raise AssertionError("a server is started")

    monkeypatch.setattr("ctalert.layers.servers", fail)


@pytest.mark.parametrize("text", ["id,lon,lat\n%s,-72.7,41.6\n", "%s,lon,lat\n1,-72.7,41.6\n"])
def test_a_field_longer_than_any_field_is_a_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader takes 131,072 characters, in the first line as in the others."""
    file = tmp_path / "points.csv"
    file.write_text(text % ("1" * 131_073))
    assert run(["locate", "--kind", "town", str(file)]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"ctl layers: {file} cannot be read: field larger than")


def test_standard_input_that_is_no_text_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a file is."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"id,lon,lat\n\xff"), "utf-8"))
    assert run(["locate", "--kind", "town", "-"]) == 1
    assert "cannot be read" in capsys.readouterr().err

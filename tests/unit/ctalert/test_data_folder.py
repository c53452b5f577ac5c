"""The data folder is ours alone."""

import os
from pathlib import Path

import pytest

from ctalert.data_folder import open_data_folder
from ctalert.embedded.account import Account, EmbeddedError, place_where_readable


def test_it_is_made_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can list it; root's may be passed through by the servers' user."""
    monkeypatch.setenv("CTALERT_DATA", str(tmp_path / "deep" / "data"))
    folder = open_data_folder()
    assert folder.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)


def test_a_link_planted_in_its_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default lies where everybody may write: a link there is somebody's trap."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("CTALERT_DATA", str(tmp_path / "data"))
    with pytest.raises(EmbeddedError, match="not a folder of ours"):
        open_data_folder()


class Blind(Account):
    """An account that can read nothing where it lies."""

    def can_read(self, paths: object) -> bool:
        """Say no."""
        return False


def test_programs_the_servers_user_cannot_read_are_copied_once(tmp_path: Path) -> None:
    """A copy everybody can read, programs still runnable, links still links."""
    source = tmp_path / "wheel"
    source.mkdir(mode=0o700)
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o700)
    (source / "words").write_text("words")
    (source / "words").chmod(0o600)
    (source / "alias").symlink_to("tool")
    target = tmp_path / "programs" / "wheel-1"
    account = Blind(None, None)
    assert place_where_readable(source, target, account, ["tool"]) == target
    assert target.stat().st_mode & 0o777 == 0o755
    assert (target / "tool").stat().st_mode & 0o777 == 0o755
    assert (target / "words").stat().st_mode & 0o777 == 0o644
    assert (target / "alias").readlink() == Path("tool")
    (source / "words").write_text("other words")
    place_where_readable(source, target, account, ["tool"])
    assert (target / "words").read_text() == "words"


def test_programs_that_can_be_read_stay_where_they_are(tmp_path: Path) -> None:
    """No copy without a need."""
    (tmp_path / "tool").touch()
    account = Account(None, None)
    assert place_where_readable(tmp_path, tmp_path / "copy", account, ["tool"]) == tmp_path

"""Sizes of files and folders."""

from pathlib import Path

from ctalert.commands.check import find_oversized


def test_long_files_and_full_folders_are_named(tmp_path: Path) -> None:
    """301 lines and 13 files are too much; `__init__.py` and migrations do not count."""
    room = tmp_path / "services" / "room"
    versions = room / "migrations" / "versions"
    versions.mkdir(parents=True)
    for number in range(13):
        (room / f"verb{number}.py").touch()
        (versions / f"{number}.py").touch()
    (room / "__init__.py").write_text("\n" * 400)
    (room / "verb0.py").write_text("x\n" * 301)
    (room / "verb1.py").write_text("x\n" * 300)
    assert list(find_oversized(tmp_path)) == [
        "services/room has 13 files, 12 is the most",
        "services/room/verb0.py has 301 lines, 300 is the most",
    ]

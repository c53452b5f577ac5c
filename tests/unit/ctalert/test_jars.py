"""Kafka's jars: every one pinned by checksum, and one that differs is never run."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from ctalert.embedded.account import EmbeddedError
from ctalert.embedded.jars import LOCK, fetch_jars, pinned_jars

CONTENT = b"a jar"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock that pins one small jar."""
    file = tmp_path / "jgo.lock.toml"
    file.write_text(
        '[[dependencies]]\ngroupId = "org.example"\nartifactId = "one"\nversion = "1.0"\n'
        f'sha256 = "{SHA256}"\n'
    )
    return file


def test_the_lock_pins_every_jar_and_names_no_host() -> None:
    """45 jars, each with a SHA-256; the file says nowhere where they come from."""
    jars = pinned_jars()
    assert len(jars) == 45
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)
    assert "://" not in LOCK.read_text()


def test_the_lock_holds_what_the_specification_asks_for() -> None:
    """Whoever changes jgo.toml has to lock again."""
    spec = tomllib.loads(LOCK.with_name("jgo.toml").read_text())["dependencies"]["coordinates"]
    locked = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in pinned_jars()}
    assert set(spec) <= locked


def test_a_right_jar_in_the_cache_is_used(lock: Path, tmp_path: Path) -> None:
    """Nothing is fetched twice."""
    (tmp_path / "one-1.0.jar").write_bytes(CONTENT)
    assert fetch_jars(tmp_path, lock=lock) == [tmp_path / "one-1.0.jar"]


def test_a_jar_that_was_tampered_with_is_refused(lock: Path, tmp_path: Path) -> None:
    """One changed byte, and the sentence names the file."""
    (tmp_path / "one-1.0.jar").write_bytes(CONTENT + b"!")
    with pytest.raises(EmbeddedError, match=r"one-1\.0\.jar is not the jar pinned"):
        fetch_jars(tmp_path, lock=lock)


def test_a_jar_without_a_checksum_is_an_error_of_the_lock(lock: Path) -> None:
    """An unpinned jar cannot slip in."""
    lock.write_text(lock.read_text().replace("sha256", "other"))
    with pytest.raises(KeyError):
        pinned_jars(lock)

"""Kafka's jars: fetched by jgo as jgo.lock.toml pins them, each checked before it is used."""

import fcntl
import hashlib
import os
import shutil
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ctalert.embedded.account import EmbeddedError

LOCK = Path(__file__).with_name("jgo.lock.toml")
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kafka"


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars(lock: Path = LOCK) -> list[Jar]:
    """Return what the lock pins; a jar without a checksum is an error of the lock."""
    locked = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return [Jar(one["groupId"], one["artifactId"], one["version"], one["sha256"]) for one in locked]


def lock_digest(lock: Path = LOCK) -> str:
    """Return a short name for this very set of jars."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:10]


def fetch_jars(cache: Path | None = None, *, lock: Path = LOCK) -> list[Path]:
    """Return the paths of the pinned jars, fetched where they are lacking, all of them checked.

    They lie in the checkout's `.cache` where no other folder is given.

    Raises:
        EmbeddedError: a jar cannot be fetched, or is not the one that was pinned.
    """
    cache = cache or CACHE
    jars = pinned_jars(lock)
    if not all((cache / jar.file_name).exists() for jar in jars):
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)  # two commands of one checkout, both started first
            _fetch([jar for jar in jars if not (cache / jar.file_name).exists()], cache)
    for jar in jars:
        _verify(jar, cache / jar.file_name)
    return [cache / jar.file_name for jar in jars]


def _fetch(jars: list[Jar], cache: Path) -> None:
    from jgo.maven import MavenContext

    # A folder of its own, for jgo would use the home folder, and one half-written file is not
    # mistaken for a jar: only whole and checked ones are moved into the cache.
    partial = cache / f"fetching.{os.getpid()}"
    context = MavenContext(repo_cache=partial, timeout=60)

    def fetch(jar: Jar) -> None:
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        try:
            file = Path(component.artifact().resolve())
        except Exception as error:  # jgo raises what its layers raise
            raise EmbeddedError(
                f"{jar.file_name} cannot be fetched ({error}): Kafka's jars are needed once; "
                "or give KAFKA_BOOTSTRAP"
            ) from error
        _verify(jar, file)
        file.chmod(0o644)
        file.replace(cache / jar.file_name)

    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(fetch, jars))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _verify(jar: Jar, file: Path) -> None:
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != jar.sha256:
        raise EmbeddedError(
            f"{file} is not the jar pinned in {LOCK.name} (SHA-256 {found}, pinned {jar.sha256}): "
            "it is not run; remove it to have it fetched again"
        )

"""`ctl run` brings the databases below it up to date where nobody else would."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from ctalert.adopt import Addresses
from ctalert.commands import run as command
from ctalert.commands.run import run

URL = "postgresql+asyncpg://app@db.example/x"
GIVEN = {
    f"CTALERT_{service}_DATABASE_URL": URL for service in ("SUBSCRIBER", "GEOFENCE", "DISPATCHER")
}


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the command does, in order, with nothing behind it."""
    done: list[str] = []

    @contextlib.contextmanager
    def nothing(**wanted: bool) -> Iterator[Addresses]:
        yield Addresses(None, None)

    def note(word: str) -> int:
        done.append(word)
        return 0

    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP", "CTALERT_KAFKA_BOOTSTRAP", *GIVEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("CTALERT_ENVIRONMENT", raising=False)
    monkeypatch.setattr(command, "servers", nothing)
    monkeypatch.setattr(command, "hold_places", lambda roles: nullcontext())
    monkeypatch.setattr("ctalert.provision.provide", lambda addresses: dict(os.environ))
    monkeypatch.setattr(command, "migrate", lambda environment: note("migrate"))
    monkeypatch.setattr(command, "run_roles", lambda roles: note(f"roles {' '.join(roles)}"))
    monkeypatch.setattr(command, "_supervise", lambda groups, environment: note("supervise"))
    return done


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        ([], "supervise"),
        (["all"], "supervise"),
        (["dispatcher"], "supervise"),
        (["dispatcher:api"], "roles dispatcher:api"),
    ],
)
def test_embedded_servers_are_migrated_whatever_is_named(
    names: list[str], runs: str, done: list[str]
) -> None:
    """A service alone on a new data folder finds its tables."""
    assert run(names) == 0
    assert done == ["migrate", runs]


@pytest.mark.parametrize("name", ["DATABASE_URL", "KAFKA_BOOTSTRAP", "CTALERT_KAFKA_BOOTSTRAP"])
def test_a_server_that_is_given_is_migrated_only_for_all(
    name: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever named it runs `ctl migrate` before single roles."""
    monkeypatch.setenv(name, "given")
    run(["dispatcher:api"])
    run(["all"])
    assert done == ["roles dispatcher:api", "migrate", "supervise"]


def test_databases_of_production_are_left_alone(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every service's own database is given: nothing is migrated by the way."""
    for name, url in GIVEN.items():
        monkeypatch.setenv(name, url)
    run(["all"])
    assert done == ["supervise"]


def test_the_simulators_alone_have_nothing_to_migrate(done: list[str]) -> None:
    """They need no server."""
    run(["simulators"])
    assert done == ["roles simulators:all"]

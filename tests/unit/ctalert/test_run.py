"""`ctl run` migrates where nobody else would, and never runs a role twice in one place."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from ctalert.adopt import Addresses
from ctalert.commands import run as command
from ctalert.commands.run import hold_places, run
from ctalert.embedded.account import EmbeddedError

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


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of the commands."""
    monkeypatch.setenv("CTALERT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


SAME_PLACES = [
    ("subscriber:api", {}, {"CTALERT_SUBSCRIBER_PORT": "8081"}, "CTALERT_SUBSCRIBER_PORT"),
    ("geofence:replica", {"CTALERT_GEOFENCE_PORT": "08082"}, {}, "CTALERT_GEOFENCE_PORT"),
    ("dispatcher:api", {}, {"CTALERT_DISPATCHER_PORT": " 8083"}, "CTALERT_DISPATCHER_PORT"),
    ("dispatcher:api", {}, {"CTALERT_DISPATCHER_PORT": ""}, "CTALERT_DISPATCHER_PORT"),
    (
        "simulators:all",
        {"CTALERT_SIMULATOR_SMTP_PORT": "9025", "CTALERT_SIMULATOR_FOLDER": "/one"},
        {"CTALERT_SIMULATOR_PORT": "8090", "CTALERT_SIMULATOR_FOLDER": "/other"},
        "CTALERT_SIMULATOR_PORT",
    ),
    (
        "simulators:all",
        {"CTALERT_SIMULATOR_PORT": "9090", "CTALERT_SIMULATOR_FOLDER": "/one"},
        {"CTALERT_SIMULATOR_SMTP_PORT": "8025", "CTALERT_SIMULATOR_FOLDER": "/other"},
        "CTALERT_SIMULATOR_SMTP_PORT",
    ),
]


@pytest.mark.parametrize(("role", "first", "second", "setting"), SAME_PLACES)
def test_a_place_is_the_same_however_it_is_spelled(
    role: str, first: dict[str, str], second: dict[str, str], setting: str, data: Path
) -> None:
    """The default left out or written down; each port of the simulators by itself."""
    with (
        hold_places([role], first),
        pytest.raises(EmbeddedError, match=rf"{role} .* runs already .* another {setting}$"),
        hold_places([role], second),
    ):
        pass


def test_a_folder_of_the_simulators_is_the_same_by_every_way_to_it(data: Path) -> None:
    """The usual one written down, through a link, and over `..`."""
    ports = {"CTALERT_SIMULATOR_PORT": "9090", "CTALERT_SIMULATOR_SMTP_PORT": "9025"}
    link = data.parent / "link"
    link.symlink_to(data)
    for folder in (data / "simulators", link / "simulators", data / "x" / ".." / "simulators"):
        with (
            hold_places(["simulators:all"], {}),
            pytest.raises(EmbeddedError, match=r"another CTALERT_SIMULATOR_FOLDER$"),
            hold_places(["simulators:all"], {**ports, "CTALERT_SIMULATOR_FOLDER": str(folder)}),
        ):
            pass


def test_simulators_with_ports_and_a_folder_of_their_own_run_beside_others(data: Path) -> None:
    """A path longer than a file's name may be, and of bytes that are no text, is a place too."""
    apart = {
        "CTALERT_SIMULATOR_PORT": "9090",
        "CTALERT_SIMULATOR_SMTP_PORT": "9025",
        "CTALERT_SIMULATOR_FOLDER": os.fsdecode(bytes(data.parent) + b"/long \xff" * 60),
    }
    with hold_places(["simulators:all"], {}), hold_places(["simulators:all"], apart):
        pass


def test_a_port_is_held_against_every_role_but_any_free_one_against_none(data: Path) -> None:
    """Whoever has the port is named; 0 asks for a port that nobody has."""
    with (
        hold_places(["subscriber:api"], {}),
        pytest.raises(
            EmbeddedError,
            match=r"subscriber:api .* on port 8081: .* or give dispatcher:api another",
        ),
        hold_places(["dispatcher:api"], {"CTALERT_DISPATCHER_PORT": "8081"}),
    ):
        pass
    any_port = {"CTALERT_GEOFENCE_PORT": "0"}
    with hold_places(["geofence:replica"], any_port), hold_places(["geofence:replica"], any_port):
        pass


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5"])
def test_what_is_no_port_is_said_before_anything_starts(port: str, data: Path) -> None:
    """The child would be started again and again, only to say so."""
    with (
        pytest.raises(EmbeddedError, match="CTALERT_GEOFENCE_PORT has to be a port"),
        hold_places(["geofence:replica"], {"CTALERT_GEOFENCE_PORT": port}),
    ):
        pass

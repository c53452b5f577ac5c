"""Errors that whoever called can mend are one sentence; all others keep their traceback."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from ctalert.cli import main
from ctalert.commands.explain import explain
from ctalert.data_folder import CHECKOUT
from services.dispatcher.settings import DispatcherSettings
from shared.bus.errors import BusError, BusUnavailable


def ctl(*words: str, data: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Call a command with nothing set but this."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "CTALERT_DATA": str(data)}
    return subprocess.run(
        [sys.executable, "-m", "ctalert", *words],
        env=environment | given, cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def invalid(model: type[BaseModel], **values: object) -> ValidationError:
    """Return the error of values a model refuses."""
    with pytest.raises(ValidationError) as caught:
        model(**values)
    return caught.value


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("garbage", "DATABASE_URL must be written postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("postgresql://me:hush@127.0.0.1:port/x", "DATABASE_URL must be written postgresql://"),
        ("postgresql://me:hush@[", "DATABASE_URL must be written postgresql://"),
        ("postgresql://me:hush@127.0.0.1:1/x", "a server that the settings name does not answer"),
    ],
)
def test_a_database_that_is_none_is_a_sentence(url: str, said: str, tmp_path: Path) -> None:
    """It says how a URL is written, and never the password in this one."""
    done = ctl("layers", "list", data=tmp_path, DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ctl layers: {said}")
    assert len(done.stderr.splitlines()) == 1
    assert "hush" not in done.stderr


def test_a_role_without_settings_names_what_is_missing(tmp_path: Path) -> None:
    """The variables, and nothing of pydantic's."""
    done = ctl("run-roles", "dispatcher:api", data=tmp_path)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("ctl run-roles: ")
    assert sentence.endswith(" are not set")
    assert "CTALERT_DISPATCHER_DATABASE_URL" in sentence
    assert "CTALERT_KAFKA_BOOTSTRAP" in sentence


def test_a_setting_that_cannot_be_used_is_named_without_its_value() -> None:
    """A value may be a secret."""
    error = invalid(DispatcherSettings, CTALERT_HEALTH_PORT="hush")
    sentence = explain(error, {}) or ""
    assert "CTALERT_HEALTH_PORT has a value that cannot be used" in sentence
    assert "CTALERT_DISPATCHER_KEYRING" in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BusUnavailable("no answer"), "the broker that KAFKA_BOOTSTRAP names does not answer (no"),
        (BusError("alerts: PolicyViolation"), "KAFKA_BOOTSTRAP names refuses (alerts"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError(), "does not answer (TimeoutError)"),
        (OSError("Multiple exceptions: [Errno 111] …"), "does not answer"),
        (KeyError("CTALERT_SUBSCRIBER_KEYRING"), "CTALERT_SUBSCRIBER_KEYRING is not set"),
    ],
)
def test_servers_and_settings_are_explained(error: Exception, said: str) -> None:
    """What is away or lacking is said."""
    assert said in (explain(error, {}) or "")


def test_urls_of_services_name_their_driver() -> None:
    """Theirs are another form than that of DATABASE_URL."""
    given = {"CTALERT_GEOFENCE_DATABASE_URL": "postgresql://x/y", "DATABASE_URL": "postgres://x/y"}
    sentence = explain(ValueError(), given) or ""
    assert sentence.startswith("CTALERT_GEOFENCE_DATABASE_URL must be written postgresql+asyncpg:")
    assert " DATABASE_URL" not in sentence


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), KeyError(), BrokenPipeError(), FileNotFoundError(2)]
)
def test_a_mistake_of_ours_is_not_explained_away(error: Exception) -> None:
    """Its traceback is what helps."""
    assert explain(error, {"DATABASE_URL": "postgresql://u@127.0.0.1/x"}) is None


def test_a_model_that_is_no_settings_is_a_mistake_of_ours() -> None:
    """Only settings are the caller's."""

    class Other(BaseModel):
        number: int

    assert explain(invalid(Other), {}) is None


def test_the_command_line_says_it_and_lets_the_rest_through(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and one line, as for an embedded server that does not start."""
    errors: list[Exception] = [BusUnavailable("no answer"), RuntimeError("a mistake")]

    def migrate(arguments: list[str]) -> int:
        raise errors.pop(0)

    monkeypatch.setattr("ctalert.commands.migrate.run", migrate)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    assert main(["migrate"]) == 1
    assert capsys.readouterr().err.startswith("ctl migrate: the broker")
    with pytest.raises(RuntimeError):
        main(["migrate"])

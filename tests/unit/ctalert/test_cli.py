"""The command line: help, wrong words, and every command in a module of its own."""

import importlib
import inspect
import signal
from collections.abc import Iterator

import pytest

from ctalert.cli import COMMANDS, main


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_help_says_each_command_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """`ctl help` names every command once."""
    assert main(["help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = [line.split()[0] for line in lines[2:]]
    assert said == list(COMMANDS)


def test_no_word_is_a_call_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`ctl` alone helps."""
    assert main([]) == 0
    assert "migrate" in capsys.readouterr().out


def test_an_unknown_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the list."""
    assert main(["tset"]) == 2
    assert "'tset'" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_a_function_from_words_to_a_code(name: str) -> None:
    """Each module has `run(arguments)`."""
    run = importlib.import_module(COMMANDS[name].module).run
    assert list(inspect.signature(run).parameters) == ["arguments"]


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"test", "check"}))
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`ctl COMMAND --help` starts nothing and says how it is called."""
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_run_refuses_a_role_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong role is a wrong call, and no server is started for it."""
    with pytest.raises(SystemExit) as left:
        main(["run", "dispatcher:pigeon"])
    assert left.value.code == 2
    assert "dispatcher:pigeon" in capsys.readouterr().err

"""The command line: one line a command, each in its own file."""

import importlib
import signal
import sys
from typing import NamedTuple, NoReturn

from ctalert.embedded.account import EmbeddedError


class Command(NamedTuple):
    """A command: the module whose `run(arguments) -> int` it is, and what `help` says of it."""

    module: str
    line: str


COMMANDS = {
    "demo": Command("ctalert.demo.run", "run the main job here with make-believe residents"),
    "test": Command("ctalert.commands.test", "run the tests (further words go to pytest)"),
    "check": Command("ctalert.commands.check", "check style, types, boundaries and sizes"),
    "run": Command("ctalert.commands.run", "run all | SERVICE | SERVICE:ROLE… until Ctrl-C"),
    "migrate": Command("ctalert.commands.migrate", "bring databases and topics up to date"),
    "layers": Command("ctalert.layers", "import FILE | list | locate: boundaries and points"),
    "replay": Command("ctalert.commands.replay", "roster | outbox: publish again what was"),
    "token": Command("ctalert.commands.token", "print a bearer token of the embedded default"),
    "bench": Command("ctalert.bench", "measure against bare peers: pipeline, geofence, bombs"),
    "seed": Command("ctalert.demo.seed", "make make-believe residents in the running system"),
    "rows": Command("ctalert.rows", "say which requirement rows a passing test shows"),
    "run-roles": Command(
        "ctalert.commands.run_roles", "run roles in this process, as Kubernetes does"
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 2 where it was called wrongly."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("help", "-h", "--help"):
        _help()
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        print(f"there is no command {words[0]!r}; these are:", file=sys.stderr)
        _help()
        return 2
    # As Ctrl-C: what was started for the command's own duration is stopped on the way out.
    signal.signal(signal.SIGTERM, _leave)
    try:
        code = importlib.import_module(command.module).run(words[1:])
    except EmbeddedError as error:
        print(f"ctl {words[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = _explain(error)
        if sentence is None:
            raise
        print(f"ctl {words[0]}: {sentence}", file=sys.stderr)
        return 1
    return int(code)


def _explain(error: Exception) -> str | None:
    # Only now: it knows the drivers, which most commands that go well need not load.
    sentence: str | None = importlib.import_module("ctalert.commands.explain").explain(error)
    return sentence


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _help() -> None:
    print("ctl COMMAND [ARGUMENT…]  (ctl COMMAND --help says more)\n")
    width = max(map(len, COMMANDS))
    for name, command in COMMANDS.items():
        print(f"  {name:<{width}}  {command.line}")

"""`ctl run`: the whole system, a service, or single roles, until Ctrl-C."""

import argparse
import fcntl
import hashlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from ctalert import provision, supervise
from ctalert.adopt import servers
from ctalert.catalogue import FOLDERS, PORTS, SERVICES, Group, UnknownRole, choose_groups
from ctalert.commands.migrate import migrate
from ctalert.commands.run_roles import run_roles
from ctalert.data_folder import open_data_folder
from ctalert.embedded.account import EmbeddedError

READY_S = 120.0
_LAST_PORT = 65535


def run(arguments: list[str]) -> int:
    """Run what is named, migrated first where all of it, or the servers below it, are ours."""
    parser = argparse.ArgumentParser(
        prog="ctl run",
        description="Runs all, a service or roles until Ctrl-C. DATABASE_URL and KAFKA_BOOTSTRAP "
        "name servers; without them the embedded ones are adopted or started, and stop with the "
        "last command that uses them, whichever began. Services may be run beside one another.",
    )
    parser.add_argument("names", nargs="*", default=["all"], metavar="all|SERVICE|SERVICE:ROLE")
    names = parser.parse_args(arguments).names
    try:
        groups = choose_groups(names, simulators=provision.uses_simulators())
    except UnknownRole as error:
        parser.error(str(error))
    alone = groups[0].roles if len(groups) == 1 and len(groups[0].roles) == 1 else ()
    # The simulators alone need no server.
    roles = [role for one in groups for role in one.roles]
    services = any(not role.startswith("simulators:") for role in roles)
    database = services and provision.needs_database()
    # One role on servers of somebody's own may be one of many, and needs no folder of ours.
    places = nullcontext() if alone and not servers_are_ours() else hold_places(roles)
    with places, servers(database=database, kafka=services) as addresses:
        environment = provision.provide(addresses)
        if (services and servers_are_ours()) or ("all" in names and provision.is_development()):
            migrate(environment)
        if alone:
            os.environ.clear()
            os.environ.update(provision.without_owners(environment))
            return run_roles(list(alone))
        return _supervise(groups, environment)


def servers_are_ours(given: Mapping[str, str] = os.environ) -> bool:
    """Return whether databases and broker are the embedded ones, which nobody else migrates."""
    named = ["DATABASE_URL", "KAFKA_BOOTSTRAP", "CTALERT_KAFKA_BOOTSTRAP"]
    named += [f"CTALERT_{service.upper()}_DATABASE_URL" for service in SERVICES]
    return not any(given.get(name) for name in named)


@contextmanager
def hold_places(roles: Iterable[str], given: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Hold every port and folder of which the roles of a data folder can have only one.

    Raises:
        EmbeddedError: a role of this or another command holds one of them already, or a setting
            is no port.
    """
    folder = open_data_folder() / "places"
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as held:
        for role in roles:
            for place in _places(role, given):
                file = held.enter_context((folder / place.name).open("a+"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.seek(0)
                    raise EmbeddedError(
                        f"{file.read() or role} of this checkout runs already {place.where}: stop "
                        f"that command first, or give {role} another {place.setting}"
                    ) from None
                file.truncate(0)
                file.write(role)
                file.flush()
        yield


@dataclass(frozen=True, slots=True)
class _Place:
    """What one role at a time can have: the setting that says it, and its name as a file."""

    setting: str
    where: str
    name: str


def _places(role: str, given: Mapping[str, str]) -> Iterator[_Place]:
    for setting, usual in PORTS.get(role, {}).items():
        port = _port(setting, given.get(setting) or str(usual))
        # 0 is a free one, which is another every time.
        if port:
            yield _Place(setting, f"on port {port}", f"port-{port}")
    for setting, beneath in FOLDERS.get(role, {}).items():
        # As the file system knows it, for a folder has many names, longer than a file's may be.
        path = os.path.realpath(given.get(setting) or open_data_folder() / beneath)
        mark = hashlib.sha256(os.fsencode(path)).hexdigest()
        yield _Place(setting, f"in {path}", f"folder-{mark}")


def _port(setting: str, text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= _LAST_PORT:
        raise EmbeddedError(f"{setting} has to be a port from 0 to {_LAST_PORT}")
    return port


def _supervise(groups: list[Group], environment: dict[str, str]) -> int:
    running = supervise.start(groups, environment)
    try:
        print(f"running: {' '.join(group.name for group in groups)}", file=sys.stderr, flush=True)
        threading.Thread(target=_say_when_ready, args=[running], daemon=True).start()
        supervise.wait_for_signal()
    finally:
        running.stop()
    return 0


def _say_when_ready(running: supervise.Running) -> None:
    try:
        running.wait_ready(READY_S)
        print("ready", file=sys.stderr, flush=True)
    except supervise.NotReady as error:
        print(error, file=sys.stderr, flush=True)

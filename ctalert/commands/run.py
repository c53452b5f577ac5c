"""`ctl run`: the whole system, a service, or single roles, until Ctrl-C."""

import argparse
import fcntl
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from urllib.parse import quote

from ctalert import provision, supervise
from ctalert.adopt import servers
from ctalert.catalogue import APART, SERVICES, Group, UnknownRole, choose_groups
from ctalert.commands.migrate import migrate
from ctalert.commands.run_roles import run_roles
from ctalert.data_folder import open_data_folder
from ctalert.embedded.account import EmbeddedError

READY_S = 120.0


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
    """Hold the places of the roles of which a data folder has one, of each port or folder.

    Raises:
        EmbeddedError: another command runs one of them already.
    """
    folder = open_data_folder() / "places"
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as held:
        for role in roles:
            setting = APART.get(role)
            if setting is None:
                continue
            name = quote(f"{role} {given.get(setting) or 'usual'}", safe="")
            place = held.enter_context((folder / name).open("w"))
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EmbeddedError(
                    f"{role} of this checkout runs already: stop that command first, or give "
                    f"this one another {setting}, or a folder of its own in CTALERT_DATA"
                ) from None
        yield


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

"""`ctl run-roles`: run roles in this process; every setting comes from the environment."""

import argparse
import ctypes
import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import uvloop

from ctalert.catalogue import ROLES, assemble
from shared.service import serve
from shared.settings import Settings
from shared.watch import logs

_PR_SET_PDEATHSIG = 1
# Records make and drop containers by the thousand, and next to none is ever in a cycle: looking
# for cycles at every 700th took a sixth of the time of reading a roster.
_COLLECT_AFTER = (100_000, 50, 100)


def run(arguments: list[str]) -> int:
    """Run the roles until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="ctl run-roles")
    parser.add_argument("roles", nargs="+", metavar="SERVICE:ROLE", choices=ROLES)
    return run_roles(parser.parse_args(arguments).roles)


def run_roles(roles: list[str]) -> int:
    """Run the roles on one event loop and return the exit code."""
    parent = os.environ.get("CTALERT_PARENT")
    if parent:
        _die_with(int(parent))
    settings = _ProcessSettings()
    service, _, role = roles[0].partition(":") if len(roles) == 1 else ("", "", "")
    logs.configure(level=settings.log_level, format=settings.log_format, service=service, role=role)
    return uvloop.run(_serve(roles, settings))


class _ProcessSettings(Settings):
    """What belongs to the process; a process of simulators alone has no bus and no keys."""

    kafka_bootstrap: str = ""
    keyring: Path = Path()


async def _serve(roles: list[str], settings: Settings) -> int:
    assembled = [await assemble(role) for role in roles]
    collect_seldom()
    return await serve(
        assembled,
        host=settings.host,
        health_port=settings.health_port,
        trusted_proxies=settings.trusted_proxies,
    )


def collect_seldom() -> None:
    """Look for cycles seldom from now on, and never among what there is now: that stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def _die_with(parent: int) -> None:
    """Have this process killed when its supervisor is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=[parent], daemon=True).start()
    if os.getppid() != parent:  # it went before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)

"""Named points where tests let a process die or stumble; they do nothing in production.

CT_FAILPOINTS="dispatcher.after_sending_commit=kill@3,bus.before_commit=raise" kills at the third
pass of the first point and raises at the first pass of the second. CT_FAILPOINTS="@FILE" reads
that text from a file when a process starts, so that those started later can be spared.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

EXIT_CODE = 86


class FailpointHit(Exception):
    """What a failpoint with the action `raise` raises."""


@dataclass(slots=True)
class _Plan:
    action: str
    countdown: int


_plans: dict[str, _Plan] = {}


def arm(spec: str, *, environment: str) -> None:
    """Set the failpoints of this process; none in production, whatever is asked.

    Raises:
        ValueError: the text names no known action.
    """
    _plans.clear()
    if environment != "development":
        return
    if spec.startswith("@"):
        file = Path(spec[1:])
        spec = file.read_text("utf-8") if file.exists() else ""
    for item in filter(None, (part.strip() for part in spec.split(","))):
        name, _, rest = item.partition("=")
        action, _, nth = rest.partition("@")
        if action not in {"exit", "kill", "raise"}:
            raise ValueError(f"no such failpoint action: {item}")
        _plans[name] = _Plan(action, int(nth or 1))


def fp(name: str) -> None:
    """Pass a point; once its turn has come, exit, kill this process or raise.

    Raises:
        FailpointHit: the action is `raise`.
    """
    if not _plans:
        return
    plan = _plans.get(name)
    if plan is None:
        return
    plan.countdown -= 1
    if plan.countdown != 0:
        return
    if plan.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if plan.action == "exit":
        os._exit(EXIT_CODE)
    raise FailpointHit(name)


arm(
    os.environ.get("CT_FAILPOINTS", ""),
    environment=os.environ.get("CTALERT_ENVIRONMENT", "production"),
)

"""CPU seconds used by groups of processes between two moments."""

from collections.abc import Iterable, Mapping

import psutil


def cpu_seconds(groups: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """Return user and system seconds of each group's processes and all their living children.

    Threads count; children that ended are counted by their parent.
    """
    return {name: sum(_used(pid) for pid in pids) for name, pids in groups.items()}


def used_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds each group used from one reading to the other."""
    return {name: max(0.0, after[name] - before[name]) for name in before}


def _used(pid: int) -> float:
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0.0
    for process in family:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    parent = psutil.Process(pid).cpu_times()
    return float(total + parent.children_user + parent.children_system)

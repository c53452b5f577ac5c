"""A line of a benchmark's result: ours beside the reference of the same run."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One case; `ratio` is higher-is-better whatever the unit, a goal of None is always met."""

    case: str
    ours: float
    reference: float
    unit: str
    lower_is_better: bool = False
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Return how ours stands to the reference: above 1 is better."""
        top, bottom = (
            (self.reference, self.ours) if self.lower_is_better else (self.ours, self.reference)
        )
        return round(top / bottom, 4) if bottom else 0.0

    @property
    def ok(self) -> bool:
        """Say whether the goal is met."""
        return self.goal is None or self.ratio >= self.goal


def machine() -> str:
    """Return what was measured on: processor count, memory, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {python}"


def as_result(bench: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the machine-readable result of a benchmark."""
    lines = []
    for row in rows:
        line = asdict(row) | {"ratio": row.ratio, "ok": row.ok}
        del line["lower_is_better"]
        lines.append(line)
    return {
        "bench": bench,
        "machine": machine(),
        "rows": lines,
        "ok": all(row.ok for row in rows),
    }

"""The `shows` mark: which requirement rows a test shows, checked against docs/requirements.csv."""

import json
from pathlib import Path
from typing import Any

import pytest

from ctalert.rows import RESULTS, read_requirements

KNOWN = frozenset(read_requirements())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand each test's rows to its report and refuse a row nobody has taken on."""
    unknown: dict[str, set[str]] = {}
    for item in items:
        for mark in item.iter_markers("shows"):
            for row in mark.args:
                item.user_properties.append(("shows", row))
                if row not in KNOWN:
                    unknown.setdefault(row, set()).add(item.nodeid)
    if unknown:
        lines = (f"{row}: {sorted(tests)[0]}" for row, tests in sorted(unknown.items()))
        raise pytest.UsageError("rows missing in docs/requirements.csv:\n" + "\n".join(lines))


class Recorder:
    """Gathers each test's outcome and rows in the controlling process."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of the test's phases."""
        rows = sorted({str(value) for name, value in report.user_properties if name == "shows"})
        entry = self.seen.setdefault(report.nodeid, {"rows": rows, "outcome": "passed"})
        if report.outcome != "passed":
            entry["outcome"] = report.outcome

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Write the results beside those of other tests and say how many rows they show."""
        whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        known = {} if whole or not RESULTS.exists() else json.loads(RESULTS.read_text())
        known.update(self.seen)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(f"{RESULTS}.new")
        partial.write_text(json.dumps(known, indent=0, sort_keys=True))
        partial.replace(RESULTS)
        shown = {row for test in self.seen.values() if test["outcome"] == "passed"
                 for row in test["rows"]}  # fmt: skip
        terminalreporter.write_line(
            f"rows: {len(shown)} of {len(KNOWN)} shown by a passing test of this run"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Record only where results come together: not in an xdist worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(), "ctalert-rows")

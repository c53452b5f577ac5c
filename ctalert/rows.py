"""`ctl rows`: which requirement rows are shown by a passing test, and which are not."""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = CHECKOUT / "docs" / "requirements.csv"
RESULTS = CHECKOUT / ".cache" / "rows.json"


def read_requirements() -> dict[str, str]:
    """Return the rows the code has taken on: id → sentence."""
    with REQUIREMENTS.open(newline="", encoding="utf-8") as lines:
        return {row["id"]: row["sentence"] for row in csv.DictReader(lines)}


def judge(requirements: dict[str, str], results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row a requirement with its passing and its other tests.

    A row is shown only if a test passed and none that claims it failed.
    """
    judged = []
    for row, sentence in requirements.items():
        tests = {name: test["outcome"] for name, test in results.items() if row in test["rows"]}
        passing = sorted(name for name, outcome in tests.items() if outcome == "passed")
        other = sorted(name for name, outcome in tests.items() if outcome != "passed")
        judged.append({"id": row, "sentence": sentence, "shown": bool(passing) and not other,
                       "passing": passing, "other": other})  # fmt: skip
    return judged


def run(arguments: list[str]) -> int:
    """Print the rows by the results of the latest test run; exit 1 where one is not shown."""
    parser = argparse.ArgumentParser(prog="ctl rows")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args(arguments)
    if not RESULTS.exists():
        print("no test has run yet: ./ctl test", file=sys.stderr)
        if options.json:
            # An object as ever, so that whoever reads it needs no second way.
            print(json.dumps({"rows": [], "ok": False}))
        return 1
    rows = judge(read_requirements(), json.loads(RESULTS.read_text()))
    if options.json:
        print(json.dumps({"rows": rows, "ok": all(row["shown"] for row in rows)}))
    else:
        for row in rows:
            mark = "shown    " if row["shown"] else "NOT SHOWN"
            print(f"{mark} {row['id']:<12} {row['sentence']}")
        print(f"{sum(row['shown'] for row in rows)} of {len(rows)} rows shown by a passing test")
    return 0 if all(row["shown"] for row in rows) else 1

"""`ctl bench NAME`: run one benchmark of the folder benchmarks/ and print its rows."""

import argparse
import importlib
import json
import os
import pkgutil
from pathlib import Path
from typing import Any

NOT_BENCHES = {"row", "processes", "replica"}


def run(arguments: list[str]) -> int:
    """Run one benchmark; exit code 0 only if every row meets its goal."""
    try:
        benchmarks = importlib.import_module("benchmarks")
    except ModuleNotFoundError:
        print("benchmarks run in a checkout: they are not part of the wheel")
        return 2
    names = sorted(
        one.name
        for one in pkgutil.iter_modules(benchmarks.__path__)
        if not one.ispkg and one.name not in NOT_BENCHES
    )
    parser = argparse.ArgumentParser(prog="ctl bench")
    parser.add_argument("name", choices=names)
    parser.add_argument("--json", action="store_true", help="the result as one JSON line")
    parser.add_argument("--recipients", type=int, default=20_000, help="pipeline: residents")
    parser.add_argument("--places", type=int, default=3_600_000, help="geofence: places")
    parser.add_argument(
        "--layers",
        type=Path,
        default=os.environ.get("CTALERT_TEST_DATA") or None,
        metavar="FOLDER",
        help="geofence: ct_towns, ct_counties and ct_state.geojson; hand-drawn ones without it",
    )
    options = parser.parse_args(arguments)
    rows = importlib.import_module(f"benchmarks.{options.name}").measure(options)
    result = importlib.import_module("benchmarks.row").as_result(options.name, rows)
    print(json.dumps(result) if options.json else _table(result), flush=True)
    return 0 if result["ok"] else 1


def _table(result: dict[str, Any]) -> str:
    lines = [f"{result['bench']} on {result['machine']}"]
    for row in result["rows"]:
        goal = "" if row["goal"] is None else f"  goal {row['goal']}"
        lines.append(
            f"  {row['case']:<44} {row['ours']:>12.2f} against {row['reference']:>12.2f} "
            f"{row['unit']:<6} ratio {row['ratio']:>8.3f}{goal}{'' if row['ok'] else '  MISSED'}"
        )
    return "\n".join(lines)

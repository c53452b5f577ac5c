"""The wheel holds every file that runs, and nothing else."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctalert.data_folder import CHECKOUT

CONFIG = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
WHEEL = CONFIG["tool"]["hatch"]["build"]["targets"]["wheel"]
# What the code opens beside itself.
NEEDED = (
    "ctalert/embedded/jgo.lock.toml",
    "ctalert/embedded/jgo.toml",
    "services/dispatcher/migrations/env.py",
    "services/dispatcher/migrations/versions/0001_first_tables.py",
    "services/geofence/migrations/env.py",
    "services/geofence/migrations/versions/0001_first_tables.py",
    "services/subscriber/migrations/env.py",
    "services/subscriber/migrations/versions/0001_first_tables.py",
    "shared/connecticut/towns.csv",
    "shared/events/examples/alert.approved.json",
    "shared/py.typed",
    "simulators/service.py",
)
LEFT_OUT = ("tests", "benchmarks", "docs", "deploy", ".ci")


def built() -> set[str]:
    """Return what the build takes: the packages' files that git does not ignore."""
    assert set(WHEEL) == {"packages"}, "another rule of the build is not judged here"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *WHEEL["packages"]],
        cwd=CHECKOUT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {name for name in listed.stdout.splitlines() if (CHECKOUT / name).is_file()}


def imported(path: Path) -> Iterator[str]:
    """Yield the first names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def test_every_package_that_runs_is_in_it() -> None:
    packages = {init.parent.name for init in CHECKOUT.glob("*/__init__.py")}
    assert packages - set(WHEEL["packages"]) == {"benchmarks", "tests"}


@pytest.mark.parametrize("name", NEEDED)
def test_what_the_code_opens_is_in_it(name: str) -> None:
    assert name in built()


def test_every_file_beside_the_code_is_in_it() -> None:
    """Also what a .gitignore names would be left out of the wheel, without a word."""
    there = {
        str(path.relative_to(CHECKOUT))
        for package in WHEEL["packages"]
        for path in (CHECKOUT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there == built()


def test_nothing_in_it_needs_what_is_left_out() -> None:
    files = [CHECKOUT / name for name in built()]
    assert not {path.relative_to(CHECKOUT).parts[0] for path in files} & set(LEFT_OUT)
    for path in files:
        if path.suffix == ".py":
            assert not set(imported(path)) & set(LEFT_OUT), path


def test_its_command_is_the_front_door() -> None:
    module, _, function = CONFIG["project"]["scripts"]["ctalert"].partition(":")
    tree = ast.parse((CHECKOUT / f"{module.replace('.', '/')}.py").read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

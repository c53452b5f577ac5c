"""The shape of the house that import rules cannot say: rooms, doors, stores and nouns."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SERVICES = CHECKOUT / "services"
DOORS = {"api", "consumers", "timers"}
ASSEMBLY = {"service", "settings"}
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE)\b")
STRAYS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
ROOMS = sorted(
    folder
    for service in SERVICES.iterdir()
    if service.is_dir()
    for folder in service.iterdir()
    if (folder / "__init__.py").exists() and folder.name != "migrations"
)


def modules() -> Iterator[Path]:
    """Yield every module of the product."""
    for package in ("ctalert", "services", "shared", "simulators"):
        yield from (CHECKOUT / package).rglob("*.py")


@cache
def parsed(path: Path) -> ast.Module:
    """Return what a module consists of."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full names a module imports."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return frozenset(found)


def public_functions(tree: ast.Module) -> set[str]:
    """Return the names of a module's public functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in tree.body
        if isinstance(node, functions) and not node.name.startswith("_")
    }


def is_store(path: Path) -> bool:
    """Say whether a module holds a room's SQL."""
    return path.stem == "store" or path.stem.startswith("store_")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.parent.name}.{room.name}")
def test_a_room_says_what_it_owns_consumes_and_publishes(room: Path) -> None:
    """A room's package is a docstring of what it owns, consumes and publishes, and no code."""
    tree = parsed(room / "__init__.py")
    docstring = ast.get_docstring(tree) or ""
    for word in ("Owns", "Consumes", "Publishes"):
        assert word in docstring
    assert len(tree.body) == 1


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.parent.name}.{room.name}")
def test_a_store_is_used_by_its_own_room_only(room: Path) -> None:
    """Nobody but the modules of a room imports its stores."""
    dotted = f"services.{room.parent.name}.{room.name}"
    stores = {f"{dotted}.{path.stem}" for path in room.glob("*.py") if is_store(path)}
    strangers = [
        path for path in modules() if not path.is_relative_to(room) and stores & imports(path)
    ]
    assert strangers == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: f"{room.parent.name}.{room.name}")
def test_sql_stands_in_stores_only(room: Path) -> None:
    """Only a store runs SQL."""
    runs = {"fetch", "fetch_one", "fetch_value", "execute"}
    for path in room.glob("*.py"):
        if is_store(path):
            continue
        names = {
            name.rpartition(".")[2]
            for name in imports(path)
            if name.startswith("shared.db.session.")
        }
        assert not names & runs, path


def test_a_verb_has_one_public_function_of_its_name() -> None:
    """A module with a function of its own name is a verb: that is its one public function."""
    crowded = {}
    for room in ROOMS:
        for path in room.glob("*.py"):
            functions = public_functions(parsed(path))
            if path.stem in functions and path.stem not in DOORS and len(functions) > 1:
                crowded[str(path.relative_to(SERVICES))] = sorted(functions)
    assert crowded == {}


def test_verbs_never_commit() -> None:
    """Nothing in a room commits or rolls back by hand."""
    for room in ROOMS:
        for path in room.glob("*.py"):
            calls = {
                node.func.attr
                for node in ast.walk(parsed(path))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            }
            assert not calls & {"rollback"}, path


def test_every_module_and_public_thing_says_what_it_is() -> None:
    """Modules, public classes and public functions have a docstring."""
    bare = []
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for path in modules():
        if "versions" in path.parts:
            continue
        tree = parsed(path)
        if not ast.get_docstring(tree):
            bare.append(str(path.relative_to(CHECKOUT)))
        bare += [
            f"{path.relative_to(CHECKOUT)}:{node.name}"
            for node in tree.body
            if isinstance(node, definitions)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert bare == []


def test_no_stray_drawers() -> None:
    """There is no module for things that belong nowhere."""
    assert [path for path in modules() if path.stem in STRAYS] == []


def names_from_constants(tree: ast.Module) -> set[str]:
    """Return the names that stand for a constant of the module or for an entry of one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (
            node in tree.body
            or (
                isinstance(node.value, ast.Subscript)
                and isinstance(node.value.value, ast.Name)
                and node.value.value.id.isupper()
            )
        ):
            found |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return found


@pytest.mark.shows("S32")
@pytest.mark.parametrize(
    "path", sorted(filter(is_store, SERVICES.rglob("*.py"))), ids=lambda path: str(path.parent.name)
)
def test_only_constants_are_put_into_a_statement_by_name(path: Path) -> None:
    """Values are parameters, always: what a store formats into its SQL it wrote itself."""
    tree = parsed(path)
    known = names_from_constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        words = " ".join(str(one.value) for one in node.values if isinstance(one, ast.Constant))
        if not SQL.search(words):
            continue
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                assert isinstance(one.value, ast.Name), ast.unparse(one.value)
                assert one.value.id in known, f"{one.value.id} in line {one.lineno}"

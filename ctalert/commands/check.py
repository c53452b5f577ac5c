"""`ctl check`: style, types, boundaries between rooms, sizes of files and folders."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ctalert.data_folder import CHECKOUT

_LINES, _FILES = 300, 12
_CODE = ("ctalert", "services", "shared", "simulators", "benchmarks", "tests")


def run(arguments: list[str]) -> int:
    """Run every check, all of them even where one fails; exit 1 where one did."""
    bin_folder = Path(sys.executable).parent
    checks: dict[str, list[str | Path]] = {
        "ruff check": [bin_folder / "ruff", "check", *arguments, "."],
        "ruff format": [bin_folder / "ruff", "format", "--check", "."],
        "mypy --strict": [bin_folder / "mypy"],
        "lint-imports": [bin_folder / "lint-imports"],
    }
    failed = []
    for name, command in checks.items():
        print(f"== {name}", flush=True)
        if subprocess.run(command, cwd=CHECKOUT, check=False).returncode != 0:
            failed.append(name)
    print("== sizes", flush=True)
    complaints = list(find_oversized(CHECKOUT))
    for complaint in complaints:
        print(complaint)
    if complaints:
        failed.append("sizes")
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def find_oversized(checkout: Path) -> Iterator[str]:
    """Yield a sentence for each file of over 300 lines and each folder of over 12 files.

    `__init__.py` files and migrations are not counted.
    """
    folders = [checkout / name for name in _CODE]
    for folder in [each for top in folders for each in (top, *top.rglob("*/"))]:
        if folder.name in ("versions", "__pycache__") or not folder.is_dir():
            continue
        files = [file for file in sorted(folder.glob("*.py")) if file.name != "__init__.py"]
        if len(files) > _FILES:
            yield f"{folder.relative_to(checkout)} has {len(files)} files, {_FILES} is the most"
        for file in files:
            lines = len(file.read_text(encoding="utf-8").splitlines())
            if lines > _LINES:
                yield f"{file.relative_to(checkout)} has {lines} lines, {_LINES} is the most"

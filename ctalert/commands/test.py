"""`ctl test`: run the tests; further words go to pytest."""

import subprocess
import sys

from ctalert.data_folder import CHECKOUT


def run(arguments: list[str]) -> int:
    """Run the whole suite in four processes, two of which mostly wait, or what is said."""
    words = arguments or ["-n", "4", "--dist", "loadfile"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=CHECKOUT, check=False
    ).returncode

"""`ctl test`: run the tests; further words go to pytest."""

import subprocess
import sys

from ctalert.data_folder import CHECKOUT


def run(arguments: list[str]) -> int:
    """Run the whole suite in three processes, one of which mostly waits, or what is said."""
    words = arguments or ["-n", "3", "--dist", "loadfile"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=CHECKOUT, check=False
    ).returncode

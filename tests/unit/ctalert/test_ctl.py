"""The front door's script: what it brings, when it does so, and what it says when it cannot."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ctalert.data_folder import CHECKOUT

TOOLS = ("cat", "cmp", "cp", "dirname", "mkdir", "readlink", "rm", "sh")
# Stands for uv: makes an environment whose python says what it is asked to run.
UV = """#!/bin/sh
echo "$*" >> "$UV_LOG"
for last; do :; done
case $1 in venv)
  mkdir -p "$last/bin"
  printf '#!/bin/sh\\necho "$PYTHONPATH|$*"\\n' > "$last/bin/python"
  /bin/chmod +x "$last/bin/python";;
esac
"""


class Door:
    """A checkout of nothing but the script and its lock, with a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "path"
        self.uv_log = folder / "uv.log"
        self.path.mkdir(parents=True)
        self.uv_log.touch()
        shutil.copy(CHECKOUT / "ctl", folder / "ctl")
        (folder / "requirements-dev.lock").write_text("one==1.0\n")
        (folder / "requirements-uv.lock").write_text("uv==1.0\n")
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)

    def put(self, name: str, script: str) -> None:
        """Put a program on PATH."""
        (self.path / name).write_text(script)
        (self.path / name).chmod(0o755)

    def call(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call the script from another folder."""
        return subprocess.run(
            [self.folder / "ctl", *words],
            cwd="/",
            env={"PATH": str(self.path), "UV_LOG": str(self.uv_log), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """The script in a folder with a blank in its name."""
    return Door(tmp_path / "a checkout")


def test_the_command_and_its_words_reach_the_application(door: Door) -> None:
    """From any folder, words unchanged, the checkout importable."""
    door.put("uv", UV)
    done = door.call("layers", "import", "two words")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{door.folder}|-m ctalert layers import two words\n"


def test_the_environment_is_synced_only_when_the_lock_changed(door: Door) -> None:
    """The second call asks uv for nothing; a new lock syncs the same environment."""
    door.put("uv", UV)
    door.call("help")
    first = door.uv_log.read_text().splitlines()
    assert [line.split()[0] for line in first] == ["venv", "pip"]
    assert "--require-hashes" in first[1]
    door.call("help")
    assert door.uv_log.read_text().splitlines() == first
    (door.folder / "requirements-dev.lock").write_text("one==1.1\n")
    door.call("help")
    assert [line.split()[0] for line in door.uv_log.read_text().splitlines()] == [
        "venv", "pip", "pip"
    ]  # fmt: skip


def test_a_sync_that_failed_is_tried_again(door: Door) -> None:
    """The stamp is written last, so that half an environment is never used."""
    door.put("uv", UV + "case $1 in pip) exit 3;; esac\n")
    assert door.call("help").returncode == 3
    door.put("uv", UV)
    assert door.call("help").returncode == 0


def put_pip(door: Door) -> Path:
    """Put a python3 on PATH whose pip brings uv; return the file of its calls, one a line."""
    calls = door.folder / "pip.log"
    door.put("fetched", UV)
    door.put(
        "python3",
        f'#!/bin/sh\necho "$*" >> "{calls}"\n'
        f'for word; do case $before in --target) mkdir -p "$word/bin"; '
        f'cp "{door.path}/fetched" "$word/bin/uv";; esac; before=$word; done\n',
    )
    return calls


def test_uv_is_fetched_with_pip_into_a_folder_of_the_checkout(door: Door) -> None:
    """Where no uv is on PATH; nothing is installed for the user or the machine."""
    calls = put_pip(door)
    assert door.call("help").returncode == 0
    assert os.access(door.folder / ".uv" / "bin" / "uv", os.X_OK)
    (call,) = calls.read_text().splitlines()
    assert "--only-binary :all:" in call
    assert call.endswith(f"--require-hashes -r {door.folder}/requirements-uv.lock")


def test_uv_is_fetched_again_only_when_its_lock_changed(door: Door) -> None:
    """A uv fetched under another lock, or none, is replaced before it is used."""
    calls = put_pip(door)
    door.call("help")
    (door.folder / "requirements-dev.lock").write_text("one==1.1\n")
    door.call("help")
    assert len(calls.read_text().splitlines()) == 1
    (door.folder / "requirements-dev.lock").write_text("one==1.2\n")
    (door.folder / "requirements-uv.lock").write_text("uv==1.1\n")
    door.call("help")
    assert len(calls.read_text().splitlines()) == 2


def test_a_uv_on_path_is_preferred(door: Door) -> None:
    """Nothing is fetched where the machine has one."""
    calls = put_pip(door)
    door.put("uv", UV)
    assert door.call("help").returncode == 0
    assert not calls.exists()


def test_the_lock_of_uv_is_one_version_with_hashes_and_no_host() -> None:
    """What pip accepts is what was locked, from whatever index it comes."""
    pinned, *hashes = (CHECKOUT / "requirements-uv.lock").read_text().splitlines()
    assert re.fullmatch(r"uv==[0-9.]+ \\", pinned)
    assert hashes
    for line in hashes:
        assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)


def test_neither_uv_nor_pip_is_one_sentence_naming_both_ways(door: Door) -> None:
    """Nobody has to guess what to install."""
    door.put("python3", "#!/bin/sh\nexit 1\n")
    done = door.call("help")
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "put uv on PATH" in sentence
    assert "python3-pip" in sentence


def test_the_cache_stays_in_the_checkout_where_there_is_no_home(door: Door) -> None:
    """A service account without a home can call it too."""
    door.put("uv", UV.replace('echo "$*"', 'echo "$UV_CACHE_DIR"'))
    door.call("help", HOME="/nonexistent")
    assert door.uv_log.read_text().splitlines()[0] == f"{door.folder}/.uv/cache"


@pytest.mark.parametrize(("shell", "script"), [("sh", "ctl"), ("bash", ".ci/run")])
def test_the_scripts_parse(shell: str, script: str) -> None:
    """A slip of the pen is found before a clean machine finds it."""
    subprocess.run([shell, "-n", CHECKOUT / script], check=True)


def test_ci_calls_the_two_commands_of_the_readme_and_nothing_else() -> None:
    """What is checked for everybody is what everybody can call."""
    lines = (CHECKOUT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("./")] == ["./ctl test", "./ctl check"]

"""The account the embedded servers run as: our own, or 65534 (nobody) when we are root."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOBODY = 65534
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedError(Exception):
    """An embedded server cannot be started; the text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user a server runs as; None stands for the user we are ourselves."""

    uid: int | None
    gid: int | None

    def options(self) -> dict[str, Any]:
        """Return what `subprocess` needs to start a program as this user, tied to no terminal."""
        options: dict[str, Any] = {
            "cwd": "/",  # the folder we were called in may be closed to that user
            "env": dict(ENVIRONMENT),
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
        }
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def run(self, command: Sequence[str | Path], log: Path) -> int:
        """Run a program to its end, its words appended to `log`, and return its exit code."""
        with log.open("ab") as words:
            done = subprocess.run(
                command, stdout=words, stderr=subprocess.STDOUT, check=False, **self.options()
            )
        return done.returncode

    def launch(self, command: Sequence[str | Path], log: Path) -> int:
        """Start a program that outlives us, its words in `log`, and return its process id.

        A shell in between starts it, so that it is nobody's child and holds no pipe of ours.
        """
        script = 'log=$1; shift; "$@" >>"$log" 2>&1 & echo $!'
        begun = subprocess.run(
            ["/bin/sh", "-c", script, "sh", log, *command],
            stdout=subprocess.PIPE,
            check=True,
            **self.options(),
        )
        return int(begun.stdout)

    def make_folder(self, folder: Path) -> None:
        """Make a folder only this user (and root) can enter.

        Raises:
            EmbeddedError: the user cannot reach it.
        """
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.uid is not None:
            os.chown(folder, self.uid, self.gid or self.uid, follow_symlinks=False)
        folder.chmod(0o700)
        if not self.can_read([folder]):
            raise EmbeddedError(
                f"user {self.uid}, as whom the servers run, cannot reach {folder}: "
                "give a data folder it can reach in CTALERT_DATA"
            )

    def can_read(self, paths: Sequence[Path]) -> bool:
        """Return whether this user can read every one of the files."""
        if self.uid is None:
            return all(os.access(path, os.R_OK) for path in paths)
        script = 'for file; do [ -r "$file" ] || exit 1; done'
        command = ["/bin/sh", "-c", script, "sh", *map(str, paths)]
        return subprocess.run(command, check=False, **self.options()).returncode == 0


def server_account() -> Account:
    """Return the account for servers.

    Raises:
        EmbeddedError: we are root and may not become anybody else.
    """
    if os.geteuid() != 0:
        return Account(None, None)
    account = Account(NOBODY, NOBODY)
    try:
        subprocess.run(["/bin/sh", "-c", ":"], check=True, **account.options())
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            f"PostgreSQL never runs as root, and root may not become user {NOBODY} here ({error}): "
            "run ctl as an ordinary user, or give DATABASE_URL and KAFKA_BOOTSTRAP"
        ) from error
    return account


def place_where_readable(source: Path, target: Path, account: Account, probes: list[str]) -> Path:
    """Return a copy of `source` the account can read: the original where it already can.

    A checkout under a folder of mode 0700 hides the environment from the servers' user; opening
    its parents would change the machine, so the servers' files are copied instead.
    """
    if account.can_read([source / probe for probe in probes]):
        return source
    if not target.exists():
        make_passable(target.parent)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(source, partial, symlinks=True)
        for folder, _, files in os.walk(partial):
            Path(folder).chmod(0o755)
            for file in (Path(folder, name) for name in files):
                if not file.is_symlink():
                    file.chmod(0o755 if os.access(file, os.X_OK) else 0o644)
        partial.rename(target)
    return target


def make_passable(folder: Path) -> None:
    """Make a folder, and those above it that are lacking, which everybody may pass through.

    Whatever the umask is: under 077 a plain mkdir would shut the servers' user out.
    """
    if not folder.exists():
        make_passable(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)

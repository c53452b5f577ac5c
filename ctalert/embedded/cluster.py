"""Three brokers, replication 3: for tests and trials of a broker's loss."""

from pathlib import Path

from ctalert.embedded.kafka import Broker, new_cluster_id


class Cluster:
    """Three nodes, each broker and controller, numbered 1 to 3."""

    def __init__(self, folder: Path, *, programs: Path | None = None) -> None:
        self._nodes = {
            node: Broker(folder / f"node{node}", node=node, programs=programs) for node in (1, 2, 3)
        }
        self._voters: dict[int, int] = {}
        self._cluster_id = new_cluster_id()

    @property
    def bootstrap(self) -> str:
        """The addresses clients begin with."""
        return ",".join(broker.bootstrap for broker in self._nodes.values())

    def start_all(self) -> str:
        """Start all three and return the bootstrap addresses when each of them answers."""
        self._voters = {node: broker.choose_ports()[1] for node, broker in self._nodes.items()}
        for broker in self._nodes.values():
            broker.launch(cluster_id=self._cluster_id, voters=self._voters)
        for broker in self._nodes.values():
            broker.wait()
        return self.bootstrap

    def kill(self, node: int) -> None:
        """Kill one node as a crash does."""
        self._nodes[node].kill()

    def start(self, node: int) -> None:
        """Start a killed node again on its ports and return when it answers."""
        self._nodes[node].choose_ports()  # waits till those of the killed one are free again
        self._nodes[node].launch(cluster_id=self._cluster_id, voters=self._voters)
        self._nodes[node].wait()

    def stop_all(self) -> None:
        """End all three: their data is made to be thrown away, so no hand-over is waited for."""
        for broker in self._nodes.values():
            broker.kill()

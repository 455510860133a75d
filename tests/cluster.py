"""A Valkey cluster of three primaries, for the tests."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ServerProcess, running, valkey_binary, wait_until

SLOTS = 16_384


@dataclass(frozen=True)
class Cluster:
    nodes: list[ServerProcess]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"redis+cluster://{hosts}"


@contextmanager
def running_cluster(folder: Path, **options: str) -> Iterator[Cluster]:
    """Three nodes that know each other, with all slots covered."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                running(
                    valkey_binary(),
                    folder / str(number),
                    cluster_enabled="yes",
                    cluster_node_timeout="5000",
                    **options,
                )
            )
            for number in range(3)
        ]
        for number, node in enumerate(nodes):
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            with node.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                for other in nodes[:number]:
                    client.execute_command(
                        "CLUSTER", "MEET", "127.0.0.1", other.port, other.options["cluster-port"]
                    )
        wait_until(lambda: all(_knows_all(node) for node in nodes))
        yield Cluster(nodes)


def _knows_all(node: ServerProcess) -> bool:
    with node.client() as client:
        info = client.execute_command("CLUSTER", "INFO")
        if isinstance(info, bytes):
            info = dict(line.split(":") for line in info.decode().split() if ":" in line)
        return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"

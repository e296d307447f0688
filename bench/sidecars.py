"""Figures of a real pool of four nodes: forming it, and its sidecars at rest (`make bench`, `sidecars`)."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from gluster_sidecar import parse, profiles
from gluster_sidecar.contract import HEALTH_PORT

from tests.integration.bare import NodeGluster, bare
from tests.integration.pool import Pool, unstarted, wait_for
from tests.integration.seen import answers
from tests.simulation.pool import host

NODES = (1, 2, 3, 4)
REST_SECONDS = 180
"""Two full rounds of a sidecar at rest (`rest.LOOK_SECONDS`)."""
AS_SHIPPED = "GLUSTER_SIDECAR_SLEEP_SECONDS=5 GLUSTER_SIDECAR_UNHEALTHY_SECONDS=15"


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


def by_hand() -> float:
    """Seconds that the same commands take one after the other, typed by nobody.

    With a look at the peers, as everybody has who knows that a volume made before they have met may end in
    "Request timed out" after two minutes (seen on 11.1).
    """
    with scratch() as folder, bare(folder, *NODES) as made:
        gluster = NodeGluster(made, 1)
        started = time.monotonic()
        for node in NODES[1:]:
            gluster.change("peer", "probe", host(node))
        wait_for("all have met", lambda: met(gluster))
        bricks = (f"{host(node)}:/data/brick" for node in NODES)
        gluster.change("volume", "create", "data", "replica", "2", "transport", "tcp", *bricks)
        for key, value in sorted(profiles.COMMON.items()):
            gluster.change("volume", "set", "data", key, value)
        gluster.change("volume", "start", "data")
        return time.monotonic() - started


def met(gluster: NodeGluster) -> bool:
    peers = parse.peers(gluster.ask("pool", "list")).values()
    return all(peer.connected and peer.in_cluster for peer in peers)


def by_sidecars(made: Pool) -> float:
    """The same by the sidecars, from the wish being there to their seeing the started volume."""
    made.start()
    for node in NODES:
        made.power_on(node)
        made.announce(node)
    wait_for("glusterd everywhere", lambda: all(answers(made, node) for node in NODES), 180)
    made.want(*NODES)
    started = time.time()  # noqa: TID251
    made.settled(*NODES)
    log = (made.folder / "n1/upper/var/log/sidecar.log").read_text()
    line = next(line for line in log.splitlines() if "rule note_health" in line)
    return datetime.fromisoformat(line[:23].replace(",", ".")).timestamp() - started


def counters(made: Pool, node: int) -> dict[str, float]:
    fetch = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{HEALTH_PORT}/metrics').read().decode())"
    lines = made.shell(node, f'cd /; python3 -c "{fetch}"').splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name.removeprefix("gluster_sidecar_"): float(value) for name, _, value in pairs}


def processor_seconds(made: Pool, node: int) -> float:
    """Of the sidecar and of the commands that it ran."""
    stat = made.shell(node, "cat /proc/$(cat /run/sidecar.pid)/stat").rpartition(")")[2].split()
    return sum(map(int, stat[11:15])) / 100


def resident_megabytes(made: Pool, node: int) -> float:
    status = made.shell(node, "cat /proc/$(cat /run/sidecar.pid)/status")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def at_rest(made: Pool, say: Callable[[str], None]) -> None:
    """The first line is of the node that acts."""
    wait_for("all rest", lambda: made.data("gluster-status").get("doing") == "steady", 120)
    time.sleep(30)  # the last reports and their echo
    before = {node: (processor_seconds(made, node), counters(made, node)) for node in NODES}
    time.sleep(REST_SECONDS)
    minutes = REST_SECONDS / 60
    for node in NODES:
        (spent, then), now = before[node], counters(made, node)
        cpu = 100 * (processor_seconds(made, node) - spent) / REST_SECONDS

        def each(prefix: str, now: dict[str, float] = now, then: dict[str, float] = then) -> float:
            return sum(v - then.get(k, 0) for k, v in now.items() if k.startswith(prefix))

        cycles = each("cycles_total")
        say(
            f"node {node}{' (acts)' if now['actor'] else ''}: {resident_megabytes(made, node):.0f} MB,"
            f" {cpu:.2f} % of a core (wanted: 40, 0.5);"
            f" {each('api_requests_total') / minutes:.1f} requests to Kubernetes a minute,"
            f" {each('gluster_commands_total') / minutes:.1f} gluster commands a minute"
            f" in {cycles / minutes:.0f} cycles"
        )


def report(say: Callable[[str], None]) -> None:
    """Raises LabError."""
    hand = by_hand()
    with scratch() as folder, unstarted(folder, environment=AS_SHIPPED) as made:
        took = by_sidecars(made)
        say(
            f"forming a volume of {len(NODES)} nodes: {took:.1f} s, by hand {hand:.1f} s,"
            f" ratio {took / hand:.2f} (wanted: 1.3)"
        )
        at_rest(made, say)

"""Records what glusterd answers in each state that the parser knows, for `tests/sidecar/recorded`.

    python -m tests.integration.record FOLDER [ROOTFS]

FOLDER gets one XML file for each state. ROOTFS: a folder with another version of glusterfs than the image.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.integration.bare import NodeGluster, bare, power_on
from tests.integration.pool import Pool, wait_for
from tests.integration.seen import MOUNT
from tests.simulation.pool import host

NODES = (1, 2, 3, 4)
REMOVED = [f"{host(node)}:/data/brick" for node in (3, 4)]
FILES = 3000
"""So many that a rebalance and a removal are still under way when they are looked at."""


@dataclass
class Recorder:
    pool: Pool
    folder: Path

    def ask(self, *words: str) -> str:
        return NodeGluster(self.pool, 1).text(*words)

    def keep(self, name: str, *words: str) -> None:
        (self.folder / f"{name}.xml").write_text(self.ask(*words))
        print(name, flush=True)

    def change(self, *words: str) -> None:
        NodeGluster(self.pool, 1).change(*words)

    def status(self, name: str) -> None:
        self.keep(name, "volume", "status", "data")

    def says(self, words: str, *question: str) -> None:
        wait_for(words, lambda: words in self.ask(*question), 300)

    def online(self, bricks: int) -> None:
        def all_up() -> bool:
            return self.ask("volume", "status", "data").count("<status>1</status>") >= bricks

        wait_for(f"{bricks} bricks", all_up, 120)

    def write(self, name: str, files: int) -> None:
        script = f"cd /run/t; for i in $(seq {files}); do echo $i > {name}$i || exit 1; done"
        self.pool.shell(1, MOUNT + script)


def record(to: Recorder) -> None:
    """Of strangers. Raises AssertionError if glusterd does not come to a state, ActionError if it refuses."""
    to.keep("volume-info-none", "volume", "info", "all")
    for node in NODES[1:]:
        to.change("peer", "probe", host(node))
    wait_for("all are peers", lambda: to.ask("peer", "status").count("<state>3</state>") == 3)
    to.keep("peer-status", "peer", "status")
    to.keep("pool-list", "pool", "list")
    to.change("volume", "create", "data", "replica", "2", *(f"{host(n)}:/data/brick" for n in (1, 2)))
    to.change("volume", "set", "data", "network.ping-timeout", "10")
    to.status("status-not-started")
    to.change("volume", "start", "data")
    to.online(2)
    to.keep("volume-info", "volume", "info", "all")
    to.status("volume-status")
    to.keep("heal-summary", "volume", "heal", "data", "info", "summary")
    _kill_the_brick_of_node_2(to)
    _lose_node_2_for_a_while(to)
    _grow(to)
    _shrink(to)


def _kill_the_brick_of_node_2(to: Recorder) -> None:
    to.write("while-it-is-away", 1)
    to.pool.shell(2, "kill -9 $(pidof glusterfsd)")
    wait_for("it is down", lambda: "<status>0</status>" in to.ask("volume", "status", "data"))
    to.status("status-brick-down")
    to.write("while-it-is-away", 4)
    to.keep("heal-brick-down", "volume", "heal", "data", "info", "summary")


def _lose_node_2_for_a_while(to: Recorder) -> None:
    to.pool.power_off(2)
    to.says("<connected>0</connected>", "peer", "status")
    to.keep("peer-status-down", "peer", "status")
    to.keep("pool-list-down", "pool", "list")
    to.status("status-peer-down")
    power_on(to.pool, 2)
    to.online(2)


def _grow(to: Recorder) -> None:
    to.write("f", FILES)
    to.change("volume", "add-brick", "data", *REMOVED)
    to.keep("volume-info-two-sets", "volume", "info", "all")
    to.online(4)
    to.change("volume", "rebalance", "data", "start")
    to.status("status-rebalancing")
    to.says("<statusStr>completed</statusStr>", "volume", "status", "data")
    to.status("status-rebalanced")
    to.keep("rebalance-status", "volume", "rebalance", "data", "status")
    to.keep("detach-with-brick", "peer", "detach", host(3))


def _shrink(to: Recorder) -> None:
    to.change("volume", "remove-brick", "data", *REMOVED, "start")
    to.status("status-removing")
    to.says("<statusStr>completed</statusStr>", "volume", "status", "data")
    to.status("status-removed")
    to.keep("remove-brick-status", "volume", "remove-brick", "data", *REMOVED, "status")
    to.change("volume", "remove-brick", "data", *REMOVED, "commit")
    to.status("status-committed")


def main(folder: Path, rootfs: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="record-") as scratch,
        bare(Path(scratch), *NODES, rootfs=rootfs) as pool,
    ):
        record(Recorder(pool, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)

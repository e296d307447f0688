"""Pools of real glusterd without sidecars and without Kubernetes: who asks for one gives the commands."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gluster_sidecar.errors import ActionError
from gluster_sidecar.gluster import READ_SECONDS
from gluster_sidecar.run_files import START_FILE

from tests.integration.pool import LOCAL_HOSTS, LOCK_SECONDS, Pool, address, unstarted, wait_for
from tests.integration.seen import answers
from tests.simulation.pool import host

KNOWN_FILE = "/etc/known.json"
SPOKEN = (
    f"mkdir -p /run/gluster-sidecar; cat {KNOWN_FILE} > {START_FILE}.new ||"
    f' echo "{{\\"uuid\\": null}}" > {START_FILE}.new; mv {START_FILE}.new {START_FILE}'
)
"""In the place of a sidecar: its word to the daemon that glusterd may start, and what a blank disk gets back,
where `KNOWN_FILE` tells."""

HOSTS = LOCAL_HOSTS + "".join(f"{address(node)} {host(node)}\n" for node in range(1, 7))
"""What the sidecars would write."""


@contextmanager
def bare(folder: Path, *nodes: int, rootfs: Path | None = None) -> Iterator[Pool]:
    """A pool in which these machines have power and a glusterd, strangers to each other; gone at the end.

    `rootfs`: in the place of the product's image. Raises LabError.
    """
    with unstarted(folder, sidecar=SPOKEN, hosts=HOSTS, rootfs=rootfs) as pool:
        pool.start_network()
        power_on(pool, *nodes)
        yield pool


def power_on(pool: Pool, *nodes: int) -> None:
    for node in nodes:
        pool.power_on(node)
    for node in nodes:
        wait_for(f"glusterd of node {node}", partial(answers, pool, node))


@dataclass
class NodeGluster:
    """`Gluster` of one node of a `Pool`. That the volume is locked is no answer: it is asked again."""

    pool: Pool
    node: int

    def text(self, *words: str, seconds: int = 60) -> str:
        """The answer as it is, be it a refusal."""
        command = f"gluster --mode=script --timeout={seconds} --xml {' '.join(words)} || true"
        return self.pool.shell(self.node, command)

    def ask(self, *words: str, seconds: int = READ_SECONDS) -> ET.Element:
        return self._run(words, seconds)

    def volfile(self, volume: str) -> str:
        return self.pool.shell(self.node, f"gluster --mode=script system:: getspec {volume}")

    def change(self, *words: str) -> None:
        self._run(words, 120)

    def _run(self, words: tuple[str, ...], seconds: int) -> ET.Element:
        text = ""

        def unlocked() -> bool:
            nonlocal text
            text = self.text(*words, seconds=seconds)
            return "Another transaction is in progress" not in text

        wait_for("a lock that was left is taken away", unlocked, LOCK_SECONDS)
        root = ET.fromstring(text) if text.startswith("<?xml") else ET.Element("none")
        if root.findtext("opRet") != "0":
            raise ActionError(f"{' '.join(words)}: {root.findtext('opErrstr') or text}")
        return root

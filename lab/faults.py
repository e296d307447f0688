"""What life does to a cluster: power cuts, pulled cables, lost disks, a silent API server."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from lab.control_plane import API_SERVER
from lab.down import loop_of
from lab.errors import LabError
from lab.node import Node
from lab.paths import Paths
from lab.process import Registry, send, state
from lab.waiting import wait_for


def power_off(node: Node) -> None:
    """Raises LabError if it has none."""
    if node.init() is None:
        raise LabError(f"{node.name} has no power already")
    node.stop()


def power_on(node: Node) -> None:
    """Returns at once; the machine is Ready some seconds later. Does nothing if the power is on."""
    node.network.ensure_node(node.number)
    if node.init() is None:
        node.stop()
        node.network.plug(node.number, True)
        node.start()


def cut(node: Node) -> None:
    """Pulls the machine's network cable; all that runs on it goes on."""
    node.network.plug(node.number, False)


def mend(node: Node) -> None:
    node.network.plug(node.number, True)


@dataclass(frozen=True)
class ApiServer:
    """The API server can be made to fall silent: it keeps its connections and answers nothing."""

    registry: Registry

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def paused(self) -> bool:
        process = self.registry.get(API_SERVER)
        return process is not None and state(process.pid) == "T"

    def _signal(self, number: signal.Signals) -> None:
        process = self.registry.get(API_SERVER)
        if process is None or not send(process, number):
            raise LabError("the API server does not run: `make up` starts it")
        wait_for("the API server follows", lambda: self.paused() == (number == signal.SIGSTOP), 10)


def find_disk(paths: Paths, gluster_node: int) -> Path:
    """The file that is the disk of a gluster node. Raises LabError if there is none, or more than one."""
    name = f"gluster-persistent-storage-node-{gluster_node}-disk.img"
    found = sorted(paths.disks.glob(f"*/*/{name}"))
    if len(found) != 1:
        what = " and ".join(map(str, found)) or f"no {name} below {paths.disks}"
        raise LabError(f"gluster node {gluster_node} has not one disk: {what}")
    return found[0]


def holds(node: Node, disk: Path) -> bool:
    """Whether the machine has a file system of that disk mounted."""
    device, init = loop_of(node.paths, disk), node.init()
    if device is None or init is None:
        return False
    try:
        mounts = Path(f"/proc/{init.pid}/mountinfo").read_text().splitlines()
    except OSError:
        return False
    return any(line.partition(" - ")[2].split()[1] == device for line in mounts)


def lose_disk(paths: Paths, gluster_node: int, holder: int | None) -> Path:
    """Replaces the disk by a blank one of the same size. Raises LabError while a machine has it.

    `holder`: the number of that machine, None if none has.
    """
    disk = find_disk(paths, gluster_node)
    if holder is not None:
        raise LabError(
            f"machine {holder} has {disk.name}: add --now to cut its power first, or delete the disk's pod"
        )
    # The kernel frees it a moment after the machine that had it lost its power.
    wait_for(f"{disk.name} is free", lambda: loop_of(paths, disk) is None, 10)
    blank = disk.with_suffix(".new")
    with blank.open("wb") as file:
        os.truncate(file.fileno(), disk.stat().st_size)
    blank.replace(disk)
    return disk

"""Large I/O of a container through the driver's mount, against a mount by hand on the same machine.

One machine with one brick in memory, so that the way of the bytes through client and mounts is nearly
all there is to measure: no disk and no network hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bench import fio, table
from tests.csi.machine import Machine, running
from tests.csi.test_grpc import Driver

BY_HAND: Final = "/mnt/by-hand"
AGAIN: Final = "/mnt/by-hand-again"
"""A second such mount: what its ratio to the first differs from 1 by is noise."""
WANTED: Final = 0.98


def report(rounds: int, say: Callable[[str], None]) -> None:
    """Raises LabError."""
    with running() as machine:
        found = compare(machine, rounds)
    title = f"Large files through the driver, against a mount by hand, median of {rounds} rounds"
    say("\n".join([f"{title} (wanted: {WANTED}):", *table.lines("MB/s", 1e6, found), ""]))


def compare(machine: Machine, rounds: int) -> dict[str, dict[str, float]]:
    for place in (BY_HAND, AGAIN):
        machine.shell(f"mkdir -p {place} && mount -t glusterfs -o log-level=WARNING member:/data {place}")
    target = machine.target("bench")
    driver = Driver(machine.socket)
    driver.publish(target_path=target)
    container = machine.container(target, propagation="rslave")
    theirs = f"/proc/{container.pid()}/root/mnt/volume"
    variants = {
        "by hand": lambda: fio.measure(f"{machine.root}{BY_HAND}"),
        "driver": lambda: fio.measure(theirs),
        "by hand again": lambda: fio.measure(f"{machine.root}{AGAIN}"),
    }
    found = table.in_turn(rounds, variants)
    container.stop()
    driver.unpublish(target_path=target)
    driver.channel.close()
    machine.shell(f"umount {BY_HAND} {AGAIN}")
    return found

"""Ending a lab, whole or in pieces: also one whose commands were killed at any moment.

Nothing here trusts the records alone. What a lab owns is found by its id: in the environment, control
group or network namespace of processes, in the names of links, namespaces and groups, in the paths of
mounts and of the files behind loop devices.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from lab import cgroups, network
from lab.paths import Paths
from lab.process import kill, of_lab
from lab.run import ok, run
from lab.waiting import wait_for

LATE: Final = 10
"""Seconds in which what a killed command was just starting has become its program, which carries our mark."""


def down(paths: Paths) -> None:
    """Ends and removes everything of the lab. Raises LabError with what could not be removed."""
    remains: list[str] = []

    def nothing_left() -> bool:
        _end(paths)
        remains[:] = leftovers(paths)
        return not remains

    wait_for("nothing of the lab is left", nothing_left, LATE, why_not=lambda: "; ".join(remains))


def _end(paths: Paths) -> None:
    kill_all(paths)
    _unmount(paths)
    _detach_loops(paths)
    network.remove(paths.id)
    cgroups.remove(cgroups.left(paths.id))
    paths.remove()


def kill_all(paths: Paths) -> None:
    """Ends the lab's processes, and those that they start meanwhile."""
    namespaces = network.inodes(paths.id)

    def none_left() -> bool:
        found = of_lab(paths.id, namespaces)
        for process in found:
            kill(process)
        return not found

    wait_for("the lab's processes end", none_left, 60)


def leftovers(paths: Paths) -> list[str]:
    """A few words for each kind of thing that is still there; empty when the lab is gone."""
    kinds: dict[str, list[str]] = {
        "processes": [str(p.pid) for p in of_lab(paths.id, network.inodes(paths.id))],
        "mounts": _mounts(paths),
        "loop devices": list(_loops(paths)),
        "network namespaces": network.namespaces(paths.id),
        "links": network.left_links(paths.id),
        "control groups": [str(path) for path in cgroups.left(paths.id)],
        "files": [str(p) for p in (paths.record, paths.nodes, paths.sockets, paths.memory) if p.exists()],
    }
    return [f"{len(items)} {kind} ({', '.join(items[:3])})" for kind, items in kinds.items() if items]


def _mounts(paths: Paths) -> list[str]:
    """Mount points below the lab's folders, the innermost first."""
    roots = tuple(f"{root}/" for root in (paths.state, paths.sockets, paths.memory))
    points = [_unescape(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(roots)]


def _unescape(text: str) -> str:
    """The kernel writes blanks in paths as octal numbers.

    >>> _unescape("/a" + chr(92) + "040b")
    '/a b'
    """
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _unmount(paths: Paths) -> None:
    for point in _mounts(paths):
        run(["umount", "--lazy", point])


def _loops(paths: Paths) -> dict[str, str]:
    """Loop devices over the lab's disks, with the file behind each."""
    listed = run(["losetup", "--list", "--json", "--output", "NAME,BACK-FILE"]).strip()
    devices = json.loads(listed)["loopdevices"] if listed else []
    below = f"{paths.disks}{os.sep}"
    return {d["name"]: d["back-file"] for d in devices if (d["back-file"] or "").startswith(below)}


def loop_of(paths: Paths, disk: Path) -> str | None:
    """The loop device over a disk; None while no machine has it attached."""
    return next((name for name, file in _loops(paths).items() if file == str(disk)), None)


def _detach_loops(paths: Paths) -> None:
    for device in _loops(paths):
        ok(["losetup", "--detach", device])
    wait_for("the disks' loop devices are free", lambda: not _loops(paths), 10)

"""The control groups of a lab: one for each node, in which its pods' groups live.

Hybrid and v1 machines have one tree a controller, and every path here stands for one in each tree. The
branch for pure v2 machines (a usual Debian 12) could not be run where this was written: it follows
the kernel's documentation of cgroup v2 (a group with controllers for its children has no processes
of its own).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.addresses import node_name
from lab.waiting import wait_for

ROOT: Final = Path("/sys/fs/cgroup")
PURE: Final = (ROOT / "cgroup.controllers").exists()
"""Whether the machine has cgroup v2 and nothing else."""
CONTROLLERS: Final = ("cpuset", "cpu", "io", "memory", "pids")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted tree; `options` mount it again (empty for v2)."""

    path: Path
    options: str


def hierarchies(mountinfo: str | None = None) -> list[Hierarchy]:
    """The trees below /sys/fs/cgroup. On hybrid machines the v2 tree has no controllers: left out."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    found = []
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split()
        path = Path(fields.split()[4])
        if kind == "cgroup" and path.parent == ROOT:
            found.append(Hierarchy(path, _controllers(options)))
        elif kind == "cgroup2" and path == ROOT:
            found.append(Hierarchy(path, ""))
    return sorted(found, key=lambda h: str(h.path))


def _controllers(options: str) -> str:
    """Mount options that name the tree.

    >>> _controllers("rw,cpu,cpuacct"), _controllers("rw,xattr,name=systemd")
    ('cpu,cpuacct', 'none,name=systemd')
    """
    words = [w for w in options.split(",") if w not in ("rw", "ro", "xattr") and "release_agent" not in w]
    return ",".join(["none", *words] if words and words[0].startswith("name=") else words)


def ensure(lab_id: str, node: int) -> list[Path]:
    """The node's group in every tree, made if missing."""
    groups = []
    for tree in hierarchies():
        lab = tree.path / lab_id
        lab.mkdir(exist_ok=True)
        if PURE:
            _delegate(tree.path)
            _delegate(lab)
        elif "cpuset" in tree.options.split(","):
            # An empty set of processors or memory takes no process.
            (lab / "cgroup.clone_children").write_text("1")
            for file in ("cpuset.cpus", "cpuset.mems"):
                (lab / file).write_text((tree.path / file).read_text())
        (lab / node_name(node)).mkdir(exist_ok=True)
        groups.append(lab / node_name(node))
    return groups


def _delegate(group: Path) -> None:
    for controller in CONTROLLERS:
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def of_node(lab_id: str, node: int) -> list[Path]:
    return [path for tree in hierarchies() if (path := tree.path / lab_id / node_name(node)).is_dir()]


def left(lab_id: str) -> list[Path]:
    return [path for tree in hierarchies() if (path := tree.path / lab_id).is_dir()]


def pids(group: Path) -> list[int]:
    """Processes in the group and below."""
    found = []
    for folder, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()]
    return found


def remove(groups: list[Path], keep: bool = False) -> None:
    """Removes the groups and all below, whose processes are dying or dead; `keep`: only what is below.

    Raises LabError for what is not gone after 10 s.
    """
    stays = list[str]()

    def gone() -> bool:
        stays[:] = [str(group) for group in groups if not _remove(group, keep)]
        return not stays

    wait_for("control groups are empty", gone, 10, lambda: ", ".join(stays))


def _remove(group: Path, keep: bool) -> bool:
    below = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
    for folder in below[:-1] if keep else below:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not any(entry.is_dir() for entry in group.iterdir()) if keep else not group.exists()

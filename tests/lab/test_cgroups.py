"""Which trees of control groups a machine has, read from its mounts."""

from __future__ import annotations

from pathlib import Path

from lab.cgroups import Hierarchy, hierarchies

HYBRID = """
26 20 0:22 / /sys/fs/cgroup ro shared:4 - tmpfs tmpfs ro,mode=755
27 26 0:23 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw
28 26 0:24 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,name=systemd
29 26 0:25 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup rw,cpu,cpuacct
30 99 0:25 / /somewhere/else rw shared:7 - cgroup cgroup rw,cpu,cpuacct
""".strip()
PURE = "25 20 0:22 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot"


def test_hybrid_machines_have_a_tree_for_each_controller() -> None:
    root = Path("/sys/fs/cgroup")
    assert hierarchies(HYBRID) == [
        Hierarchy(root / "cpu,cpuacct", "cpu,cpuacct"),
        Hierarchy(root / "systemd", "none,name=systemd"),
    ]


def test_pure_machines_have_one() -> None:
    assert hierarchies(PURE) == [Hierarchy(Path("/sys/fs/cgroup"), "")]

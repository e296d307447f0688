"""What the tests look at in a pool: its data as a client sees it, and what the actor last said."""

from __future__ import annotations

import re
import shlex
import subprocess

from tests.integration.pool import Pool, wait_for

SERVER = "gluster-1.default.svc.cluster.local"
MOUNT = f"mkdir -p /run/t; mountpoint -q /run/t || mount -t glusterfs {SERVER}:/data /run/t; "
SUM = MOUNT + "cd /run/t && find . -type f | sort | xargs sha256sum | sha256sum"


def fill(pool: Pool, files: int = 80) -> None:
    """Writes so many small files through a client on node 1."""
    write = "head -c 20000 /dev/urandom > /run/t/f$i"
    pool.shell(1, f"{MOUNT} for i in $(seq {files}); do {write}; done")


def bricks(pool: Pool) -> dict[int, tuple[str, bool]]:
    """Path of each node's brick, and whether it is online, as the actor last said."""
    lines = pool.data("gluster-status").get("bricks", "").splitlines()
    found = (re.fullmatch(r"\d+ gluster-(\d+)\.[^:]*:(\S+) (\w+)", line) for line in lines)
    return {int(m[1]): (m[2], m[3] == "online") for m in found if m}


def whole(pool: Pool) -> bool:
    """All bricks are known to have every write."""
    return len(pool.data("gluster-status").get("whole", "").split()) == len(bricks(pool)) > 0


def all_well(pool: Pool, seconds: float = 180) -> None:
    def holds() -> bool:
        return whole(pool) and all(up for _, up in bricks(pool).values())

    wait_for("all bricks are up and whole", holds, seconds)


def why(pool: Pool, node: int) -> str:
    return pool.data(f"gluster-member-{node}").get("why", "")


def answers(pool: Pool, node: int) -> bool:
    """Whether a machine that was given power has a glusterd that can be asked."""
    try:
        return "<opRet>0" in pool.shell(node, "gluster --mode=script --timeout=10 --xml pool list || true")
    except subprocess.CalledProcessError:
        return False


def trouble(pool: Pool) -> str:
    return pool.data("gluster-status").get("trouble", "")


def take_as_right(pool: Pool) -> None:
    """Runs the command that `trouble` names."""
    (command,) = re.findall(r"kubectl (annotate .*take-as-right=[^']*')", trouble(pool))
    pool.kubectl(*shlex.split(command))


def state(pool: Pool, node: int) -> str:
    return pool.data(f"gluster-member-{node}").get("state", "")


def changes(pool: Pool, nodes: tuple[int, ...]) -> int:
    """Commands that changed the pool so far, by the sidecars' logs."""
    lines = [line for node in nodes for line in pool.log(node).splitlines()]
    return sum("gluster_sidecar.gluster gluster" in line for line in lines)


def replaced(pool: Pool, node: int, *, off: bool = True) -> None:
    """A node gets a blank disk and its power back; `off`: its power is to be cut first."""
    if off:
        pool.power_off(node)
        pool.announce(node, ready=False)
    pool.lose_disk(node)
    pool.power_on(node)
    pool.announce(node)

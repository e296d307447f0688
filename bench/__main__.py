"""`make bench`: figures that need no lab. Printed, never judged."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from gluster_sidecar import planner
from gluster_sidecar.model import Brick, Notes, Volume
from gluster_sidecar.settings import Settings

from bench.preview import compare
from tests.sidecar.world import World, host

NODES, ROUNDS = 1000, 20

RESIDENT = """
import gluster_sidecar.__main__, gluster_sidecar.loop, gluster_sidecar.kubernetes
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) for line in status if line.startswith("VmRSS")))
"""


def plan_milliseconds() -> float:
    """Median of planning for a steady pool of `NODES` in pairs, as its actor sees it."""
    world = World(Settings())
    nodes = tuple(range(1, NODES + 1))
    world.add_nodes(*nodes)
    world.peers = set(nodes)
    bricks = tuple(Brick(host(n), "/data/brick") for n in nodes)
    world.volume = Volume("data", True, 2, bricks)
    names = frozenset(brick.id for brick in bricks)
    world.notes = Notes(balanced=names, whole=names)
    world.want(*nodes)
    while (decision := planner.plan(world.cluster(1), world.settings)).rule == "set_options":
        for step in decision.steps:
            world.apply(step)
    cluster = world.cluster(1)
    rule = planner.plan(cluster, world.settings).rule
    assert rule == "steady", rule
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        planner.plan(cluster, world.settings)
        took.append(time.perf_counter() - started)
    return 1000 * statistics.median(took)


def resident_megabytes() -> float:
    """Of a process that has loaded all of the sidecar and looked at nothing yet."""
    done = subprocess.run([sys.executable, "-c", RESIDENT], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


if __name__ == "__main__":
    print(f"a plan for {NODES} nodes: {plan_milliseconds():.0f} ms (wanted: under 50)")
    print(
        f"resident memory of the loaded sidecar: {resident_megabytes():.0f} MB (wanted: 40 or less at rest)"
    )
    stack, plain = compare(NODES)
    for what, cost in ((f"preview of {NODES} nodes", stack), ("as many plain resources", plain)):
        print(
            f"{what}: {cost.resources} resources, {cost.seconds:.0f} s ({cost.cpu_seconds:.0f} s of CPU),"
            f" {cost.megabytes:.0f} MB"
        )
    print(
        f"ratio: {stack.seconds / plain.seconds:.1f} in time, {stack.cpu_seconds / plain.cpu_seconds:.1f}"
        f" in CPU, {stack.megabytes / plain.megabytes:.1f} in memory"
    )

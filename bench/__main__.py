"""`make bench`: figures of sidecar and stack, and of volumes on real daemons. Printed, never judged.

    python -m bench [sidecar] [sidecars] [preview] [profiles] [pauses] [driver] [claim]

All of them where none is named, on a machine that does nothing else. Volumes need fio, which Debian has;
`claim` measures in the lab that `make up` brought up.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gluster_sidecar import planner
from gluster_sidecar.model import Brick, Notes, Volume
from gluster_sidecar.profiles import COMMON
from gluster_sidecar.settings import Settings

from bench import claim, driver, fio, pauses, pool, profiles, sidecars
from bench.preview import compare
from lab import rootfs
from lab.errors import LabError
from tests.sidecar.world import World, host

NODES, ROUNDS = 1000, 20
VOLUME_ROUNDS: Final = 3
DRIVER_ROUNDS: Final = 12

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


def sidecar() -> None:
    say(f"a plan for {NODES} nodes: {plan_milliseconds():.0f} ms (wanted: under 50)")
    say(f"resident memory of the loaded sidecar: {resident_megabytes():.0f} MB (wanted: 40 or less at rest)")


def preview() -> None:
    stack, plain = compare(NODES)
    for what, cost in ((f"preview of {NODES} nodes", stack), ("as many plain resources", plain)):
        say(
            f"{what}: {cost.resources} resources, {cost.seconds:.0f} s ({cost.cpu_seconds:.0f} s of CPU),"
            f" {cost.megabytes:.0f} MB"
        )
    say(
        f"ratio: {stack.seconds / plain.seconds:.1f} in time, {stack.cpu_seconds / plain.cpu_seconds:.1f}"
        f" in CPU, {stack.megabytes / plain.megabytes:.1f} in memory"
    )


@contextmanager
def a_pool() -> Iterator[pool.Pool]:
    folder = Path(tempfile.mkdtemp(prefix="gluster-bench-"))
    made = pool.Pool(folder, rootfs.image())
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def say(text: str) -> None:
    print(text, flush=True)


def against_stock() -> None:
    with a_pool() as made:
        profiles.compare(made, profiles.create(made), VOLUME_ROUNDS, say)


def waits() -> None:
    with a_pool() as made:
        made.create("general", COMMON)
        pauses.report(made, "general", say)


PARTS: Final[dict[str, Callable[[], None]]] = {
    "sidecar": sidecar,
    "sidecars": lambda: sidecars.report(say),
    "preview": preview,
    "profiles": against_stock,
    "pauses": waits,
    "driver": lambda: driver.report(DRIVER_ROUNDS, say),
    "claim": lambda: claim.report(DRIVER_ROUNDS, say),
}

WITH_FIO: Final = ("profiles", "pauses", "driver", "claim")


def main(wanted: list[str]) -> int:
    if unknown := [name for name in wanted if name not in PARTS]:
        print(f"bench: {unknown[0]} is not known; known are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted or PARTS:
        why = fio.missing() if name in WITH_FIO else ""
        try:
            if why:
                raise LabError(why)
            PARTS[name]()
        except LabError as error:
            print(f"bench: {name} is left out: {error}", file=sys.stderr)
            failed = 1 if wanted else 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

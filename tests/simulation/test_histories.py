"""Random histories: no acknowledged write is ever lost, and once all is well the plan holds.

`SIMULATION_HISTORIES=5000 pytest tests/simulation` runs more of them; `SIMULATION_SEED` names the first.
"""

from __future__ import annotations

import os

import pytest
from gluster_sidecar.model import Brick

from tests.simulation.history import History
from tests.simulation.pool import node_of

HISTORIES = int(os.environ.get("SIMULATION_HISTORIES", "240"))
FIRST = int(os.environ.get("SIMULATION_SEED", "0"))
BLOCKS = 8


def converged(history: History) -> str:
    """Why the plan does not hold; empty if it does."""
    cluster, shared = history.cluster, history.gluster.main
    if shared is None or shared.volume is None or not shared.volume.started:
        return "no started volume"
    holders = [brick for brick in shared.volume.bricks if history.gluster.up(brick)]
    wanted = len(history.wanted)
    if len(holders) != wanted or len(shared.volume.bricks) != wanted:
        return f"{len(holders)} of {wanted} bricks serve: {[b.id for b in shared.volume.bricks]}"
    if set(cluster.documents) != history.wanted | history.spares:
        return f"members {sorted(cluster.documents)}"
    for home, one in zip(shared.homes, shared.volume.sets, strict=True):
        if any(home - (history.gluster.data(brick) or set()) for brick in one):
            return "copies lack writes"
    if old := [n for n, pod in cluster.pods.items() if pod.template != history.template]:
        return f"pods {old} are of an older template"
    return ""


def sick_sets(history: History) -> tuple[set[int], set[int]]:
    """Sets with a brick that does not serve or lacks writes; and those that nothing but an operator can mend:
    a majority of their disks is gone, or one of two, and its last report does not clear the other."""
    shared, gluster = history.gluster.main, history.gluster
    if shared is None or shared.volume is None:
        return set(), set()
    ill, excused = set[int](), set[int]()
    for index, (home, one) in enumerate(zip(shared.homes, shared.volume.sets, strict=True)):
        if any(not gluster.up(b) or home - (gluster.data(b) or set()) for b in one):
            ill.add(index)
        lost = [b for b in one if gluster.data(b) is None]
        if 2 * len(lost) > len(one) or (len(one) == 2 and lost and not cleared(history, one, lost[0])):
            excused.add(index)
    return ill, excused


def cleared(history: History, one: tuple[Brick, ...], lost: Brick) -> bool:
    reports = history.cluster.documents[node_of(lost)].member().blames
    return all(b.id in reports and not reports[b.id].blamed for b in one if b != lost)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_acknowledged_write_is_lost_and_the_plan_comes_to_hold(block: int) -> None:
    for seed in range(FIRST + block, FIRST + HISTORIES, BLOCKS):
        history = History(seed)
        try:
            history.run(120)
            history.settle()
            why = converged(history)
            waits = [d.waits_for for d in history.cluster.said.values()]
            ill, excused = sick_sets(history)
            assert not why or (ill and ill <= excused), f"{why}; they say {waits}\n{history.story()}"
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error

"""Random histories: no acknowledged write is ever lost, and once all is well the plan holds.

`SIMULATION_HISTORIES=5000 pytest tests/simulation` runs more of them; `SIMULATION_SEED` names the first.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.history import History

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


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_acknowledged_write_is_lost_and_the_plan_comes_to_hold(block: int) -> None:
    for seed in range(FIRST + block, FIRST + HISTORIES, BLOCKS):
        history = History(seed)
        try:
            history.run(120)
            history.settle()
            why = converged(history)
            waits = [d.waits_for for d in history.cluster.said.values()]
            asks = history.disks_lost and any("may lack writes" in w or "same set" in w for w in waits)
            assert not why or asks, f"{why}; they say {waits}\n{history.story()}"
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error

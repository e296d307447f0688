"""Every state of six nodes that differs in what a rule can see, in sets of two and of three.

Sets are alike, and so are the bricks of a set: `make check` takes one order of each. With
`EVERY_STATE=1` all orders are taken, which is a million pictures for each plan.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from gluster_sidecar import planner
from gluster_sidecar.settings import Settings

from tests.sidecar import laws
from tests.sidecar.clusters import leading, once_noted
from tests.sidecar.test_planner_laws import formed, picture
from tests.sidecar.world import WATCH

EVERY = os.environ.get("EVERY_STATE") == "1"
SPARE = 9

# Brick online, peer connected, pod ready, disk lost, noted as whole, the watch that its node answered last.
STATES: dict[str, tuple[object, ...]] = {
    "well": (True, True, True, False, True, WATCH),
    "has not answered yet": (True, True, True, False, True, "another"),
    "was started meanwhile": (True, True, True, False, True, ""),
    "lacks writes of another": (True, True, True, False, False, WATCH),
    "catches up": (True, True, False, False, False, ""),
    "not known": (None, True, True, False, True, WATCH),
    "brick died": (False, True, True, False, True, WATCH),
    "disk lost": (False, True, False, True, False, ""),
    "away": (False, False, False, False, False, WATCH),
    "cut off from glusterd": (True, False, True, False, True, WATCH),
}
FEW = tuple(name for name in STATES if name != "was started meanwhile")
One = tuple[str, ...]


def states(replication: int) -> Iterator[tuple[One, ...]]:
    """Of all sets together."""
    sets = 6 // replication
    if EVERY:
        one: Iterable[One] = itertools.product(STATES, repeat=replication)
        yield from itertools.product(list(one), repeat=sets)
    else:
        one = itertools.combinations_with_replacement(FEW, replication)
        yield from itertools.combinations_with_replacement(list(one), sets)


def asked(replication: int) -> tuple[frozenset[int], ...]:
    """What the stack may ask: all to stay, the last set to go, one node to go alone."""
    every = frozenset(range(1, 7))
    return every, frozenset(range(1, 7 - replication)), every - {1}


@pytest.mark.parametrize("wanted", range(3), ids=["all stay", "a set leaves", "one leaves"])
@pytest.mark.parametrize("replication", [2, 3])
def test_no_state_of_six_nodes_breaks_a_law(replication: int, wanted: int) -> None:
    base = formed(replication, 6, spares=(SPARE,)).cluster(1)
    settings, rules = Settings(replication=replication), Counter[str]()
    for sets in states(replication):
        named = dict(enumerate(itertools.chain(*sets), start=1))
        cluster = leading(
            picture(base, asked(replication)[wanted], {n: STATES[name] for n, name in named.items()})
        )
        for seen in (cluster, once_noted(cluster, settings)):
            decision = planner.plan(seen, settings)
            assert laws.holds(seen, decision) == "", named
            rules[decision.rule] += 1
    assert {"note_health", "replace_lost", "replace_away"} <= rules.keys(), "what the laws are about is met"
    assert rules["drain" if wanted == 1 else "move_off" if wanted == 2 else "steady"]

"""What one look cannot tell."""

from __future__ import annotations

from dataclasses import replace

from gluster_sidecar import actions as do
from gluster_sidecar import planner, report
from gluster_sidecar.memory import REFUSED_FOR, Lasting, Memory
from gluster_sidecar.settings import Settings

from tests.sidecar.world import World


def test_what_lasts_is_told_once_and_what_passes_is_not() -> None:
    told = Lasting(seconds=30)
    assert told.news(["a", "b"], 0) == []
    assert told.news(["a"], 29) == []
    assert told.news(["a", "b"], 30) == ["a"]
    assert told.news(["a", "b"], 59) == []
    assert told.news(["a", "b"], 60) == ["b"]


def test_what_was_mended_and_comes_back_is_told_again() -> None:
    told = Lasting(seconds=30)
    told.news(["a"], 0)
    assert told.news(["a"], 30) == ["a"]
    assert told.news([], 31) == []
    assert told.news(["a"], 32) == []
    assert told.news(["a"], 62) == ["a"]


def test_an_option_that_glusterd_refused_is_not_tried_again_for_a_while_and_holds_nothing_up() -> None:
    world = World()
    world.add_nodes(1, 2)
    world.want(1, 2)
    world.run()
    world.options = {"performance.cache-size": "banana"}
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    memory, cluster = Memory(), world.cluster(1)
    (refused,) = planner.plan(memory.added_to(cluster), Settings()).steps[:1]
    assert isinstance(refused, do.ProbePeer | do.SetOption)
    memory.option_refused("performance.cache-size", "banana", cluster.at)
    again = memory.added_to(cluster)
    assert not any(isinstance(s, do.SetOption) for s in planner.plan(again, Settings()).steps)
    said = report.settled_document(again, planner.Decision("steady"))["settled"]
    assert "not set yet, glusterd refuses performance.cache-size" in said
    later = replace(cluster, at=cluster.at + REFUSED_FOR)
    assert memory.added_to(later).own.refused == frozenset()

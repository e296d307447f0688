"""One sick thing stops nothing that it does not concern."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.memory import Memory
from gluster_sidecar.model import Cluster, Task, TaskState
from gluster_sidecar.settings import Settings

from tests.sidecar.test_guard import formed
from tests.sidecar.world import World, brick


def lose(world: World, *nodes: int) -> None:
    for node in nodes:
        world.places[node] = "/data/brick-2"
    world.lost |= set(nodes)
    world.down |= set(nodes)
    world.decide()


def replaced(cluster: Cluster) -> list[str]:
    steps = planner.plan(cluster, Settings()).steps
    return [step.old for step in steps if isinstance(step, do.ReplaceBrick)]


def resting(cluster: Cluster, *steps: do.Step) -> Cluster:
    return replace(cluster, own=replace(cluster.own, resting=frozenset(map(do.trial, steps))))


def test_a_set_that_waits_keeps_no_other_from_its_new_brick() -> None:
    """Of set 1 a disk is lost and the other brick is down; of set 2 a disk is lost and the other is whole."""
    world = formed(1, 2, 3, 4)
    world.down.add(1)
    lose(world, 2, 3)
    decision = world.decide()
    assert "to give node 2 a new brick for the one it lost: bricks" in decision.waits_for
    assert replaced(world.cluster(1)) == [brick(3)]


def test_a_replacement_that_glusterd_refuses_keeps_no_other_from_being_made() -> None:
    world = formed(1, 2, 3, 4)
    lose(world, 2, 3)
    cluster = world.cluster(1)
    assert replaced(cluster) == [brick(2)]
    refused = resting(cluster, do.ReplaceBrick("data", brick(2), "another folder than before"))
    assert replaced(refused) == [brick(3)]
    assert "glusterd refused it" in planner.plan(refused, Settings()).waits_for


def test_a_step_that_was_refused_rests_and_what_is_below_goes_on() -> None:
    world = formed(1, 2)
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    memory = Memory()
    while not (found := [step for step in world.decide().steps if isinstance(step, do.AddBricks)]):
        for step in world.decide().steps:
            if not isinstance(step, do.Wait):
                world.apply(step)
    (refused,) = found
    world.retemplate("new")
    world.want(1, 2, 3, 4)
    memory.refused(refused, world.now)
    decision = planner.plan(memory.added_to(world.cluster(1)), Settings())
    assert "adds brick /data/brick of node 3, brick /data/brick of node 4: this was" in decision.waits_for
    assert decision.rule == "roll"
    assert any(isinstance(step, do.DeletePod) for step in decision.steps)
    world.now += timedelta(seconds=10)
    assert refused in planner.plan(memory.added_to(world.cluster(1)), Settings()).steps


def test_a_node_that_cannot_be_let_in_keeps_no_other_out() -> None:
    world = formed(1, 2)
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    cluster = world.cluster(1)
    probes = [step for step in planner.plan(cluster, Settings()).steps if isinstance(step, do.ProbePeer)]
    assert len(probes) == 2
    found = planner.plan(resting(cluster, probes[0]), Settings())
    assert [step for step in found.steps if isinstance(step, do.ProbePeer)] == probes[1:]
    assert "was not let into the pool" in found.waits_for


def test_a_rebalance_that_runs_is_stopped_for_a_lost_brick_and_begun_again_after_it() -> None:
    world = formed(1, 2, 3, 4)
    assert world.volume
    running = Task("task-7", TaskState.RUNNING)
    world.notes = replace(world.notes, balanced=frozenset({brick(1), brick(2)}))
    world.volume = replace(world.volume, rebalance=running)
    world.decide()
    assert world.decide().waits_for == "data is spread over the new bricks"
    lose(world, 3)
    assert world.decide().steps == (do.StopRebalance("data"),)
    world.done.clear()
    world.apply(do.StopRebalance("data"))
    world.lost, world.down = {3}, {3}
    for _ in range(9):
        for step in world.decide().steps:
            if not isinstance(step, do.Wait):
                world.apply(step)
        world.down = set()
    kinds = [type(step) for step in world.done]
    assert kinds.index(do.ReplaceBrick) < kinds.index(do.StartRebalance)


def test_a_rebalance_goes_on_where_the_lost_brick_cannot_be_replaced() -> None:
    world = formed(1, 2, 3, 4)
    assert world.volume
    world.notes = replace(world.notes, balanced=frozenset({brick(1), brick(2)}))
    world.volume = replace(world.volume, rebalance=Task("task-7", TaskState.RUNNING))
    world.down.add(4)
    lose(world, 3)
    assert world.decide().waits_for == "data is spread over the new bricks"


def test_a_removal_that_runs_is_stopped_for_a_lost_brick() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    (start,) = world.decide().steps
    world.apply(start)
    lose(world, 2)
    assert do.StopRemoval("data", (brick(3), brick(4))) in world.decide().steps

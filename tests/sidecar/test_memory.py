"""What one look cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gluster_sidecar import actions as do
from gluster_sidecar import planner, report
from gluster_sidecar.memory import FILES_LEFT, REFUSED, Lasting, Memory, Tries
from gluster_sidecar.model import Task, TaskState
from gluster_sidecar.settings import Settings

from tests.sidecar.world import START, World


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


def test_what_glusterd_refused_rests_longer_each_time_and_is_tried_again() -> None:
    tries, at, what = Tries(), START, ("SetOption", "key", "value")
    for pause in (10, 20, 40):
        tries.note(what, at, REFUSED)
        assert what in tries.resting(at + timedelta(seconds=pause - 1))
        at += timedelta(seconds=pause)
        assert what not in tries.resting(at)
    for _ in range(20):
        tries.note(what, at, REFUSED)
    assert what not in tries.resting(at + REFUSED.longest), "never longer than that"
    tries.resting(at + timedelta(hours=1))
    tries.note(what, at, REFUSED)
    assert what not in tries.resting(at + REFUSED.first), "what is long past begins anew"


def test_an_option_that_glusterd_refused_is_not_tried_again_for_a_while_and_holds_nothing_up() -> None:
    world = formed()
    world.options = {"performance.cache-size": "banana"}
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    memory, cluster = Memory(), world.cluster(1)
    memory.refused(do.SetOption("data", "performance.cache-size", "banana"), cluster.at)
    again = memory.added_to(cluster)
    assert not any(isinstance(s, do.SetOption) for s in planner.plan(again, Settings()).steps)
    said = report.settled_document(again, planner.Decision("steady"))["settled"]
    assert "not set yet, glusterd refuses performance.cache-size" in said
    later = replace(cluster, at=cluster.at + REFUSED.first)
    assert memory.added_to(later).own.resting == frozenset()


def formed() -> World:
    world = World()
    world.add_nodes(1, 2)
    world.want(1, 2)
    world.run()
    return world


def test_a_rebalance_that_left_files_is_begun_again_after_a_pause_and_the_roll_goes_on() -> None:
    world = formed()
    world.add_nodes(3, 4)
    world.want(1, 2, 3, 4)
    memory = Memory()
    while not any(isinstance(step, do.StartRebalance) for step in world.done):
        for step in world.decide().steps:
            if not isinstance(step, do.Wait):
                world.apply(step)
    assert world.volume
    failed = Task("task-9", TaskState.DONE, failures=3)
    world.volume = replace(world.volume, rebalance=failed)
    world.retemplate("new")
    world.want(1, 2, 3, 4)
    for looks in range(3):
        cluster = memory.added_to(world.cluster(1))
        decision = planner.plan(cluster, Settings())
        assert "files could not be moved" in decision.waits_for, looks
        assert any(isinstance(step, do.DeletePod) for step in decision.steps), looks
    world.now += FILES_LEFT.first
    decision = planner.plan(memory.added_to(world.cluster(1)), Settings())
    assert do.StartRebalance("data") in decision.steps
    memory.done(do.AddBricks("data", ()), world.now)
    assert memory.added_to(world.cluster(1)).own.resting == frozenset()


def test_entries_that_nobody_heals_are_healed_again_and_again_with_pauses() -> None:
    world, memory, launched = formed(), Memory(), []
    world.heals, world.words = 2, {1: 2}
    for second in range(0, 150, 5):
        world.decide()  # writes down who is whole no more
        steps = planner.plan(memory.added_to(world.cluster(1)), Settings()).steps
        if do.LaunchHeal("data") in steps:
            launched.append(second)
            memory.done(do.LaunchHeal("data"), world.now)
        world.now += timedelta(seconds=5)
    assert launched == [10, 40, 100]
    world.heals = 1
    assert memory.added_to(world.cluster(1)).own.heals_wait_since == world.now, "they become fewer"
    world.heals = 0
    assert memory.added_to(world.cluster(1)).own.heals_wait_since is None


def test_no_heal_is_launched_for_a_brick_that_is_down() -> None:
    world = formed()
    world.heals, world.down = 2, {2}
    cluster = replace(world.cluster(1), own=replace(world.cluster(1).own, heals_wait_since=START))
    assert do.LaunchHeal("data") not in planner.plan(cluster, Settings()).steps

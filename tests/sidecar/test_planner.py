"""The planner by examples, each a sentence of the article or of design.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.contract import MemberState
from gluster_sidecar.model import Task, TaskState
from gluster_sidecar.settings import Settings

from tests.sidecar.world import World, brick, host


def formed(*nodes: int, replication: int = 2) -> World:
    world = World(Settings(replication=replication))
    world.add_nodes(*nodes)
    world.run()
    world.want(*nodes)
    world.run()
    world.done.clear()
    return world


@pytest.mark.parametrize("replication", [2, 3])
@pytest.mark.parametrize("sets", [1, 2, 3])
def test_all_nodes_at_once_become_one_volume_in_full_sets(replication: int, sets: int) -> None:
    nodes = range(1, replication * sets + 1)
    world = World(Settings(replication=replication))
    world.add_nodes(*nodes)
    assert world.run() == "steady"
    assert world.volume is not None
    assert world.volume.started
    assert [b.node for b in world.volume.bricks] == list(nodes)
    assert world.volume.replica == replication


def test_all_who_wait_are_invited_one_after_the_other_without_a_look_between() -> None:
    world = World()
    world.add_nodes(1, 2, 3, 4)
    assert world.decide().steps == tuple(do.ProbePeer(host(node)) for node in (2, 3, 4))


def test_a_volume_is_made_with_those_who_are_about_to_join_and_not_kept_back_by_those_who_are_not() -> None:
    world = World()
    world.add_nodes(1, 2, 3, 4)
    world.peers = {1, 2}
    cluster = world.cluster(1)
    late = {n: replace(cluster.members[n], knows=frozenset(), state=MemberState.STARTING) for n in (3, 4)}
    cluster = replace(cluster, members={**cluster.members, **late})
    assert planner.plan(cluster, Settings()).waits_for == "nodes 3, 4 are about to join"
    dead = tuple(replace(pod, ready=pod.node < 3) for pod in cluster.pods)
    *guards, made, _ = planner.plan(replace(cluster, pods=dead), Settings()).steps
    assert guards == [do.HoldData(n, frozenset({"/data/brick"})) for n in (1, 2)]
    assert isinstance(made, do.CreateVolume)
    assert made.bricks == (brick(1), brick(2))


def test_options_are_set_before_the_volume_starts() -> None:
    world = World()
    world.add_nodes(1, 2)
    world.run()
    kinds = [type(step) for step in world.done]
    assert max(i for i, k in enumerate(kinds) if k is do.SetOption) < kinds.index(do.StartVolume)


def test_growth_adds_a_set_and_spreads_the_data() -> None:
    world = formed(1, 2)
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    assert world.run() == "steady"
    assert world.volume is not None
    assert [[b.node for b in one] for one in world.volume.sets] == [[1, 2], [3, 4]]
    assert [s for s in world.done if isinstance(s, do.AddBricks)] == [
        do.AddBricks("data", (brick(3), brick(4)))
    ]
    assert do.StartRebalance("data") in world.done


def test_one_node_of_a_pair_waits_for_the_other() -> None:
    world = formed(1, 2)
    world.add_nodes(3, seconds=60)
    assert world.run() == "steady"
    assert not any(isinstance(s, do.AddBricks) for s in world.done)


def test_a_rebalance_that_never_started_is_started_by_the_next_actor() -> None:
    """Mistake 18 of the original: add-brick done, rebalance start failed, never tried again."""
    world = formed(1, 2)
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    while not any(isinstance(s, do.AddBricks) for s in world.done):
        world.apply(world.decide().steps[0])
    world.notes = replace(world.notes, rebalance_bricks=frozenset(map(brick, (1, 2, 3, 4))))
    assert do.StartRebalance("data") in world.decide().steps


def test_a_rebalance_that_failed_is_begun_again() -> None:
    world = formed(1, 2, 3, 4)
    assert world.volume is not None
    world.notes = replace(
        world.notes,
        balanced=frozenset(map(brick, (1, 2))),
        rebalance_bricks=frozenset(map(brick, (1, 2, 3, 4))),
        rebalance_after="",
    )
    world.volume = replace(world.volume, rebalance=Task("task-9", TaskState.FAILED))
    assert world.decide().steps == (
        do.NoteRebalance(frozenset(map(brick, (1, 2, 3, 4))), "task-9"),
        do.StartRebalance("data"),
    )


def test_shrink_moves_the_data_before_anything_is_let_go() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    assert world.run() == "steady"
    kinds = [type(s) for s in world.done if not isinstance(s, do.NoteBalanced | do.NoteHealth)]
    assert kinds == [
        *(do.StartRemoval, do.CommitRemoval, do.DetachPeer, do.DetachPeer),
        *2 * (do.ReleaseData, do.LiftFinalizer),
    ]
    assert world.terminating == set()


def test_the_plan_alone_begins_a_drain_and_the_member_goes_when_it_is_deleted_after_it() -> None:
    """As Pulumi does it: `up` waits until the plan holds, and deletes then."""
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.living, world.terminating = {1, 2, 3, 4}, set()
    assert world.run() == "steady"
    assert world.volume
    assert [b.node for b in world.volume.bricks] == [1, 2]
    assert world.peers == {1, 2}
    assert not any(isinstance(s, do.LiftFinalizer) for s in world.done)
    assert not world.cluster(1).may_hold(3)
    world.living, world.terminating = {1, 2}, {3, 4}
    world.run()
    assert world.terminating == set()


@pytest.mark.parametrize(
    ("heals", "down"),
    [(None, set()), (3, set()), (0, {3}), (0, {1})],
    ids=["unknown", "pending", "own", "other"],
)
def test_no_removal_starts_unless_every_copy_is_known_to_be_whole(heals: int | None, down: set[int]) -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.heals, world.down = heals, down
    decision = world.decide()
    assert decision.rule == "drain"
    assert all(isinstance(step, do.Wait) for step in decision.steps)


def test_a_removal_with_files_that_did_not_move_is_never_committed() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    assert world.volume is not None
    leaving = (brick(3), brick(4))
    for failures in (1, None):
        world.volume = replace(world.volume, removal=Task("t", TaskState.DONE, leaving, failures))
        assert world.decide().steps[-1] == do.StopRemoval("data", leaving)


def test_who_changes_their_mind_keeps_the_nodes() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.apply(world.decide().steps[0])
    world.plan = world.plan and replace(world.plan, nodes=frozenset((1, 2, 3, 4)))
    assert world.run() == "steady"
    assert do.StopRemoval("data", (brick(3), brick(4))) in world.done
    assert not any(isinstance(s, do.CommitRemoval | do.LiftFinalizer | do.ReleaseData) for s in world.done)
    assert world.terminating == {3, 4}, "to lift their finalizers would tell Pulumi that they are drained"
    world.want(1, 2)
    world.run()
    assert world.terminating == set()


def test_destroy_is_not_a_drain() -> None:
    world = formed(1, 2, 3, 4)
    world.plan = None
    world.terminating, world.living = {1, 2, 3, 4}, set()
    steps = world.decide().steps
    assert [(type(step), getattr(step, "node", 0)) for step in steps] == [
        *((do.ReleaseData, node) for node in (1, 2, 3, 4)),
        *((do.LiftFinalizer, node) for node in (2, 3, 4, 1)),
    ]


def test_without_a_plan_a_member_is_released_and_what_it_depends_on_stays_guarded() -> None:
    """A destroy may delete one member after the other; or somebody deleted the plan, or a node with all
    that depends on it, and everything of the node is refused after its member."""
    world = formed(1, 2, 3, 4)
    world.plan = None
    world.terminating, world.living = {4}, {1, 2, 3}
    assert world.decide().steps == (do.LiftFinalizer(4, None, "the plan is gone: teardown"),)
    world.run()
    assert all(world.cluster(1).may_hold(node) for node in (1, 2, 3, 4))
    world.want(1, 2, 3, 4)
    assert world.run() == "steady"
    assert 4 in world.living, "its member is there again"
    assert not any(isinstance(s, do.StartRemoval | do.ReleaseData | do.ReplaceBrick) for s in world.done)


def test_half_a_set_is_not_drained() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2, 3)
    world.run()
    assert not any(isinstance(s, do.StartRemoval | do.LiftFinalizer) for s in world.done)


def test_the_last_set_is_never_drained() -> None:
    world = formed(1, 2)
    world.want()
    assert "nothing would be left" in world.run()


def test_a_finalizer_that_was_taken_off_is_put_back() -> None:
    world = formed(1, 2)
    world.unheld = {2}
    assert world.decide().steps == (do.HoldMember(2),)


def test_the_oldest_acts_and_the_number_breaks_a_tie() -> None:
    world = World()
    world.add_nodes(2, 1, 3)
    assert world.cluster(1).seniority == (1, 2, 3)
    world.add_nodes(1, seconds=10)  # its pod was made again
    assert world.cluster(1).seniority == (2, 3, 1)


def test_a_node_that_lost_its_state_does_not_lead_those_who_kept_theirs() -> None:
    cluster = formed(1, 2).cluster(1)
    blank = replace(cluster.members[1], state=MemberState.WAITING, joined=False)
    assert replace(cluster, me=2, members={**cluster.members, 1: blank}).seniority == (2, 1)
    assert cluster.pool is not None
    itself = replace(cluster, pool=replace(cluster.pool, peers={}, volume=None))
    assert itself.seniority == (2, 1), "it knows before its report says so"


def test_a_dead_server1_is_followed_by_the_next_though_its_pod_still_runs() -> None:
    """Mistake 7: a dead machine's pod keeps the phase `Running`, and led for ever."""
    world = formed(1, 2)
    world.pods[1] = replace(world.pods[1], ready=False)
    assert world.pods[1].running
    assert world.cluster(2).server1 == 2
    world.pods[2] = replace(world.pods[2], ready=False)
    assert world.cluster(2).server1 == 1, "if nobody is ready, the oldest acts all the same"


def test_an_older_node_that_comes_late_does_not_make_a_second_pool() -> None:
    """Node 3 is the oldest, but its image came last: 1 and 2 are a pool by then."""
    world = World()
    world.add_nodes(3)
    world.add_nodes(1, 2, 4, seconds=1)
    late = world.pods.pop(3)
    world.apply(world.decide().steps[0])
    world.pods[3] = late
    assert world.cluster(3).server1 == 1
    alone = replace(world.cluster(3), pods=(late,))
    assert "are in a pool" in planner.plan(alone, Settings()).waits_for
    assert world.run() == "steady"
    assert world.peers == {1, 2, 3, 4}


def test_a_waiting_node_does_not_lead_those_that_catch_up() -> None:
    """All that hold a brick heal, so none is ready; the one that is knows nothing and could only wait."""
    world = formed(1, 2)
    world.add_nodes(3)
    for node in (1, 2):
        world.pods[node] = replace(world.pods[node], ready=False)
    assert world.cluster(1).server1 == 1
    world.plan = None
    assert world.cluster(3).server1 == 3, "a teardown needs no state"


def test_nodes_that_leave_lead_while_those_that_stay_know_nothing_yet() -> None:
    world = formed(3, 4, 5, 6)
    world.add_nodes(1, 2)
    world.want(1, 2)
    assert world.cluster(3).server1 == 3
    world.run()
    assert 1 in world.peers


def test_a_blank_pool_is_not_built_anew_over_nodes_that_remember_one() -> None:
    """Mistake 9: the original's leader, restarted blank, reported success with no volume for ever."""
    cluster = formed(1, 2).cluster(1)
    assert cluster.pool is not None
    alone = replace(cluster, pool=replace(cluster.pool, peers={}, volume=None))
    assert all(isinstance(step, do.Wait) for step in planner.plan(alone, Settings()).steps)
    forgotten = {n: replace(m, joined=False, state=MemberState.WAITING) for n, m in alone.members.items()}
    assert planner.plan(replace(alone, members=forgotten), Settings()).rule == "know_the_pool"


def test_only_the_holder_of_the_lease_acts_and_only_as_server1() -> None:
    world = World()
    world.add_nodes(1, 2)
    for me, lease in ((1, False), (2, True), (2, False)):
        decision = planner.plan(world.cluster(me, holds_lease=lease), Settings())
        assert all(isinstance(step, do.Wait) for step in decision.steps)
        assert decision.rule == "stand_by"


def test_a_glusterd_that_does_not_answer_is_not_an_empty_pool() -> None:
    cluster = replace(formed(1, 2).cluster(1), pool=None)
    assert planner.plan(cluster, Settings()).rule == "know_the_pool"


def test_bricks_whose_state_is_unknown_stop_everything_below() -> None:
    cluster = formed(1, 2, 3, 4).cluster(1)
    assert cluster.pool is not None
    assert cluster.pool.volume is not None
    unknown = replace(cluster.pool.volume, detailed=False)
    decision = planner.plan(replace(cluster, pool=replace(cluster.pool, volume=unknown)), Settings())
    assert decision.rule == "see_the_volume"


def test_nobody_is_probed_before_they_would_know_the_caller_by_name() -> None:
    world = World()
    world.add_nodes(1, 2)
    cluster = world.cluster(1)
    deaf = replace(cluster, members={**cluster.members, 2: replace(cluster.members[2], knows=frozenset({2}))})
    decision = planner.plan(deaf, Settings())
    assert decision.rule == "create_volume"
    assert decision.waits_for == "nodes 2 are about to join"
    assert planner.plan(cluster, Settings()).steps == (do.ProbePeer(host(2)),)


@pytest.mark.parametrize("cut", [1, 2, None])
def test_plans_cut_short_still_converge(cut: int | None) -> None:
    world = World()
    world.add_nodes(1, 2)
    assert world.run(cut_after=cut) == "steady"
    world.want(1, 2)
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    assert world.run(cut_after=cut) == "steady"
    world.want(1, 2)
    assert world.run(cut_after=cut) == "steady"
    assert world.volume is not None
    assert {b.node for b in world.volume.bricks} == {1, 2}


def test_who_leaves_hands_over_before_being_detached() -> None:
    world = formed(1, 2, 3, 4)
    for node in (1, 2):
        world.pods[node] = replace(world.pods[node], created=world.pods[node].created + timedelta(days=1))
    assert world.cluster(1).server1 == 3
    world.want(1, 2)
    assert world.cluster(1).server1 == 1
    assert world.run() == "steady"


def test_neighbours_in_number_wait_for_each_other() -> None:
    """Their disks are in different zones; nodes 1 and 3 may be in the same."""
    world = World()
    world.add_nodes(1, 3)
    world.run()
    assert world.volume is None
    world.add_nodes(2, 4)
    assert world.run() == "steady"
    assert world.volume
    assert [[b.node for b in one] for one in world.volume.sets] == [[1, 2], [3, 4]]


def test_new_members_wait_for_the_plan_which_comes_after_them_and_may_never_name_them() -> None:
    """Who is wanted only the plan says: an `up` may have been killed before it wrote that."""
    world = formed(1, 2)
    world.add_nodes(3, 4, seconds=60)
    assert world.run() == "steady"
    assert world.volume
    assert [b.node for b in world.volume.bricks] == [1, 2]
    world.terminating, world.living = {3, 4}, {1, 2}
    assert world.run() == "steady"
    assert not world.terminating, "and go at once"


def test_growth_after_an_interrupted_shrink_takes_who_is_left_of_it() -> None:
    """One of two members was deleted already, and the other stays (found by the model of the three views)."""
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.run()
    world.living |= {3, 4}
    world.want(1, 2, 3, 4)
    assert world.run() == "steady"
    assert world.volume
    assert sorted(b.node or 0 for b in world.volume.bricks) == [1, 2, 3, 4]


def test_a_node_whose_member_an_interrupted_destroy_has_taken_is_drained_all_the_same() -> None:
    world = formed(1, 2, 3, 4)
    world.living, world.terminating = {1, 2}, set()
    world.want(1, 2)
    assert world.run() == "steady"
    assert world.volume
    assert [b.node for b in world.volume.bricks] == [1, 2]
    assert do.RemakeMember(3, leaves=True) in world.done
    assert not world.terminating, "and its member has gone again"
    assert world.living == {1, 2}

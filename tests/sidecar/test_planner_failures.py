"""What breaks, and what is done about it, each a sentence of design.md section 5."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import planner, report
from gluster_sidecar.contract import MemberState
from gluster_sidecar.model import Cluster, Own, Pool, Task, TaskState
from gluster_sidecar.planner import Decision
from gluster_sidecar.planner.roll import SUCCESSOR_AFTER
from gluster_sidecar.settings import Settings

from tests.sidecar.clusters import once_noted
from tests.sidecar.world import START, World, brick, host


def formed(*nodes: int, replication: int = 2, spares: tuple[int, ...] = ()) -> World:
    world = World(Settings(replication=replication), spares=set(spares), grace=600)
    world.add_nodes(*nodes, *spares)
    world.want(*nodes)
    world.run()
    world.done.clear()
    return world


def lose_disk(world: World, node: int) -> None:
    """As seen once the node has its UUID back and is in the pool again: its brick is not on its disk."""
    world.lost.add(node)
    world.down.add(node)
    world.places[node] = "/data/brick-2"


def silence(world: World, *nodes: int) -> None:
    """Their machines are gone: glusterd sees no peer, Kubernetes no readiness."""
    world.down.update(nodes)
    world.away.update(nodes)
    for node in nodes:
        world.pods[node] = replace(world.pods[node], ready=False)


# -- a disk that was lost


def test_a_lost_disk_gets_a_brick_in_a_new_folder() -> None:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    assert do.ReplaceBrick("data", brick(4), f"{host(4)}:/data/brick-2") in world.decide().steps


def test_a_brick_that_was_just_made_is_not_replaced_on_a_word_about_the_one_before() -> None:
    """Its node had not heard of it yet, and it was not up yet: it was made twice, seen on 11.1."""
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    for step in world.decide().steps:
        world.apply(step)
    world.decide()
    world.places[4] = "/data/brick-3"
    cluster = world.cluster(1)
    for lost, replaced in ((brick(4), False), (f"{host(4)}:/data/brick-2", True)):
        said = replace(cluster.members[4], lost=frozenset({lost}))
        seen = once_noted(replace(cluster, members={**cluster.members, 4: said}), Settings())
        decision = planner.plan(seen, Settings())
        assert any(isinstance(step, do.ReplaceBrick) for step in decision.steps) is replaced


def test_the_last_good_copy_is_never_left_alone() -> None:
    """Mistake 23, glusterfs#895: the second brick of a set waits until the first is healed."""
    world = formed(1, 2)
    lose_disk(world, 2)
    for step in world.decide().steps:
        world.apply(step)
    world.down.clear()
    world.heals = 7
    world.decide()
    lose_disk(world, 1)
    decision = world.decide()
    assert not any(isinstance(step, do.ReplaceBrick) for step in decision.steps)
    assert "may lack writes" in decision.waits_for


def test_a_survivor_that_was_away_since_the_set_was_whole_is_no_source() -> None:
    world = formed(1, 2, 3, 4)
    world.down = {3}
    world.decide()
    world.down = set()
    world.heals = 5
    world.decide()
    lose_disk(world, 4)
    decision = world.decide()
    assert decision.rule == "replace_lost"
    assert "may lack writes" in decision.waits_for
    world.down.discard(4)
    world.lost.clear()
    world.heals = 0
    world.decide()
    lose_disk(world, 4)
    assert any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)


def test_a_survivor_that_has_not_caught_up_since_its_own_start_is_no_source() -> None:
    """Its machine started anew between two looks; the writes that it missed are on the one that dies next."""
    world = formed(1, 2, 3, 4, spares=(5,))
    world.pods[4] = replace(world.pods[4], ready=False)
    world.heals = 3
    assert planner.needs_heals(world.cluster(1))
    world.decide()
    world.pods[4] = replace(world.pods[4], ready=True)  # nobody is left whom it could ask
    silence(world, 3)
    world.decide()
    world.now += timedelta(days=1)
    assert "may lack writes" in world.decide().waits_for


def test_a_survivor_that_others_accuse_is_no_source() -> None:
    """server1 was cut off with brick 1, and clients wrote to brick 2 meanwhile."""
    world = formed(1, 2)
    world.down = {2}
    world.decide()
    world.down = set()
    cluster = world.cluster(1)
    assert cluster.pool
    assert cluster.pool.volume
    volume = replace(cluster.pool.volume, pending={brick(1): 0, brick(2): 3})
    decision = planner.plan(replace(cluster, pool=replace(cluster.pool, volume=volume)), Settings())
    assert decision.steps == (do.NoteHealth(frozenset(), {}),)
    mirrored = replace(volume, pending={brick(1): 3, brick(2): 0})
    assert (
        planner.plan(replace(cluster, pool=replace(cluster.pool, volume=mirrored)), Settings()).rule
        != "note_health"
    ), "brick 1 accuses, and is the one that is whole"


def test_nothing_is_known_of_bricks_that_are_not_noted_as_whole() -> None:
    """Somebody deleted the status object while a disk was lost."""
    world = formed(1, 2)
    lose_disk(world, 2)
    world.notes = replace(world.notes, whole=frozenset())
    assert "may lack writes" in world.decide().waits_for


@pytest.mark.parametrize("others", [{1}, {1, 3}])
def test_two_bricks_of_one_set_down_are_a_persons_matter(others: set[int]) -> None:
    world = formed(1, 2, 3, replication=3)
    lose_disk(world, 2)
    world.down |= others
    assert not any(
        isinstance(step, do.ReplaceBrick) for step in planner.plan(world.cluster(4), Settings()).steps
    )
    for step in world.decide().steps:
        assert isinstance(step, do.Wait)


@pytest.mark.parametrize("node", [1, 4], ids=["stays", "leaves"])
def test_a_removal_that_waits_for_a_lost_brick_is_undone_so_that_a_new_one_can_come(node: int) -> None:
    """glusterd commits only while all are up, and replaces nothing beside a removal: both would wait."""
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    for step in world.decide().steps:
        world.apply(step)
    world.pass_time()
    lose_disk(world, node)
    assert isinstance(world.decide().steps[-1], do.StopRemoval)
    while not any(isinstance(step, do.ReplaceBrick) for step in world.done):
        for step in world.decide().steps:
            world.apply(step)
    world.down.clear()
    assert world.run() == "steady"
    assert world.volume
    assert [b.node for b in world.volume.bricks] == [1, 2]


def test_no_replacement_beside_a_rebalance() -> None:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    assert world.volume
    world.volume = replace(world.volume, rebalance=Task("t", TaskState.RUNNING))
    assert world.decide().rule == "watch_rebalance"


def test_a_blank_node_that_the_pool_knows_asks_to_be_let_in_and_learns_the_rest_at_a_start() -> None:
    world = formed(1, 2)
    world.notes = replace(world.notes, peers=frozenset({1, 2}))
    blank = replace(world.cluster(2), pool=Pool("uuid-2", {}, None))
    assert planner.plan_own(blank, Settings()).steps == (do.ProbePeer(host(1)),)
    let_in = replace(blank, pool=Pool("uuid-2", world.cluster(2).pool.peers, None))  # type: ignore[union-attr]
    assert isinstance(planner.plan_own(long_so(let_in), Settings()).steps[0], do.RestartGlusterd)


def test_nodes_that_were_detached_do_not_make_a_pool_of_their_own() -> None:
    """The note of who is in the pool leaves them out before they are detached; a drain comes first."""
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    draining = report.status_document(world.cluster(1), Decision(""), Settings())
    assert draining["peers"] == "1,2,3,4"
    while world.decide().rule != "release":
        world.apply(world.decide().steps[0])
        world.pass_time()
    before = report.status_document(world.cluster(1), Decision(""), Settings())
    assert before["peers"] == "1,2"
    world.notes = replace(world.notes, peers=frozenset({1, 2}))
    detached = replace(world.cluster(3), pool=Pool("uuid-3", {}, None))
    assert planner.plan_own(detached, Settings()).steps == ()


def test_it_learns_the_volume_also_while_no_copy_is_known_to_be_whole() -> None:
    world = formed(1, 2)
    world.notes = replace(world.notes, peers=frozenset({1, 2}), whole=frozenset())
    let_in = replace(world.cluster(2), pool=Pool("uuid-2", world.cluster(2).pool.peers, None))  # type: ignore[union-attr]
    assert isinstance(planner.plan_own(long_so(let_in), Settings()).steps[0], do.RestartGlusterd)


def test_a_blank_node_that_nobody_knows_waits_to_be_invited() -> None:
    world = formed(1, 2)
    world.add_nodes(3)
    world.notes = replace(world.notes, peers=frozenset({1, 2}))
    stranger = replace(world.cluster(3), pool=Pool("uuid-3", {}, None))
    assert planner.plan_own(stranger, Settings()).steps == ()


# -- a brick that died


def long_so(cluster: Cluster) -> Cluster:
    """The same, seen for a minute."""
    return replace(cluster, own=replace(cluster.own, unwell_since=cluster.at - timedelta(minutes=1)))


def with_dead_brick(own: Own) -> Cluster:
    cluster = formed(1, 2).cluster(2)
    assert cluster.pool
    return replace(cluster, pool=replace(cluster.pool, brick_running=False), own=own)


def test_a_dead_brick_is_brought_back_by_its_own_node_without_force() -> None:
    assert isinstance(
        planner.plan_own(long_so(with_dead_brick(Own(writable=True))), Settings()).steps[0],
        do.RestartGlusterd,
    )


@pytest.mark.parametrize(
    "own",
    [
        Own(writable=True, restarted=START - timedelta(seconds=5)),
        Own(writable=False),
        Own(writable=None),
        Own(writable=True, lost=frozenset({brick(2)})),
    ],
    ids=["just tried", "read-only disk", "unknown disk", "lost disk"],
)
def test_a_brick_that_cannot_run_is_not_tried_again_and_again(own: Own) -> None:
    assert planner.plan_own(long_so(with_dead_brick(own)), Settings()).steps == ()


def test_glusterd_is_not_ended_in_the_middle_of_a_command() -> None:
    """A brick that is just being made does not run yet; ending glusterd then broke its store."""
    cluster = with_dead_brick(Own(writable=True))
    for since in (None, cluster.at, cluster.at - timedelta(seconds=19)):
        young = replace(cluster, own=replace(cluster.own, unwell_since=since))
        assert young.unwell
        assert planner.plan_own(young, Settings()).steps == ()


# -- a node that stays away


def test_a_node_within_its_grace_is_waited_for() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 3)
    world.decide()
    world.now += timedelta(seconds=599)
    assert not any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)


def test_a_spare_takes_the_place_of_one_that_stays_away() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 3)
    world.decide()
    world.now += timedelta(seconds=600)
    steps = world.decide().steps
    assert do.ReplaceBrick("data", brick(3), brick(5)) in steps
    world.run()
    assert do.StartRebalance("data") not in world.done, "it is healed: nothing is to be spread"


def test_up_does_not_wait_for_a_machine_that_a_spare_stands_in_for() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 3)

    def settled() -> str:
        return report.settled_document(world.cluster(1), Decision("steady"))["settled"]

    assert "pods of nodes 3 are not ready" in settled()
    world.decide()
    world.now += timedelta(seconds=600)
    world.run()
    assert settled() == "1,2,3,4@x"
    world.pods[5] = replace(world.pods[5], ready=False)
    assert "pods of nodes 5 are not ready" in settled()


def test_a_node_that_came_back_in_time_starts_its_grace_anew() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 3)
    world.decide()
    world.now += timedelta(seconds=500)
    world.down, world.away = set(), set()
    world.decide()
    silence(world, 3)
    world.decide()
    world.now += timedelta(seconds=500)
    assert not any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)


def test_without_a_grace_nobody_is_replaced() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    world.grace = None
    world.want(1, 2, 3, 4)
    silence(world, 3)
    world.decide()
    world.now += timedelta(days=365)
    assert not any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)


def test_one_that_is_replaced_and_comes_back_waits_as_the_spare_did() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 3)
    world.decide()
    world.now += timedelta(seconds=600)
    world.run()
    world.down, world.away = set(), set()
    world.pods[3] = replace(world.pods[3], ready=True)
    world.places[3] = "/data/brick-2"
    assert world.run() == "steady"
    assert world.volume
    assert sorted(b.node or 0 for b in world.volume.bricks) == [1, 2, 4, 5]


def test_no_quorum_no_replacement() -> None:
    world = formed(1, 2, 3, 4, 5, 6, spares=(7,))
    silence(world, 3, 5, 6)
    world.decide()
    world.now += timedelta(seconds=600)
    cluster = world.cluster(1)
    assert cluster.pool
    for connected, refused in (({2, 4, 7}, False), ({4, 7}, True)):
        peers = {h: replace(p, connected=h in map(host, connected)) for h, p in cluster.pool.peers.items()}
        decision = planner.plan(replace(cluster, pool=replace(cluster.pool, peers=peers)), world.settings)
        assert ("no quorum" in decision.waits_for) is refused
        assert any(isinstance(step, do.ReplaceBrick) for step in decision.steps) is not refused


def test_a_spare_holds_no_brick_until_it_is_needed() -> None:
    world = formed(1, 2, spares=(3, 4))
    assert world.volume
    assert [b.node for b in world.volume.bricks] == [1, 2]
    assert world.run() == "steady"


# -- leaving alone, and leaving with too much


def test_a_shrink_with_a_spare_in_the_set_takes_the_set_and_keeps_the_spare() -> None:
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 3)
    world.decide()
    world.now += timedelta(seconds=600)
    world.run()
    world.down, world.away = set(), set()
    world.pods[3] = replace(world.pods[3], ready=True)
    world.want(1, 2)
    assert world.run() == "steady"
    assert world.volume
    assert [b.node for b in world.volume.bricks] == [1, 2]
    assert not world.terminating


def test_a_node_that_leaves_a_set_that_stays_hands_its_brick_over() -> None:
    world = formed(1, 2, spares=(3,))
    silence(world, 2)
    world.decide()
    world.now += timedelta(seconds=600)
    world.run()  # node 3 has the place of node 2
    world.down, world.away = set(), set()
    world.pods[2] = replace(world.pods[2], ready=True)
    world.places[2] = "/data/brick-2"
    world.spares = set()
    world.want(1, 2)
    assert world.run() == "steady"
    assert world.volume
    assert sorted(b.node or 0 for b in world.volume.bricks) == [1, 2]
    assert not world.terminating


def test_nothing_is_drained_into_disks_that_cannot_hold_it() -> None:
    world = formed(1, 2, 3, 4)
    world.used[3] = world.free[1] = 5 << 30
    world.want(1, 2)
    assert "room for" in world.run()
    assert not any(isinstance(step, do.StartRemoval) for step in world.done)


def test_a_gone_node_without_a_brick_is_detached_by_force_and_let_go() -> None:
    world = formed(1, 2, spares=(3,))
    silence(world, 3)
    world.spares = set()
    world.want(1, 2)
    assert world.run() == "steady"
    assert do.DetachPeer(host(3), force=True) in world.done
    assert not world.terminating


def test_a_leaving_node_whose_disk_was_lost_is_detached_by_force_before_the_others() -> None:
    world = formed(1, 2, spares=(3, 4))
    world.spares = set()
    world.want(1, 2)
    cluster = world.cluster(1)
    assert cluster.pool
    peers = {h: replace(p, in_cluster=h != host(4)) for h, p in cluster.pool.peers.items()}
    steps = planner.plan(replace(cluster, pool=replace(cluster.pool, peers=peers)), Settings()).steps
    assert steps == (do.DetachPeer(host(4), force=True), do.DetachPeer(host(3)))


# -- pods of an older template


def rolled(world: World) -> list[int]:
    return [int(s.name.split("-")[1]) for s in world.done if isinstance(s, do.DeletePod)]


def test_outdated_pods_are_made_anew_one_by_one_the_actor_last() -> None:
    world = formed(1, 2, 3, 4)
    world.retemplate("new")
    world.run()
    assert rolled(world) == [2, 3, 4, 1]


def test_the_next_pod_waits_for_the_heal_of_the_one_before() -> None:
    world = formed(1, 2, 3, 4)
    world.retemplate("new")
    world.heals = 3
    decision = world.decide()
    assert decision.rule == "roll"
    assert "wait to be healed" in decision.waits_for
    assert not any(isinstance(step, do.DeletePod) for step in decision.steps)


def test_a_broken_pod_of_an_old_template_goes_first_and_at_once() -> None:
    """A ReplicationController keeps a pod that never starts; mending its template must help."""
    world = formed(1, 2, 3, 4)
    world.retemplate("new")
    world.down = {3}
    world.pods[3] = replace(world.pods[3], ready=False)
    assert [s.name for s in world.decide().steps if isinstance(s, do.DeletePod)] == [world.pods[3].name]


def test_a_pod_is_outdated_when_its_controller_would_create_another_whatever_the_plan_says() -> None:
    """An interrupted `up` left a plan with a template that was taken back: pods were deleted without end."""
    world = formed(1, 2, 3, 4)
    assert world.plan
    world.plan = replace(world.plan, template="taken back")
    assert world.run() == "steady"
    assert rolled(world) == []
    grown = formed(1, 2)
    grown.retemplate("new")  # with the growth, in one `up`: the plan comes last
    grown.add_nodes(3, 4, seconds=60)
    assert grown.run() == "steady"
    assert rolled(grown) == [2, 1]
    grown.want(1, 2, 3, 4)
    assert grown.run() == "steady"
    assert rolled(grown) == [2, 1]


def test_nothing_is_rolled_while_the_controllers_are_not_known() -> None:
    world = formed(1, 2)
    world.retemplate("new")
    cluster = replace(world.cluster(1), controllers=None)
    assert planner.plan(cluster, Settings()).steps == ()


def test_a_bad_template_stops_the_roll_after_one_pod_and_taking_it_back_mends_it() -> None:
    world = formed(1, 2, 3, 4)
    world.retemplate("good")
    world.run()
    world.done.clear()
    world.retemplate("bad")
    world.apply(world.decide().steps[0])
    world.pods[2] = replace(world.pods[2], ready=False)
    world.down = {2}
    for _ in range(100):
        world.now += timedelta(seconds=7)
        assert all(isinstance(step, do.Wait) for step in world.decide().steps)
    world.retemplate("good")
    (step,) = world.decide().steps
    assert step == do.DeletePod(world.pods[2].name, world.pods[2].uid)
    world.apply(step)
    world.pods[2], world.down = replace(world.pods[2], ready=True), set()
    assert world.run() == "steady"
    assert rolled(world) == [2, 2]


def test_a_pod_that_never_started_is_replaced_before_its_node_is_a_member() -> None:
    """Growth with a wrong image: `up` waits for the pod before it creates the member."""
    world = formed(1, 2)
    world.retemplate("bad")
    world.add_nodes(3)
    world.living.discard(3)
    world.pods[3] = replace(world.pods[3], ready=False)
    for node in (1, 2):
        world.controllers[node] = replace(world.controllers[node], template="")
    assert world.run() == "steady"
    world.retemplate("good")
    assert world.decide().steps[-1] == do.DeletePod(world.pods[3].name, world.pods[3].uid)


def test_pods_that_do_not_serve_are_replaced_one_at_a_time_with_a_pause_after_one_that_is_not_ready() -> None:
    world = formed(1, 2, 3, 4)
    world.retemplate("new")
    world.down = {3, 4}
    for node in (3, 4):
        world.pods[node] = replace(world.pods[node], ready=False)
    world.apply(world.decide().steps[0])
    assert "new pod of node 3 is not ready yet" in world.decide().waits_for
    world.now += SUCCESSOR_AFTER
    assert world.decide().steps == (do.DeletePod(world.pods[4].name, world.pods[4].uid),)
    del world.pods[3]
    assert "new pod of node 3 is not ready yet" in world.decide().waits_for


# -- another life


def test_no_volume_is_made_over_a_disk_that_was_a_brick() -> None:
    world = World()
    world.add_nodes(1, 2)
    world.places[2] = "/data/brick-2"
    assert "another life" in world.run()
    assert world.volume is None


def test_an_arbiter_volume_is_made_as_such() -> None:
    world = World(Settings(replication=3, arbiter=True))
    world.add_nodes(1, 2, 3)
    world.want(1, 2, 3)
    assert world.run() == "steady"
    assert world.volume
    assert world.volume.arbiter


def test_a_peer_under_a_wrong_name_gets_its_own() -> None:
    world = formed(1, 2)
    cluster = world.cluster(1)
    assert cluster.pool
    misnamed = {"kn2": replace(cluster.pool.peers[host(2)], host="kn2")}
    cluster = replace(
        cluster,
        pool=replace(cluster.pool, peers=misnamed, volume=None),
        members={n: replace(m, state=MemberState.PEER, joined=False) for n, m in cluster.members.items()},
        notes=replace(cluster.notes, balanced=frozenset()),
    )
    assert planner.plan(cluster, Settings()).steps == (do.ProbePeer(host(2)),)


@pytest.mark.parametrize(("failures", "done"), [(0, True), (2, False), (None, False)])
def test_data_is_spread_only_when_every_file_has_moved(failures: int | None, done: bool) -> None:
    """A rebalance with failures is begun again; one whose failures are not known is not believed."""
    world = formed(1, 2)
    world.add_nodes(3, 4)
    world.want(1, 2, 3, 4)
    while not any(isinstance(step, do.StartRebalance) for step in world.done):
        for step in world.decide().steps:
            world.apply(step)
    assert world.volume
    assert world.volume.rebalance
    finished = replace(world.volume.rebalance, state=TaskState.DONE, failures=failures)
    world.volume = replace(world.volume, rebalance=finished)
    steps = world.decide().steps
    assert any(isinstance(step, do.NoteBalanced) for step in steps) is done
    assert any(isinstance(step, do.StartRebalance) for step in steps) is not done


def test_what_waits_for_one_that_is_away_accuses_nobody_else() -> None:
    """Three copies: both others have entries for the third, and are whole all the same."""
    world = formed(1, 2, 3, replication=3, spares=(4,))
    silence(world, 3)
    world.heals = 8
    world.decide()
    world.now += timedelta(seconds=600)
    assert do.ReplaceBrick("data", brick(3), brick(4)) in world.decide().steps


def test_options_that_are_taken_back_get_their_default_again_and_those_of_a_person_stay() -> None:
    """`settled` said that all holds, and the options of a profile stayed set for ever."""
    world = formed(1, 2)
    assert world.volume
    world.volume = replace(world.volume, options={**world.volume.options, "auth.allow": "10.*"})
    world.options = {"performance.nl-cache": "on", "performance.stat-prefetch": "on"}
    world.want(1, 2)
    world.run()
    world.options = {"performance.stat-prefetch": "on"}
    world.want(1, 2)
    world.decide()
    said = report.settled_document(world.cluster(1), Decision("steady"))["settled"]
    assert "options performance.nl-cache were taken back and are not reset yet" in said
    world.run()
    assert world.volume.options.keys() >= {"auth.allow", "performance.stat-prefetch"}
    assert "performance.nl-cache" not in world.volume.options
    assert "performance.nl-cache" not in world.notes.options
    assert report.settled_document(world.cluster(1), Decision("steady"))["settled"] == "1,2@x"

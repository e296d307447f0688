"""The laws over every picture of a cluster: drawn at random, and all small ones by count."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.contract import MemberState, node_of_host
from gluster_sidecar.model import Cluster, Task, TaskState
from gluster_sidecar.planner.look import is_ready
from gluster_sidecar.settings import Settings
from hypothesis import assume, given, settings

from tests.sidecar import laws
from tests.sidecar.clusters import clusters, leading, once_noted, shuffled
from tests.sidecar.world import START, World, brick, host

many = settings(max_examples=250, derandomize=True)


@many
@given(clusters())
def test_no_decision_breaks_a_law(drawn: tuple[Cluster, Settings]) -> None:
    for cluster in (drawn[0], leading(drawn[0])):
        assert laws.holds(cluster, planner.plan(cluster, drawn[1])) == ""


@many
@given(clusters())
def test_the_order_in_which_things_are_seen_does_not_matter(drawn: tuple[Cluster, Settings]) -> None:
    cluster, one = leading(drawn[0]), drawn[1]
    decision = planner.plan(cluster, one)
    assert planner.plan(cluster, one) == decision
    assert planner.plan(shuffled(cluster), one) == decision
    assert planner.plan_own(shuffled(cluster), one) == planner.plan_own(cluster, one)


@many
@given(clusters())
def test_a_teardown_lets_go_who_is_being_deleted_and_does_nothing_else(
    drawn: tuple[Cluster, Settings],
) -> None:
    cluster = leading(replace(drawn[0], plan=None))
    assume(planner.acts(cluster))
    assume(cluster.controllers is not None and cluster.claims is not None)
    going = {n for n, m in cluster.members.items() if m.terminating and m.held}
    holding = {n for n in range(1, 9) if cluster.may_hold(n)} if cluster.torn_down else set()
    decision = planner.plan(cluster, drawn[1])
    lifted = {step.node for step in decision.steps if isinstance(step, do.LiftFinalizer)}
    released = {step.node for step in decision.steps if isinstance(step, do.ReleaseData)}
    assert (lifted, released) == (going, holding)
    if going or holding:
        assert len(decision.steps) == len(going) + len(holding)
        assert [type(s) for s in decision.steps] == [do.ReleaseData] * len(holding) + [
            do.LiftFinalizer
        ] * len(going)


@many
@given(clusters())
def test_a_node_for_itself_only_asks_to_be_let_in_and_starts_its_own_glusterd(
    drawn: tuple[Cluster, Settings],
) -> None:
    cluster, one = drawn
    for step in planner.plan_own(cluster, one).steps:
        assert isinstance(step, do.ProbePeer | do.RestartGlusterd | do.DetachPeer | do.EndBrick)
        if isinstance(step, do.EndBrick):  # its disk serves nobody, and the copies that are left take writes
            assert cluster.pool
            assert cluster.pool.volume
            assert cluster.own.service.disk
            (its,) = (s for s in cluster.pool.volume.sets if any(b.node == cluster.me for b in s))
            serving = [m for b in its if (m := cluster.holder(b)) and m.brick == b.id and m.process]
            left = [m for m in serving if m.node != cluster.me and is_ready(cluster.pod(m.node))]
            assert len(left) * 2 > len(its) or len(left) == len(its) - 1 == 1
        if isinstance(step, do.DetachPeer):  # out of a pool without a volume that nobody acts for
            assert cluster.pool
            assert cluster.pool.volume is None
            assert not cluster.notes.peers & {cluster.me, node_of_host(step.host) or 0}
        if isinstance(step, do.ProbePeer):  # blank, or among others who do not know the volume either
            assert cluster.pool
            assert cluster.pool.volume is None
            assert step.host not in cluster.pool.peers


@pytest.mark.parametrize(("replication", "count"), [(2, 2), (2, 4), (2, 6), (3, 3), (3, 6)])
def test_when_all_is_as_asked_nothing_is_done(replication: int, count: int) -> None:
    world = formed(replication, count)
    assert planner.plan(world.cluster(1), world.settings) == planner.Decision("steady")
    for node in range(1, count + 1):
        assert planner.plan_own(world.cluster(node), world.settings) == planner.Decision("steady")


def formed(replication: int, count: int, spares: tuple[int, ...] = ()) -> World:
    nodes = range(1, count + 1)
    world = World(Settings(replication=replication), spares=set(spares), grace=60)
    world.add_nodes(*nodes, *spares)
    world.want(*nodes)
    world.run()
    return world


# What a rule can see of one node: its brick, its peer, its pod, its disk, what is noted.
NODES = tuple(
    state
    for state in itertools.product(
        (True, False, None), (True, False), (True, False), (True, False), (True, False)
    )
    if not (state[0] is True and state[3])  # a brick that is up is not lost
)


def every_state(count: int, replication: int, plans: tuple[frozenset[int], ...]) -> Iterator[Cluster]:
    """All pictures of the set of nodes 1 to `replication`; the rest are well, with a spare that waits."""
    base = formed(replication, count, spares=(9,)).cluster(1)
    assert base.pool
    assert base.pool.volume
    for wanted, states in itertools.product(plans, itertools.product(NODES, repeat=replication)):
        yield picture(base, wanted, dict(enumerate(states, start=1)))


def picture(base: Cluster, wanted: frozenset[int], states: Mapping[int, tuple[Any, ...]]) -> Cluster:
    """`base` with those states of nodes, a day later, when another set of nodes is wanted."""
    pool = base.pool
    assert pool
    assert pool.volume
    bricks = list(pool.volume.bricks)
    peers, members, whole = dict(pool.peers), dict(base.members), set(base.notes.whole)
    pods, away = {pod.node: pod for pod in base.pods}, dict[int, datetime]()
    for node, (online, connected, ready, lost, noted, *rest) in states.items():
        index = next(i for i, b in enumerate(bricks) if b.node == node)
        bricks[index] = replace(bricks[index], online=online)
        if host(node) in peers:
            peers[host(node)] = replace(peers[host(node)], connected=bool(connected))
        pods[node] = replace(pods[node], ready=bool(ready))
        members[node] = replace(
            members[node], lost=frozenset({brick(node)} if lost else ()), place="/data/brick-2"
        )
        if rest:
            members[node] = replace(members[node], caught_up=str(rest[0] or ""))
        if not noted:
            whole.discard(brick(node))
        if online is False and not connected and not ready:
            away[node] = START
    for node in members.keys() - wanted - {9}:
        members[node] = replace(members[node], terminating=True)
    return replace(
        base,
        at=START + timedelta(days=1),
        pods=tuple(pods.values()),
        members=members,
        plan=base.plan and replace(base.plan, nodes=wanted),
        notes=replace(base.notes, whole=frozenset(whole), away=away),
        pool=replace(pool, peers=peers, volume=replace(pool.volume, bricks=tuple(bricks))),
    )


def test_every_state_of_a_pair_beside_a_pair_that_is_well() -> None:
    plans = (frozenset({1, 2, 3, 4}), frozenset({1, 2}), frozenset({3, 4}))
    seen, replaced = 0, 0
    for cluster in every_state(4, 2, plans):
        for one in (cluster, leading(cluster)):
            decision = planner.plan(one, Settings(replication=2))
            assert laws.holds(one, decision) == ""
            replaced += any(isinstance(step, do.ReplaceBrick) for step in decision.steps)
            seen += 1
    assert seen > 5_000
    assert replaced > 10, "the states must reach what the laws are about"


def test_no_replacement_of_any_state_meets_a_start_of_a_glusterd() -> None:
    """But that of a node which is gone, should it ever come back."""
    gone = set[int]()
    for cluster in every_state(4, 2, (frozenset({1, 2, 3, 4}),)):
        one = leading(cluster)
        for node, member in one.members.items():
            started = replace(member, start_asked="now", start_granted="now")
            met = replace(one, members={**one.members, node: started})
            decision = planner.plan(met, Settings(replication=2))
            assert laws.holds(met, decision) == ""
            if any(isinstance(step, do.ReplaceBrick) for step in decision.steps):
                gone.add(node)
    assert gone == {1, 2}


def test_every_state_of_a_set_of_three() -> None:
    replaced = 0
    for cluster in every_state(3, 3, (frozenset({1, 2, 3}),)):
        one = leading(cluster)
        decision = planner.plan(one, Settings(replication=3))
        assert laws.holds(one, decision) == ""
        replaced += any(isinstance(step, do.ReplaceBrick) for step in decision.steps)
    assert replaced > 10


def tasks(leaving: tuple[str, ...], counts: tuple[int | None, ...]) -> tuple[Task | None, ...]:
    return (None, *(Task("t", state, leaving, count) for state in TaskState for count in counts))


def test_every_state_of_heals_and_tasks_while_a_set_leaves_or_pods_are_outdated() -> None:
    """What is asked of the volume as a whole, with one brick and one peer in each of their states."""
    base = formed(2, 4, spares=(9,)).cluster(1)
    assert base.pool
    assert base.pool.volume
    assert base.plan
    leaving, counts = (brick(3), brick(4)), (0, 1, None)
    states = itertools.product(
        itertools.product(counts, counts),
        tasks((), (None,)),
        tasks(leaving, counts),
        (frozenset({1, 2, 3, 4}), frozenset({1, 2})),
        ("", "new"),
        (True, False, None),
        (True, False),
    )
    seen = set[type[do.Step]]()
    for pending, rebalance, removal, wanted, template, online, connected in states:
        cluster = picture(base, wanted, {4: (online, connected, True, False, True)})
        assert cluster.pool
        assert cluster.pool.volume
        assert cluster.plan
        volume = replace(
            cluster.pool.volume,
            pending={brick(1): 0, brick(2): pending[0], brick(3): pending[1], brick(4): 0},
            rebalance=rebalance,
            removal=removal,
        )
        cluster = replace(
            cluster,
            pool=replace(cluster.pool, volume=volume),
            controllers={n: replace(c, template=template) for n, c in (cluster.controllers or {}).items()},
        )
        cluster = once_noted(cluster, Settings())
        decision = planner.plan(cluster, Settings())
        assert laws.holds(cluster, decision) == ""
        seen |= {type(step) for step in decision.steps}
    assert {do.StartRemoval, do.CommitRemoval, do.StopRemoval, do.DeletePod, do.Wait} <= seen


def test_every_state_of_two_nodes_that_may_remember_a_volume_which_their_server1_does_not() -> None:
    world = World()
    world.add_nodes(1, 2)
    world.peers = {1, 2}
    base = world.cluster(1)
    assert base.pool
    nodes = tuple(
        itertools.product(
            (True, False),
            (MemberState.WAITING, MemberState.PEER, MemberState.JOINED),
            (True, False),
            ("/data/brick", "/data/brick-2"),
        )
    )
    made = 0
    for states, noted, blank in itertools.product(
        itertools.product(nodes, repeat=2), (True, False), (True, False)
    ):
        members, pods = dict(base.members), {pod.node: pod for pod in base.pods}
        for node, (joined, state, ready, place) in enumerate(states, start=1):
            members[node] = replace(members[node], joined=joined, state=state, place=place)
            pods[node] = replace(pods[node], ready=ready)
        cluster = leading(
            replace(
                base,
                pods=tuple(pods.values()),
                members=members,
                notes=replace(base.notes, balanced=frozenset({brick(1)} if noted else ())),
                pool=replace(base.pool, peers={} if blank else base.pool.peers),
            )
        )
        decision = planner.plan(cluster, Settings())
        assert laws.holds(cluster, decision) == ""
        made += any(isinstance(step, do.CreateVolume) for step in decision.steps)
    assert made

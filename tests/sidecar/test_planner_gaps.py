"""What nobody saw: the time between two looks, between two actors, and in a pool that went on without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import planner, report
from gluster_sidecar.contract import MemberState
from gluster_sidecar.memory import GAP, Memory
from gluster_sidecar.model import Blame, Cluster, Notes, Peer, Pool
from gluster_sidecar.planner.gates import QUORUM_TYPE, entries_missing
from gluster_sidecar.settings import Settings

from tests.sidecar.test_planner_failures import formed, lose_disk, silence
from tests.sidecar.world import WATCH, World, brick, host


def with_a_gone_disk() -> World:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    return world


def replaces(world: World) -> bool:
    return any(isinstance(step, do.ReplaceBrick) for step in world.decide().steps)


# -- a brick that was away and back while nobody looked


@pytest.mark.parametrize(
    ("word", "trusted"), [(WATCH, True), ("2@before", False)], ids=["answered", "not answered yet"]
)
def test_a_survivor_is_relied_on_once_its_node_has_answered_in_this_watch(word: str, trusted: bool) -> None:
    """Another acted before; the note that the brick is whole is from then."""
    world = with_a_gone_disk()
    world.caught_up[3] = word
    assert replaces(world) is trusted
    assert brick(3) in world.notes.whole, "it may still say so"


def test_a_survivor_that_was_started_in_the_gap_is_no_source() -> None:
    world = with_a_gone_disk()
    world.caught_up[3] = ""
    assert not replaces(world)
    assert brick(3) not in world.notes.whole
    world.caught_up.clear()
    assert not replaces(world), "whom it could ask is gone"


def test_nor_is_it_for_a_spare() -> None:
    """The machine of brick 4 is gone; it may have taken writes while brick 3 was away."""
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 4)
    world.caught_up[3] = ""
    assert not replaces(world)
    world.caught_up.clear()
    world.now += timedelta(days=1)
    assert not replaces(world)
    assert "may lack writes" in world.decide().waits_for


@pytest.mark.parametrize("word", [2, None])
def test_the_last_word_of_a_brick_that_is_gone_counts(word: int | None) -> None:
    """Clients reached brick 4 and not brick 3, and then brick 4 was lost, all between two looks."""
    world = with_a_gone_disk()
    world.words[4] = word
    assert not replaces(world)
    assert "may lack writes" in world.decide().waits_for


def test_who_says_that_another_lacks_something_has_the_heals_asked() -> None:
    world = formed(1, 2, 3, 4)
    assert not planner.needs_heals(world.cluster(1))
    world.words[4] = 1
    assert planner.needs_heals(world.cluster(1))


def test_a_watch_is_one_run_of_looks_by_one_actor() -> None:
    world, memory = formed(1, 2), Memory()

    def look(seconds: float, *, acts: bool = True) -> str:
        world.now += timedelta(seconds=seconds)
        return memory.added_to(world.cluster(1, holds_lease=acts)).own.watch

    first = look(0)
    assert first
    assert look(GAP.seconds) == first
    second = look(GAP.seconds + 1)
    assert second not in ("", first), "it may have slept for long"
    assert look(1, acts=False) == ""
    assert look(1) not in ("", first, second), "another may have acted"


def test_a_look_without_the_bricks_is_no_part_of_a_watch() -> None:
    world, memory = formed(1, 2), Memory()
    first = memory.added_to(world.cluster(1)).own.watch
    cluster = world.cluster(1)
    assert cluster.pool
    assert cluster.pool.volume
    blind = replace(cluster, pool=replace(cluster.pool, volume=replace(cluster.pool.volume, detailed=False)))
    for _ in range(4):
        world.now += GAP / 4
        memory.added_to(replace(blind, at=world.now))
    world.now += timedelta(seconds=1)
    assert memory.added_to(world.cluster(1)).own.watch != first


def test_a_node_answers_the_watch_that_it_is_told_only_if_its_brick_has_caught_up() -> None:
    world = formed(1, 2)
    cluster = world.cluster(1)
    told = report.status_document(cluster, planner.Decision(""), Settings())["watch"]
    assert told == WATCH
    heard = replace(cluster, notes=replace(cluster.notes, watch=told))
    ready = report.readiness(heard, 0)
    for caught_up, said in ((True, WATCH), (False, "")):
        words = report.own_member(heard, ready, (1, 2), 0, None, caught_up=caught_up)
        assert words["caughtUp"] == said


def test_the_last_word_of_a_lost_brick_stands() -> None:
    cluster = formed(1, 2).cluster(1)
    lost = replace(cluster, own=replace(cluster.own, lost=frozenset({brick(cluster.me)})))
    blank = replace(cluster, pool=Pool("uuid-1", {}, None))
    for gone in (lost, blank):
        assert "heals" not in report.own_member(gone, report.readiness(gone, None), (), None, None)
    assert report.own_member(cluster, report.readiness(cluster, None), (), None, None)["heals"] == ""


CLEAR, BLAMED, EARLIER = ("now", False), ("now", True), ("before", False)


@pytest.mark.parametrize(
    ("said", "behind"),
    [
        ({2: CLEAR, 3: CLEAR}, 0),
        ({2: CLEAR}, 0),
        ({2: CLEAR, 3: BLAMED}, 5),
        ({3: BLAMED}, 5),
        ({2: EARLIER, 3: EARLIER}, None),
        ({}, None),
    ],
    ids=["in sync", "a majority says so", "one blames it", "one of one", "of an earlier start", "nobody"],
)
def test_what_a_brick_lacks_is_told_by_the_others_of_its_set(
    said: dict[int, tuple[str, bool]], behind: int | None
) -> None:
    cluster = formed(1, 2, 3, replication=3).cluster(1)
    assert with_reports(cluster, said) == (behind, behind == 0)


@pytest.mark.parametrize(("said", "behind"), [({2: CLEAR}, 0), ({2: BLAMED}, 5), ({}, None)])
def test_of_two_copies_only_the_other_can_tell(said: dict[int, tuple[str, bool]], behind: int | None) -> None:
    assert with_reports(formed(1, 2).cluster(1), said) == (behind, behind == 0)


def test_without_quorum_a_majority_proves_nothing() -> None:
    cluster = formed(1, 2, 3, replication=3).cluster(1)
    assert cluster.pool
    assert cluster.pool.volume
    loose = replace(cluster.pool.volume, options={QUORUM_TYPE: "none"})
    loose_pool = replace(cluster, pool=replace(cluster.pool, volume=loose))
    assert with_reports(loose_pool, {2: CLEAR}) == (None, False)
    assert with_reports(loose_pool, {2: CLEAR, 3: CLEAR}) == (0, True)


def with_reports(cluster: Cluster, said: dict[int, tuple[str, bool]]) -> tuple[int | None, bool]:
    """What brick 1 lacks, and whether it is Ready, where the others report that of it and of that start."""
    assert cluster.pool
    assert cluster.pool.volume
    mine = cluster.pool.volume.bricks[0]
    members = dict(cluster.members)
    for node, member in cluster.members.items():
        blames = {}
        if node in said:
            start, blamed = said[node]
            blames = {mine.id: Blame("71.1" if start == "now" else "71.0", blamed)}
        members[node] = replace(member, blames=blames, heals=5)
    own = replace(cluster.own, processes={mine.path: "71.1"})
    cluster = replace(cluster, members=members, own=own)
    behind = entries_missing(cluster, mine)
    return behind, report.readiness(cluster, behind).ready


# -- a pool that does not know a node any more


def outcast() -> tuple[World, Cluster]:
    """Node 3 was detached by force while it was away, is wanted again, and has its old state."""
    world = formed(1, 2, 3, 4)
    cluster = world.cluster(3)
    return world, replace(cluster, notes=replace(cluster.notes, peers=frozenset({1, 2, 4})))


def test_an_outcast_does_not_lead_and_says_that_it_waits() -> None:
    world, cluster = outcast()
    old = {3: replace(cluster.pods[2], created=cluster.at - timedelta(days=1))}
    cluster = replace(cluster, pods=tuple(old.get(pod.node, pod) for pod in cluster.pods))
    assert replace(cluster, notes=world.notes).server1 == 3
    assert cluster.server1 == 1
    ready = report.readiness(cluster, None)
    said = report.own_member(cluster, ready, (1, 2, 3, 4), None, None)
    assert (ready.ready, said["state"], said["joined"], said["brick"]) == (True, "waiting", ready.why, "")
    assert "does not have it as a peer" in said["why"]


def test_an_outcast_is_invited_again() -> None:
    world = formed(1, 2)
    world.add_nodes(3)
    world.want(1, 2, 3)
    assert world.decide().steps == (do.ProbePeer(host(3)),)


def test_two_that_lost_their_disks_at_once_ask_one_that_has_the_volume() -> None:
    """They took each other for members, as each was still said to be one, and made a pool of their own."""
    world = formed(1, 2, 3, 4)
    world.notes = replace(world.notes, peers=frozenset({1, 2, 3, 4}))
    cluster = world.cluster(1)
    members = {
        **cluster.members,
        1: replace(cluster.members[1], state=MemberState.PEER, joined=False),
        2: replace(cluster.members[2], state=MemberState.PEER, joined=False),
    }
    each_other = Pool("uuid-1", {host(2): Peer(host(2), "uuid-2", True, True)}, None)
    stuck = replace(
        cluster,
        members=members,
        pool=each_other,
        own=replace(cluster.own, unwell_since=cluster.at - timedelta(minutes=1)),
    )
    assert planner.plan_own(stuck, Settings()).steps == (do.ProbePeer(host(3)),)
    blank = replace(stuck, pool=Pool("uuid-1", {}, None))
    assert planner.plan_own(blank, Settings()).steps == (do.ProbePeer(host(3)),), "not the other blank one"
    let_in = replace(
        stuck,
        pool=replace(each_other, peers={host(n): Peer(host(n), f"uuid-{n}", True, True) for n in (2, 3)}),
    )
    assert isinstance(planner.plan_own(let_in, Settings()).steps[0], do.RestartGlusterd)


def test_blank_nodes_that_met_do_not_write_down_that_they_are_the_pool() -> None:
    """All that hold a brick caught up and were not ready, so one of the two acted: the rest was cast out."""
    world = formed(1, 2, 3, 4)
    cluster = world.cluster(1)
    met = Pool("uuid-1", {host(2): Peer(host(2), "uuid-2", True, True)}, None)
    assert "peers" not in report.status_document(replace(cluster, pool=met), planner.Decision(""), Settings())
    nobody = {n: replace(m, joined=False, state=MemberState.PEER) for n, m in cluster.members.items()}
    first = replace(cluster, pool=met, members=nobody, notes=Notes())
    assert report.status_document(first, planner.Decision(""), Settings())["peers"] == "1,2"


def test_a_pool_that_was_begun_and_not_said_is_dissolved_by_its_nodes() -> None:
    """The actor probed one and died; the next knew nothing of it and began another pool."""
    world = World()
    world.add_nodes(1, 2, 3, 4)
    world.peers = {1, 2}
    nobody = replace(world.cluster(1), notes=Notes(peers=frozenset({3, 4})))
    assert planner.plan_own(nobody, Settings()).steps == (), "of the other pool nobody is left"
    other = {n: replace(nobody.members[n], state=MemberState.PEER) for n in (3, 4)}
    cluster = replace(nobody, members={**nobody.members, **other})
    assert planner.plan_own(cluster, Settings()).steps == (do.DetachPeer(host(2)),)
    assert cluster.pool
    gone = replace(cluster.pool.peers[host(2)], connected=False)
    alone = replace(cluster, pool=replace(cluster.pool, peers={host(2): gone}))
    assert planner.plan_own(alone, Settings()).steps == (do.DetachPeer(host(2), force=True),)
    for peers in ({1, 3, 4}, {2, 3, 4}, set()):  # it is known, it was just invited by 2, nothing was said yet
        noted = replace(cluster, notes=Notes(peers=frozenset(peers)))
        assert planner.plan_own(noted, Settings()).steps == ()
    kept = formed(1, 2, 3, 4).cluster(1)
    outcasts = replace(kept, notes=replace(kept.notes, peers=frozenset({8, 9})))
    assert outcasts.outcast
    assert planner.plan_own(outcasts, Settings()).steps == (), "never with a volume"


def test_a_dead_server1_is_replaced_by_the_next_though_nobody_acted_for_a_while() -> None:
    """The gap of a failover keeps nobody from being replaced once all have answered."""
    world = formed(1, 2, 3, 4, spares=(5,))
    silence(world, 1)
    world.caught_up = dict.fromkeys((2, 3, 4, 5), "1@before")
    world.decide()
    world.now += timedelta(days=1)
    assert "have not said in this watch" in world.decide().waits_for
    world.caught_up.clear()
    assert replaces(world)

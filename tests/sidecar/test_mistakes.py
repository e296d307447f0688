"""Mistakes of the original that no other test is about (`tests/MISTAKES.md`)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.settings import Settings

from tests.sidecar.world import World, host


def formed(*nodes: int) -> World:
    world = World()
    world.add_nodes(*nodes)
    world.run()
    world.want(*nodes)
    world.run()
    world.done.clear()
    return world


def test_another_replication_changes_no_volume_that_exists() -> None:
    """Mistake 19: `add-brick ... replica 3` made a pair and whatever third brick there was a set of three."""
    world = formed(1, 2)
    world.settings = Settings(replication=3)
    world.add_nodes(3, 4, 5)
    world.want(1, 2, 3, 4, 5)
    world.run()
    assert world.volume
    assert world.volume.replica == 2
    assert [b.node for b in world.volume.bricks] == [1, 2]


def test_nobody_probes_itself() -> None:
    """Mistake 20: the leader is not in its own peer status, and was taken for an orphan every cycle."""
    world = World()
    world.add_nodes(1, 2, 3, 4)
    world.run()
    probed = [step.host for step in world.done if isinstance(step, do.ProbePeer)]
    assert probed == [host(2), host(3), host(4)]


def test_a_dead_node_without_a_spare_keeps_nobody_from_being_invited() -> None:
    """Mistake 26: one dead peer ended every cycle before the rest of it."""
    world = formed(1, 2)
    world.down, world.away = {2}, {2}
    world.pods[2] = replace(world.pods[2], ready=False)
    world.add_nodes(3)
    world.want(1, 2, 3)
    assert world.decide().steps == (do.ProbePeer(host(3)),)


def test_a_peer_that_is_gone_and_comes_back_takes_no_command() -> None:
    """Mistake 25: a passing disconnect had glusterd stopped and its files rewritten on a healthy node."""
    world = formed(1, 2)
    world.down, world.away = {2}, {2}
    world.pods[2] = replace(world.pods[2], ready=False)
    world.decide()
    for heals in (None, 4, 0):
        world.heals = heals
        for node in (1, 2):
            assert world.decide().steps == ()
            assert planner.plan_own(world.cluster(node), world.settings).steps == ()
        world.down, world.away = set(), set()
        world.pods[2] = replace(world.pods[2], ready=True)


@pytest.mark.parametrize(("connected", "in_cluster"), [(True, False), (False, True), (False, False)])
def test_a_peer_is_well_only_if_connected_and_in_the_cluster(connected: bool, in_cluster: bool) -> None:
    """Mistake 13: "Peer Rejected" and half accepted peers were taken for members, or for dead disks."""
    world = formed(1, 2)
    world.add_nodes(3, 4)
    world.want(1, 2, 3, 4)
    while world.decide().rule == "invite":
        world.apply(world.decide().steps[0])
    cluster = world.cluster(1)
    assert cluster.pool
    assert isinstance(planner.plan(cluster, world.settings).steps[-1], do.AddBricks)
    ill = replace(cluster.pool.peers[host(4)], connected=connected, in_cluster=in_cluster)
    pool = replace(cluster.pool, peers={**cluster.pool.peers, host(4): ill})
    assert planner.plan(replace(cluster, pool=pool), world.settings).rule == "steady"


def test_every_name_of_a_cluster_may_be_another() -> None:
    """Mistakes 10 and 25: the volume's name was written into the code, and taken for the brick's."""
    world = World(
        Settings(
            pod_labels={"app": "x"},
            cluster_name="files",
            cluster_port=7,
            volume_name="vol",
            brick_name="store",
            replication=2,
            namespace="other",
        )
    )
    world.add_nodes(1, 2)
    world.peers = {1, 2}
    cluster = replace(world.cluster(1), namespace="other")
    names = {f"gluster-{n}.other.svc.cluster.local" for n in (1, 2)}
    assert cluster.pool
    (peer,) = cluster.pool.peers.values()
    renamed = replace(peer, host="gluster-2.other.svc.cluster.local")
    cluster = replace(
        cluster,
        pool=replace(cluster.pool, peers={renamed.host: renamed}),
        members={n: replace(m, place="/store/brick") for n, m in cluster.members.items()},
    )
    made = next(s for s in planner.plan(cluster, world.settings).steps if isinstance(s, do.CreateVolume))
    assert made.name == "vol"
    assert set(made.bricks) == {f"{name}:/store/brick" for name in names}

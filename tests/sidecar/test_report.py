"""What is said of a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from gluster_sidecar import disk, hosts, report, trouble
from gluster_sidecar.model import Cluster, Pool
from gluster_sidecar.planner import Decision

from tests.sidecar.world import World, brick, host

STEADY = Decision("steady")


def formed() -> Cluster:
    world = World()
    world.add_nodes(1, 2)
    world.run()
    world.want(1, 2)
    world.run()
    return world.cluster(1)


def running(cluster: Cluster, running: bool) -> Cluster:
    assert cluster.pool is not None
    return replace(cluster, pool=replace(cluster.pool, brick_running=running))


def test_a_node_that_waits_is_ready_so_that_a_first_up_does_not_wait_for_itself() -> None:
    world = World()
    world.add_nodes(1)
    assert report.readiness(world.cluster(1), None).ready


@pytest.mark.parametrize(
    ("brick_up", "behind", "ready"),
    [(True, 0, True), (True, 3, False), (False, None, False), (True, None, False)],
    ids=["whole", "behind", "brick down", "nobody to ask"],
)
def test_ready_means_its_copy_is_whole(brick_up: bool, behind: int | None, ready: bool) -> None:
    assert report.readiness(running(formed(), brick_up), behind).ready is ready


def test_a_pool_of_which_nobody_is_left_keeps_no_node_from_being_invited() -> None:
    """All were detached before there was a volume, and wanted again; the note still names them."""
    world = World()
    world.add_nodes(1, 2)
    world.notes = replace(world.notes, peers=frozenset({1, 2}))
    assert report.readiness(world.cluster(2), None).ready
    world.peers = {1}
    assert not report.readiness(replace(world.cluster(2), pool=Pool("uuid-2", {}, None)), None).ready


def test_a_glusterd_that_does_not_answer_leaves_what_was_last_said() -> None:
    silent = replace(formed(), pool=None)
    said = report.own_member(silent, report.readiness(silent, None), (1, 2), None, None)
    assert not {"joined", "state", "uuid", "brick"} & said.keys()


def test_a_node_that_never_joined_says_where_up_waits_that_glusterd_does_not_answer() -> None:
    cluster = formed()
    silent = replace(
        cluster, pool=None, members={**cluster.members, 1: replace(cluster.members[1], joined=False)}
    )
    said = report.own_member(silent, report.readiness(silent, None), (1, 2), None, None)
    assert said["joined"] == "glusterd does not answer"


def test_joined_means_a_running_brick_and_says_why_it_is_not() -> None:
    """Pulumi shows, while it waits, what the awaited field holds and nothing else of the object."""
    for up, joined in ((True, "true"), (False, f"its brick {brick(1)} is not running")):
        cluster = running(formed(), up)
        said = report.own_member(cluster, report.readiness(cluster, 0), (1, 2), 0, "/data/brick-2")
        assert said["joined"] == joined
        assert said["brick"] == brick(1)


def test_settled_names_the_wanted_nodes_only_when_all_of_them_serve() -> None:
    cluster = formed()
    assert report.settled_document(cluster, STEADY) == {"plan": "1,2@x", "settled": "1,2@x"}
    well = cluster.members[2]
    pending = replace(cluster, members={**cluster.members, 2: replace(well, terminating=True)})
    assert report.settled_document(pending, STEADY)["settled"] == "1,2@x", (
        "wanted again, and as good as before"
    )
    for ill in (replace(well, joined=False), replace(well, held=False)):
        assert "2" in unsettled(replace(cluster, members={**cluster.members, 2: ill})), ill
    assert "2" in unsettled(replace(cluster, members={1: cluster.members[1]}))


def unsettled(cluster: Cluster) -> str:
    """What is missing. The stack's own field is emptied, so that the next `up` waits again."""
    said = report.settled_document(cluster, STEADY)
    assert said["plan"] == ""
    assert said["settled"] not in ("", "1,2@x")
    return said["settled"]


def test_settled_means_that_controllers_claims_and_pods_are_as_the_plan_asks() -> None:
    cluster = formed()
    assert cluster.plan
    assert cluster.controllers
    assert cluster.claims
    assert "not known" in unsettled(replace(cluster, controllers=None))
    assert "claims of nodes 2 are not there" in unsettled(replace(cluster, claims={1: cluster.claims[1]}))
    going = {**cluster.controllers, 2: replace(cluster.controllers[2], terminating=True)}
    assert "controllers of nodes 2 are not there" in unsettled(replace(cluster, controllers=going))
    asked = replace(cluster, plan=replace(cluster.plan, template="new"))
    assert "nodes 1,2 do not have the plan's template yet" in unsettled(asked)
    new = {n: replace(c, template="new") for n, c in cluster.controllers.items()}
    assert "pods of nodes 1,2 are of an older template" in unsettled(replace(asked, controllers=new))


def test_what_leaves_is_said_until_it_may_go() -> None:
    world = World()
    world.add_nodes(1, 2, 3, 4)
    world.want(1, 2, 3, 4)
    world.run()
    world.want(1, 2)
    world.terminating, world.living = set(), {1, 2, 3, 4}
    said = report.settled_document(world.cluster(1), STEADY)
    assert "nodes 3,4 leave: node 3 holds a brick of the volume" in said["settled"]
    world.left[3] = {"/data/brick": (2, ("a", "b"))}
    world.run()
    cluster = world.cluster(1)
    said = report.settled_document(cluster, STEADY)
    assert "nodes 3 leave: 2 files are left in its brick /data/brick: a, b" in said["settled"]
    assert any("2 files are left" in line for line in trouble.troubles(cluster))
    del world.left[3]
    world.run()
    assert report.settled_document(world.cluster(1), STEADY)["settled"] == "1,2@x"


def test_a_deletion_that_the_plan_does_not_ask_for_is_said() -> None:
    cluster = formed()
    pending = replace(cluster.members[2], terminating=True)
    order = report.member_order(replace(cluster, members={**cluster.members, 2: pending}), STEADY, 2)
    assert "the plan names it" in order["order"]
    assert cluster.controllers
    assert cluster.claims
    going = {**cluster.controllers, 2: replace(cluster.controllers[2], terminating=True)}
    (line,) = trouble.troubles(replace(cluster, controllers=going))
    assert "controller of node 2, which holds data, is being deleted" in line
    (line,) = trouble.troubles(replace(cluster, claims={1: cluster.claims[1]}))
    assert "claim of node 2, which holds data, is missing" in line
    (line,) = trouble.troubles(replace(cluster, plan=None))
    assert "plan object is missing" in line


def test_clients_are_sent_to_members_with_a_running_brick_only() -> None:
    cluster = formed()
    assert [e["addresses"] for e in report.endpoints(cluster)] == [["10.0.0.1"], ["10.0.0.2"]]
    one = replace(cluster, pods=tuple(replace(pod, ready=pod.node == 1) for pod in cluster.pods))
    assert cluster.pool
    assert cluster.pool.volume

    def seen(*, brick: bool | None, connected: bool) -> list[str]:
        """Node 2 as the leader's glusterd has it."""
        assert one.pool
        assert one.pool.volume
        volume = one.pool.volume
        bricks = tuple(replace(b, online=brick) if b.node == 2 else b for b in volume.bricks)
        peers = {host(2): replace(one.pool.peers[host(2)], connected=connected)}
        pool = replace(one.pool, peers=peers, volume=replace(volume, bricks=bricks))
        return [e["addresses"][0] for e in report.endpoints(replace(one, pool=pool))]

    both = ["10.0.0.1", "10.0.0.2"]
    assert seen(brick=True, connected=True) == both, "the last copy is not Ready after a restart"
    assert seen(brick=None, connected=True) == seen(brick=False, connected=True) == both[:1]
    assert seen(brick=True, connected=False) == both[:1]


def test_the_hosts_file_is_changed_in_our_block_only() -> None:
    before = "127.0.0.1 localhost\n# kept\n"
    once = hosts.merged(before, {2: "10.0.0.2", 1: "10.0.0.20"}, "default")
    assert once.endswith(before)
    assert f"10.0.0.20\t{host(1)}" in once.splitlines()
    assert hosts.merged(once, {2: "10.0.0.2", 1: "10.0.0.20"}, "default") == once
    moved = hosts.merged(once, {1: "10.0.0.3"}, "default")
    assert host(2) not in moved
    assert moved.count(host(1)) == 1


def test_a_folder_that_was_a_brick_is_not_one_again(tmp_path: Path) -> None:
    mount = tmp_path
    assert disk.next_brick(str(mount)) == str(mount / "brick")
    (mount / "brick").mkdir()
    assert disk.next_brick(str(mount)) == str(mount / "brick-2")
    assert disk.next_brick(str(mount), {str(mount / "brick-2")}) == str(mount / "brick-3")
    assert disk.next_brick(str(mount / "absent")) is None
    (mount / "brick").rmdir()
    assert disk.next_brick(str(mount), {str(mount / "brick-2")}) == str(mount / "brick-3"), (
        "no name comes back"
    )


def test_a_disk_takes_writes_if_its_file_system_does_whatever_this_containers_mount_says() -> None:
    line = "36 35 8:16 / /data {} shared:1 - ext4 /dev/sdb {}"
    assert disk.writable("/data", line.format("ro,relatime", "rw")) is True
    assert disk.writable("/data", line.format("rw,relatime", "ro,errors=remount-ro")) is False
    assert disk.writable("/other", line.format("rw", "rw")) is None

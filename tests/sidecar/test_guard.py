"""What is read of guards and disks, and when a node's objects may go."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import disk, documents, observe, planner, report
from gluster_sidecar.contract import BRICKS_ANNOTATION, NODE_LABEL, TEMPLATE_ANNOTATION
from gluster_sidecar.gluster import Cli
from gluster_sidecar.model import Guarded
from gluster_sidecar.planner import guard
from gluster_sidecar.settings import Identity, Settings

from tests.sidecar.world import World, brick, host

IDENTITY = Identity(1, "pod", "uid")


def formed(*nodes: int) -> World:
    world = World()
    world.add_nodes(*nodes)
    world.want(*nodes)
    world.run()
    world.done.clear()
    return world


# --- the walk


def test_a_walk_finds_every_file_but_link_files_and_what_is_glusterds_own(tmp_path: Path) -> None:
    (left := tmp_path / "brick/a/b").mkdir(parents=True)
    (tmp_path / "brick/.glusterfs/indices").mkdir(parents=True)
    (tmp_path / "brick/.glusterfs/indices/x").write_text("ours")
    (tmp_path / "brick-2").mkdir()
    (tmp_path / "glusterd").mkdir()
    (link := left / "moved").touch()
    link.chmod(0o1000)
    assert disk.walk(str(tmp_path)) == {f"{tmp_path}/brick": (0, []), f"{tmp_path}/brick-2": (0, [])}
    link.chmod(0o1644)
    (left / ".glusterfs").mkdir()
    (left / ".glusterfs/file").write_text("a person's, by that name")
    (left / "symlink").symlink_to("nowhere")
    os.mkfifo(left / "fifo")
    for number in range(9):
        (tmp_path / f"brick-2/{number}").touch()
    found = disk.walk(str(tmp_path))
    assert found
    assert found[f"{tmp_path}/brick"] == (4, ["a/b/.glusterfs/file", "a/b/fifo", "a/b/moved", "a/b/symlink"])
    assert found[f"{tmp_path}/brick-2"] == (9, ["0", "1", "2", "3", "4"])


def test_a_link_file_with_content_is_a_file_that_did_not_move_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "brick").mkdir()
    (file := tmp_path / "brick/half").write_text("x")
    file.chmod(0o1000)
    assert disk.walk(str(tmp_path)) == {f"{tmp_path}/brick": (1, ["half"])}


def test_a_disk_that_cannot_be_read_is_not_known_to_be_empty(tmp_path: Path) -> None:
    assert disk.walk(str(tmp_path / "absent")) is None


# --- what is read


def test_a_controller_and_a_claim_are_read_by_their_labels_and_annotations() -> None:
    meta = {"labels": {NODE_LABEL: "3"}, "annotations": {BRICKS_ANNOTATION: "/data/brick /data/brick-2"}}
    template = {"metadata": {"annotations": {TEMPLATE_ANNOTATION: "new"}}}
    read = documents.guarded({"metadata": meta, "spec": {"template": template}})
    assert read == (3, Guarded(frozenset({"/data/brick", "/data/brick-2"}), False, "new"))
    going = {"labels": {NODE_LABEL: "3"}, "deletionTimestamp": "x"}
    assert documents.guarded({"metadata": going}) == (3, Guarded(terminating=True))
    for labels in ({}, {NODE_LABEL: "x"}, None):
        assert documents.guarded({"metadata": {"labels": labels}}) is None


@pytest.mark.parametrize("text", ["", "x", "[]", "{}x", '{"/data/brick": []}', '{"/data/brick": ["x"]}', "3"])
def test_a_walk_that_cannot_be_read_is_not_known(text: str) -> None:
    member = documents.member(
        {
            "metadata": {"name": "gluster-member-3", "labels": {"gluster-stack.dev/kind": "member"}},
            "data": {"node": "3", "left": text},
        }
    )
    assert member
    assert member.left is None


def test_a_claim_that_waits_for_a_volume_of_an_earlier_claim_gets_it() -> None:
    """A shrink was interrupted when the claim had gone and the volume not, and was taken back."""
    world = formed(1, 2, 3, 4)
    world.claims[3] = replace(world.claims[3], released=True)
    assert world.decide().steps == (do.FreeVolume(3),)
    world.claims[3] = replace(world.claims[3], terminating=True)
    assert world.decide().steps == ()
    volume = {"status": {"phase": "Released"}}
    observer = observe.Observer(Settings(), IDENTITY, Cli(), list, list, volume=lambda name: volume)
    assert documents.guarded({"metadata": {"labels": {NODE_LABEL: "3"}}, "status": {"phase": "Bound"}})
    pending = documents.guarded({"metadata": {"labels": {NODE_LABEL: "3"}}, "status": {"phase": "Pending"}})
    assert pending
    assert observer._bound(*pending).released
    volume["status"]["phase"] = "Available"
    assert not observer._bound(*pending).released


# --- when it is guarded, and when it may go


def test_every_node_that_holds_a_brick_is_guarded_again_should_its_guard_be_missing() -> None:
    world = formed(1, 2)
    world.controllers[2] = replace(world.controllers[2], bricks=frozenset())
    assert world.decide().steps == (do.HoldData(2, frozenset({"/data/brick"})),)
    assert world.run() == "steady"


def test_no_brick_is_made_on_a_node_whose_controller_or_claim_is_going_or_not_known() -> None:
    world = formed(1, 2)
    world.add_nodes(3, 4, seconds=60)
    world.want(1, 2, 3, 4)
    going = replace(world.claims[4], terminating=True)
    for objects in ({**world.claims, 4: going}, {n: c for n, c in world.claims.items() if n != 4}, None):
        cluster = replace(world.cluster(1), claims=objects)
        assert not guard.can_hold(cluster, 4)
        decision = planner.plan(cluster, Settings())
        assert not any(isinstance(step, do.AddBricks) for step in decision.steps)


def test_a_node_goes_when_its_walk_found_nothing_or_its_copies_are_in_sync() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.left = {3: {"/data/brick": (1, ("kept",))}, 4: None}
    world.run()
    cluster = world.cluster(1)
    assert world.terminating == {3, 4}
    assert guard.why_kept(cluster, 3, in_sync=True) == "1 files are left in its brick /data/brick: kept"
    assert guard.why_kept(cluster, 4, in_sync=True) == "what is left in its brick /data/brick is not known"
    assert guard.why_kept(replace(cluster, claims=None), 3, in_sync=True) != ""
    taken = replace(cluster, notes=replace(cluster.notes, replaced=frozenset({brick(3), brick(4)})))
    assert guard.why_kept(taken, 3, in_sync=True) == guard.why_kept(taken, 4, in_sync=True) == ""
    assert "in sync" in guard.why_kept(taken, 3, in_sync=False)
    world.left = {}
    world.run()
    assert world.terminating == set()


def test_a_node_that_handed_its_brick_over_stays_until_the_new_copy_is_in_sync() -> None:
    """It was released at once, and its disk was the second copy of two."""
    world = formed(1, 2)
    world.add_nodes(3)
    world.spares = {3}
    world.want(1, 2)
    world.run()
    assert world.plan
    world.spares, world.plan = set(), replace(world.plan, nodes=frozenset({1, 3}), spares=frozenset())
    world.left = {2: {"/data/brick": (7, ("all",))}}
    while world.volume and brick(2) in {b.id for b in world.volume.bricks}:
        for step in world.decide().steps:
            world.apply(step)
    world.heals = 5
    world.run()
    assert world.cluster(1).may_hold(2)
    world.heals = 0
    world.run()
    assert not world.cluster(1).may_hold(2)
    assert world.volume
    assert {b.host for b in world.volume.bricks} == {host(1), host(3)}


def test_a_replacement_that_was_refused_is_no_proof_for_a_removal_after_it() -> None:
    world = formed(1, 2, 3, 4)
    world.notes = replace(world.notes, replaced=frozenset({brick(3)}))
    world.want(1, 2)
    noted, removal = world.decide().steps
    assert noted == do.NoteReplaced(frozenset())
    assert isinstance(removal, do.StartRemoval)


# --- histories that lost a disk, or that never ended


def destroyed_up_to_its_members(world: World, *nodes: int) -> None:
    world.plan, world.terminating, world.living = None, set(nodes), set()
    for step in world.decide().steps:
        world.apply(step)
    assert not any(world.controllers[node].bricks for node in nodes)


def settled(world: World) -> str:
    return report.settled_document(world.cluster(1), world.decide())["settled"]


def test_up_waits_for_bricks_of_nodes_that_have_no_member_any_more() -> None:
    """A destroy that was interrupted when all members had gone, then an `up` with fewer nodes: `settled` held
    in the first look, and nothing refused the deletion of the others."""
    world = formed(1, 2, 3, 4)
    destroyed_up_to_its_members(world, 1, 2, 3, 4)
    world.living, world.terminating = {1, 2}, set()
    world.want(1, 2)
    world.terminating = set()
    assert "nodes 3,4 leave: node 3 holds a brick of the volume" in settled(world)
    world.run()
    assert settled(world) == "1,2@x"
    assert not world.cluster(1).may_hold(3)


def test_up_waits_for_the_guard_to_be_lifted() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    while settled(world) != "1,2@x":
        for step in world.decide().steps:
            if not isinstance(step, do.Wait):
                world.apply(step)
        world.pass_time()
    assert not world.cluster(1).may_hold(3) | world.cluster(1).may_hold(4)


def test_a_guarded_node_without_a_member_and_without_a_brick_is_walked_and_let_go() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.left = {3: {"/data/brick": (1, ("kept",))}, 4: {"/data/brick": (1, ("kept",))}}
    world.run()
    plan, world.plan = world.plan, None
    for step in world.decide().steps:
        world.apply(step)
    assert world.cluster(1).may_hold(4)
    world.plan, world.living = plan, {1, 2}
    world.run()
    assert "files are left in its brick" in settled(world)
    world.left = {}
    world.run()
    assert settled(world) == "1,2@x"
    assert not world.cluster(1).may_hold(3) | world.cluster(1).may_hold(4)


def test_a_walk_under_another_plan_is_no_proof() -> None:
    """Nodes 3 and 4 left once, came back, got another brick, and leave again without having said a word."""
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    member = world.cluster(1).members[3]
    cluster = world.cluster(1)
    old = replace(member, left={}, left_plan="1")
    cluster = replace(cluster, members={**cluster.members, 3: old})
    assert cluster.plan
    cluster = replace(cluster, plan=replace(cluster.plan, version="2"))
    assert guard.why_kept(cluster, 3, in_sync=True) == "what is left in its brick /data/brick is not known"


def test_a_folder_with_files_keeps_a_node_though_no_guard_names_it() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    world.run()
    world.terminating, world.left = {3}, {3: {"/data/brick": (9, ("file",))}}
    assert (
        guard.why_kept(world.cluster(1), 3, in_sync=True) == "9 files are left in its brick /data/brick: file"
    )


def test_what_was_moved_off_is_walked_whoever_noted_meanwhile_that_it_was_replaced() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    (start,) = world.decide().steps
    assert isinstance(start, do.StartRemoval)
    world.apply(start)
    world.apply(do.NoteReplaced(frozenset({brick(3)})))  # of a leader before, late
    world.left = {3: {"/data/brick": (5, ("needed",))}, 4: {"/data/brick": (5, ("needed",))}}
    world.run()
    assert world.terminating == {3, 4}


def test_a_member_that_pulumi_does_not_know_goes_and_keeps_no_destroy() -> None:
    world = formed(1, 2)
    world.living.add(3)  # its controller and claim were deleted again
    assert do.ForgetMember(3) in world.decide().steps
    world.run()
    assert world.living | world.terminating == {1, 2}
    world.living.add(3)
    world.plan, world.living, world.terminating = None, {3}, {1, 2}
    assert world.cluster(1).torn_down
    assert not replace(world.cluster(1), claims=None).torn_down, "whether it has any is not known"


def test_who_made_a_member_for_a_node_that_leaves_and_died_is_followed_by_one_who_deletes_it() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    cluster = world.cluster(1)
    made = replace(cluster.members[3], terminating=False, leaves=True)
    again = planner.plan(replace(cluster, members={**cluster.members, 3: made}), Settings())
    assert do.RemakeMember(3, leaves=True) in again.steps


def test_of_a_teardown_whoever_is_left_sees_to_the_end() -> None:
    """One member after the other, the last one's machine is dead: nobody acted, and the guards stayed."""
    world = formed(1, 2)
    world.pods[2] = replace(world.pods[2], running=False, ready=False)
    world.down = world.away = {2}
    world.plan, world.living, world.terminating = None, set(), set()
    world.run()
    assert not world.cluster(1).may_hold(1) | world.cluster(1).may_hold(2)


def test_a_missing_guard_does_not_wait_for_the_state_of_the_bricks() -> None:
    world = formed(1, 2)
    cluster = world.cluster(1)
    assert cluster.pool
    assert cluster.pool.volume
    hidden = replace(cluster.pool, volume=replace(cluster.pool.volume, detailed=False))
    bare = replace(cluster, pool=hidden, controllers={1: Guarded(), 2: Guarded()})
    held = {step.node for step in planner.plan(bare, Settings()).steps if isinstance(step, do.HoldData)}
    assert held == {1, 2}


def test_a_guard_that_cannot_be_written_keeps_no_other_from_being_written_and_nothing_else() -> None:
    world = formed(1, 2, 3, 4)
    world.controllers[2] = Guarded()
    world.controllers[3] = Guarded()
    world.retemplate("new")
    world.want(1, 2, 3, 4)
    for node in (2, 3):
        world.controllers[node] = replace(world.controllers[node], bricks=frozenset())
    cluster = world.cluster(1)
    failed = replace(cluster, own=replace(cluster.own, resting=frozenset({("HoldData", "2")})))
    steps = planner.plan(failed, Settings()).steps
    assert [step for step in steps if isinstance(step, do.HoldData)] == [
        do.HoldData(3, frozenset({"/data/brick"}))
    ]
    world.apply(do.HoldData(3, frozenset({"/data/brick"})))
    cluster = world.cluster(1)
    failed = replace(cluster, own=replace(cluster.own, resting=frozenset({("HoldData", "2")})))
    assert any(isinstance(step, do.DeletePod) for step in planner.plan(failed, Settings()).steps)


def test_no_lost_brick_is_replaced_on_a_disk_that_cannot_be_guarded() -> None:
    world = formed(1, 2)
    world.places, world.lost, world.down = {2: "/data/brick-2"}, {2}, {2}
    world.decide()
    cluster = world.cluster(1)
    assert cluster.claims
    assert any(isinstance(step, do.ReplaceBrick) for step in planner.plan(cluster, Settings()).steps)
    going = {**cluster.claims, 2: replace(cluster.claims[2], terminating=True)}
    for claims in (None, {1: cluster.claims[1]}, going):
        steps = planner.plan(replace(cluster, claims=claims), Settings()).steps
        assert not any(isinstance(step, do.ReplaceBrick) for step in steps)

"""What is read of guards and disks, and when a node's objects may go."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import disk, observe, planner
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
    read = observe.guarded({"metadata": meta, "spec": {"template": template}})
    assert read == (3, Guarded(frozenset({"/data/brick", "/data/brick-2"}), False, "new"))
    going = {"labels": {NODE_LABEL: "3"}, "deletionTimestamp": "x"}
    assert observe.guarded({"metadata": going}) == (3, Guarded(terminating=True))
    for labels in ({}, {NODE_LABEL: "x"}, None):
        assert observe.guarded({"metadata": {"labels": labels}}) is None


@pytest.mark.parametrize("text", ["", "x", "[]", "{}x", '{"/data/brick": []}', '{"/data/brick": ["x"]}', "3"])
def test_a_walk_that_cannot_be_read_is_not_known(text: str) -> None:
    member = observe.member(
        {"metadata": {"labels": {"gluster-stack.dev/kind": "member"}}, "data": {"node": "3", "left": text}}
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
    assert observe.guarded({"metadata": {"labels": {NODE_LABEL: "3"}}, "status": {"phase": "Bound"}})
    pending = observe.guarded({"metadata": {"labels": {NODE_LABEL: "3"}}, "status": {"phase": "Pending"}})
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

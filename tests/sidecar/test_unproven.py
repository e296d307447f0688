"""A replacement that failed halfway leaves an empty brick in the volume, and nothing of glusterd's says so.

glusterd notes on the other bricks of the set that the new one lacks everything, then starts it. When the
first fails, or its node dies before it, the brick comes up at the next start all the same: nobody accuses it,
the set looks whole, and clients miss files (seen on 11.1).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar import disk, documents, planner, report
from gluster_sidecar.contract import StatusKey
from gluster_sidecar.memory import Memory
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from tests.sidecar.test_caught_up import NODE, loop_that_has_caught_up, seen
from tests.sidecar.test_planner_failures import formed, lose_disk
from tests.sidecar.world import World, brick, host

NEW = f"{host(4)}:/data/brick-2"
NEXT = f"{host(4)}:/data/brick-3"


def failed_halfway() -> World:
    """Brick 4 has a new one in its place, which is up, and nobody knows whether it was done to its end."""
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    for step in world.decide().steps:
        world.apply(step)
        if isinstance(step, do.ReplaceBrick):
            break
    world.down.clear()
    world.places[4] = "/data/brick-3"
    return world


def replaced(world: World) -> list[tuple[str, str]]:
    return [(step.old, step.new) for step in world.decide().steps if isinstance(step, do.ReplaceBrick)]


def test_it_is_noted_before_and_taken_back_after() -> None:
    world = formed(1, 2, 3, 4)
    lose_disk(world, 4)
    assert world.decide().steps[:5] == (
        do.HoldData(4, frozenset({"/data/brick", "/data/brick-2"})),
        do.NoteUnproven(frozenset({NEW})),
        do.NoteReplaced(frozenset({brick(4)})),
        do.ReplaceBrick("data", brick(4), NEW),
        do.NoteUnproven(frozenset()),
    )
    read = documents.notes({"data": {StatusKey.UNPROVEN: f"{NEW} {NEXT}"}})[0]
    assert read.unproven == {NEW, NEXT}


def test_a_brick_that_is_not_known_to_be_put_in_to_the_end_is_replaced_though_it_looks_well() -> None:
    world = failed_halfway()
    assert world.heals == 0
    assert replaced(world) == [(NEW, NEXT)]
    assert NEW not in world.notes.whole
    assert brick(3) in world.notes.whole
    world.run()
    assert world.notes.unproven == frozenset()
    assert NEXT in world.notes.whole


def test_the_others_of_its_set_are_whole_again_after_a_start_of_theirs() -> None:
    """All of them were when it was made. What they missed since, it would have, and nobody has anything."""
    world = failed_halfway()
    world.down = {3}
    world.decide()
    world.down.clear()
    world.heals = 1
    assert replaced(world) == []
    world.heals = 0
    assert replaced(world) == [(NEW, NEXT)]
    assert NEW not in world.notes.whole


def test_it_stays_noted_until_it_has_been_replaced() -> None:
    """The one that acts may die after the note and before the command (found by the simulation)."""
    world = failed_halfway()
    _, noted, _, _, cleared, *_ = world.decide().steps
    assert noted == do.NoteUnproven(frozenset({NEW, NEXT}))
    assert cleared == do.NoteUnproven(frozenset())


def test_nobody_is_replaced_on_its_word() -> None:
    """The only copy with the data is lost now: that is a person's matter."""
    world = failed_halfway()
    world.decide()
    lose_disk(world, 3)
    decision = world.decide()
    assert "may lack writes" in decision.waits_for
    assert not any(isinstance(step, do.ReplaceBrick) for step in decision.steps)


def test_nothing_that_could_cost_a_copy_is_done_beside_it() -> None:
    world = failed_halfway()
    del world.places[4]  # its node cannot tell yet where the next would be
    world.places[4] = "/data/brick-2"
    world.retemplate("new")
    decision = world.decide()
    assert "to replace the pod of node 2: bricks" in decision.waits_for
    assert "not known to have been put into the volume" in decision.waits_for
    assert all(isinstance(step, do.Wait) for step in decision.steps)


def test_one_whose_state_is_not_known_is_left_alone() -> None:
    world = failed_halfway()
    world.decide()
    cluster = world.cluster(1)
    assert cluster.pool
    assert cluster.pool.volume
    bricks = tuple(replace(b, online=None) if b.node == 4 else b for b in cluster.pool.volume.bricks)
    unknown = replace(cluster, pool=replace(cluster.pool, volume=replace(cluster.pool.volume, bricks=bricks)))
    assert not any(isinstance(s, do.ReplaceBrick) for s in planner.plan(unknown, Settings()).steps)


def test_what_was_refused_does_not_cling_to_a_brick_that_is_added_later() -> None:
    world = formed(1, 2, 3, 4)
    world.notes = replace(world.notes, unproven=frozenset({brick(5), NEW}))
    world.add_nodes(5, 6)
    world.want(1, 2, 3, 4, 5, 6)
    assert world.run() == "steady"
    assert world.volume
    assert len(world.volume.bricks) == 6
    assert brick(5) in world.notes.whole


# -- on its own node


def own(*, unproven: bool) -> Cluster:
    cluster = seen()
    notes = replace(cluster.notes, unproven=frozenset({brick(NODE)} if unproven else ()))
    return replace(
        cluster, notes=notes, own=replace(cluster.own, unwell_since=cluster.at - timedelta(hours=1))
    )


@pytest.mark.parametrize("unproven", [True, False])
def test_its_node_does_not_start_it_and_is_not_ready(unproven: bool) -> None:
    cluster = own(unproven=unproven)
    assert report.readiness(cluster, 0).ready is not unproven
    assert (loop_that_has_caught_up()._behind(cluster) is None) is unproven
    assert cluster.pool
    down = replace(cluster, pool=replace(cluster.pool, brick_running=False))
    assert (planner.plan_own(down, Settings()).steps == ()) is unproven


def test_a_brick_that_never_ran_accuses_nobody(tmp_path: Path) -> None:
    """Else the only copy with the data would not be relied on, and the empty one never be replaced."""
    assert disk.pending_heals(str(tmp_path)) is None, "no brick"
    (tmp_path / ".glusterfs").mkdir()
    assert disk.pending_heals(str(tmp_path)) == 0
    (index := tmp_path / ".glusterfs/indices").mkdir()
    assert disk.pending_heals(str(tmp_path)) is None, "it ran, and cannot tell"
    (index / "xattrop").mkdir()
    for name in ("xattrop-base", "an-entry"):
        (index / "xattrop" / name).touch()
    assert disk.pending_heals(str(tmp_path)) == 1


def test_a_new_brick_has_not_been_down_for_as_long_as_the_one_that_was_lost() -> None:
    """Its node started glusterd anew in the middle of the command that put it in: that made it fail."""
    memory, cluster = Memory(), seen("")
    lost = replace(cluster, own=replace(cluster.own, lost=frozenset({brick(NODE)})))
    first = memory.added_to(lost).own.unwell_since
    assert first == cluster.at
    later = cluster.at + timedelta(minutes=1)
    assert memory.added_to(replace(lost, at=later)).own.unwell_since == first
    assert memory.added_to(replace(cluster, at=later)).own.unwell_since == later
    assert cluster.pool
    assert cluster.pool.volume
    moved = tuple(
        replace(b, path="/data/brick-2") if b.node == NODE else b for b in cluster.pool.volume.bricks
    )
    volume = replace(cluster.pool.volume, bricks=moved)
    another = replace(cluster, at=later + timedelta(minutes=1), pool=replace(cluster.pool, volume=volume))
    assert memory.added_to(another).own.unwell_since == another.at
    assert memory.added_to(well(another)).own.unwell_since is None


def well(cluster: Cluster) -> Cluster:
    assert cluster.pool
    return replace(cluster, pool=replace(cluster.pool, brick_running=True))

"""When glusterd need not be asked again."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from gluster_sidecar import disk, planner, rest
from gluster_sidecar.memory import GAP, Memory
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from tests.sidecar.test_planner_failures import formed
from tests.sidecar.world import START, brick, host


def well() -> Cluster:
    cluster = formed(1, 2, 3, 4).cluster(1)
    return replace(cluster, own=replace(cluster.own, writable=True))


def is_calm(cluster: Cluster) -> bool:
    return rest.is_calm(cluster, (planner.plan_own(cluster, Settings()), planner.plan(cluster, Settings())))


def test_a_pool_that_is_well_lets_its_sidecars_rest() -> None:
    assert is_calm(well())
    stands_by = formed(1, 2, 3, 4).cluster(3)
    assert is_calm(replace(stands_by, own=replace(stands_by.own, writable=True)))


def ill(cluster: Cluster) -> list[Cluster]:
    """Each with one thing that is not well, or not known."""
    pool = cluster.pool
    assert pool
    assert pool.volume
    peer, member, own = pool.peers[host(2)], cluster.members[2], cluster.own
    peers = [replace(peer, connected=False), replace(peer, in_cluster=False)]
    members = [replace(member, caught_up=""), replace(member, heals=1), replace(member, heals=None)]
    volumes = [
        replace(pool.volume, started=False),
        replace(pool.volume, detailed=False),
        *(
            replace(
                pool.volume,
                bricks=tuple(replace(b, online=up) if b.node == 2 else b for b in pool.volume.bricks),
            )
            for up in (False, None)
        ),
    ]
    unready = tuple(replace(pod, ready=False) if pod.node == 2 else pod for pod in cluster.pods)
    return [
        replace(cluster, pool=None),
        replace(cluster, pods=unready),
        replace(cluster, pods=tuple(pod for pod in cluster.pods if pod.node != 2)),
        replace(cluster, notes=replace(cluster.notes, whole=cluster.notes.whole - {brick(1)})),
        replace(cluster, plan=cluster.plan and replace(cluster.plan, nodes=frozenset({1, 2}))),
        replace(cluster, pool=replace(pool, brick_running=False)),
        *(
            replace(cluster, own=replace(own, **{key: value}))  # type: ignore[arg-type]
            for key, value in (("lost", True), ("writable", None), ("writable", False), ("problem", "x"))
        ),
        *(replace(cluster, pool=replace(pool, peers={**pool.peers, host(2): p})) for p in peers),
        *(replace(cluster, members={**cluster.members, 2: m}) for m in members),
        *(replace(cluster, pool=replace(pool, volume=volume)) for volume in volumes),
    ]


@pytest.mark.parametrize("index", range(len(ill(well()))))
def test_one_thing_that_is_not_well_or_not_known_keeps_them_looking(index: int) -> None:
    cluster = ill(well())[index]
    leaving = {n: replace(m, terminating=n > 2) for n, m in cluster.members.items()}
    if cluster.plan and cluster.plan.nodes == frozenset({1, 2}):
        cluster = replace(cluster, members=leaving)
    assert not is_calm(cluster)


def test_a_look_stands_until_something_changes_or_it_is_old() -> None:
    pool = well().pool
    assert pool
    kept = rest.Kept(START, pool, ("a",), acted=True)
    soon, late = START + timedelta(seconds=60), START + timedelta(seconds=rest.LOOK_SECONDS)
    assert rest.stands(kept, ("a",), soon, acts=True)
    assert not rest.stands(kept, ("b",), soon, acts=True)
    assert not rest.stands(kept, ("a",), soon, acts=False)
    assert not rest.stands(kept, ("a",), late, acts=True)
    assert not rest.stands(kept, ("a",), START - timedelta(seconds=1), acts=True), "the clock was set back"
    assert not rest.stands(None, ("a",), soon, acts=True)


def test_a_look_that_stands_is_no_look_at_the_bricks() -> None:
    world, memory = formed(1, 2), Memory()
    first = memory.added_to(world.cluster(1)).own.watch
    world.now += GAP
    assert memory.added_to(world.cluster(1), kept=True).own.watch == first
    world.now += timedelta(seconds=1)
    assert memory.added_to(world.cluster(1)).own.watch != first


def test_glusterds_files_are_marked_by_time_and_never_read(tmp_path: Path) -> None:
    assert disk.store_marks(str(tmp_path)) is None
    store = tmp_path / "glusterd"
    for folder in ("peers", "vols/data"):
        (store / folder).mkdir(parents=True)
    for file in ("glusterd.info", "vols/data/info"):
        (store / file).write_text("x")
    first = disk.store_marks(str(tmp_path))
    assert first == disk.store_marks(str(tmp_path))
    (store / "peers/u").write_text("x")
    second = disk.store_marks(str(tmp_path))
    assert second != first
    os.utime(store / "vols/data/info", ns=(1, 1))
    assert disk.store_marks(str(tmp_path)) != second

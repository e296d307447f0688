"""The simulation's pool is kept honest: short histories on it and on real glusterd, seen to agree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gluster_sidecar import actions as do

from tests.integration.bare import bare
from tests.integration.twin import Twin
from tests.simulation.pool import host

pytestmark = [pytest.mark.lab]


def brick(node: int, path: str = "/data/brick") -> str:
    return f"{host(node)}:{path}"


@pytest.fixture
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with bare(tmp_path_factory.mktemp("twin")) as pool:
        yield Twin(pool)


def formed(twin: Twin, *nodes: int, replication: int = 2, arbiter: bool = False) -> None:
    twin.add(*nodes)
    for node in nodes[1:]:
        assert twin.does(1, do.ProbePeer(host(node))) == "taken"
    twin.agree()
    bricks = tuple(map(brick, nodes))
    assert twin.does(1, do.CreateVolume("data", replication, bricks, arbiter)) == "taken"
    assert twin.does(1, do.StartVolume("data")) == "taken"


def test_a_power_cut_writes_meanwhile_and_the_heal(twin: Twin) -> None:
    formed(twin, 1, 2)
    twin.write(6)
    assert all(up for _, up in twin.agree().bricks)
    twin.off(2)
    twin.write(6)
    away = twin.agree()
    assert away.bricks == ((brick(1), True), (brick(2), False))
    assert away.heals == ((brick(1), True),)
    twin.on(2)
    assert twin.agree().heals == ((brick(1), False), (brick(2), False))
    twin.agree(2)


def test_growth_what_is_refused_meanwhile_and_a_removal_that_is_undone(twin: Twin) -> None:
    formed(twin, 1, 2)
    twin.write(12)
    twin.add(3, 4, 5)
    for node in (3, 4):
        assert twin.does(1, do.ProbePeer(host(node))) == "taken"
    twin.agree()
    assert twin.does(1, do.CreateVolume("data", 2, (brick(3), brick(4)))) == "refused"
    assert twin.does(1, do.AddBricks("data", (brick(3),))) == "refused"
    assert twin.does(1, do.AddBricks("data", (brick(3), brick(5)))) == "refused"
    assert twin.does(1, do.AddBricks("data", (brick(3), brick(4)))) == "taken"
    assert twin.does(1, do.AddBricks("data", (brick(3), brick(4)))) == "refused"
    assert twin.does(1, do.StartRebalance("data")) == "taken"
    twin.agree()
    assert twin.does(1, do.DetachPeer(host(3))) == "refused"
    removal = (brick(3), brick(4))
    assert twin.does(1, do.StartRemoval("data", removal)) == "taken"
    assert twin.does(1, do.StartRemoval("data", removal)) == "refused"
    assert twin.does(1, do.StartRebalance("data")) == "refused"
    twin.agree()
    assert twin.does(1, do.StopRemoval("data", removal)) == "taken"
    assert twin.does(1, do.StartRemoval("data", removal)) == "taken"
    twin.agree()
    assert twin.does(1, do.CommitRemoval("data", removal)) == "taken"
    for node in (3, 4):
        assert twin.does(1, do.DetachPeer(host(node))) == "taken"
    assert twin.does(1, do.AddBricks("data", (brick(3), brick(4)))) == "refused"
    twin.agree()
    twin.agree(3)


def test_a_lost_disk_its_way_back_and_a_new_brick(twin: Twin) -> None:
    formed(twin, 1, 2, 3, 4)
    twin.write(12)
    twin.agree()
    twin.off(2)
    twin.agree()
    twin.lose_disk(2)
    twin.on(2)
    assert twin.does(2, do.ProbePeer(host(1))) == "taken"
    assert twin.does(2, do.RestartGlusterd("it does not know the volume")) == "taken"
    lost = twin.agree()
    assert (brick(2), False) in lost.bricks
    twin.agree(2)
    new = brick(2, "/data/brick-2")
    assert twin.does(1, do.ReplaceBrick("data", brick(2), new)) == "taken"
    whole = twin.agree()
    assert (new, True) in whole.bricks
    assert not any(waits for _, waits in whole.heals)


def test_a_cut_network_and_what_is_seen_on_each_side(twin: Twin) -> None:
    formed(twin, 1, 2, 3, 4)
    twin.write(12)
    twin.agree()
    twin.cut(2)
    away = twin.agree()
    assert away.bricks == ((brick(1), True), (brick(2), False), (brick(3), True), (brick(4), True))
    alone = twin.agree(2)
    assert [up for _, up in alone.bricks] == [False, True, False, False]
    assert twin.does(2, do.ReplaceBrick("data", brick(1), brick(3, "/data/brick-2"))) == "refused"
    twin.write(12)
    assert (brick(1), True) in twin.agree().heals
    twin.mend(2)
    assert not any(waits for _, waits in twin.agree().heals)
    twin.agree(2)


def test_an_arbiter_and_a_copy_that_moves_to_another_node(twin: Twin) -> None:
    formed(twin, 1, 2, 3, replication=3, arbiter=True)
    twin.write(6)
    twin.agree()
    twin.off(2)
    twin.write(6)
    assert twin.agree().heals == ((brick(1), True), (brick(3), True))
    twin.on(2)
    twin.agree()
    twin.add(4)
    assert twin.does(1, do.ProbePeer(host(4))) == "taken"
    twin.agree()
    assert twin.does(1, do.DetachPeer(host(2))) == "refused"
    assert twin.does(1, do.ReplaceBrick("data", brick(2), brick(4))) == "taken"
    moved = twin.agree()
    assert [name for name, _ in moved.bricks] == [brick(1), brick(4), brick(3)]
    assert not any(waits for _, waits in moved.heals)
    assert twin.does(1, do.DetachPeer(host(2))) == "taken"
    twin.agree()
    twin.agree(2)


def test_one_that_was_detached_while_it_was_away(twin: Twin) -> None:
    formed(twin, 1, 2, 3, 4)
    twin.add(5)
    assert twin.does(1, do.ProbePeer(host(5))) == "taken"
    twin.agree()
    twin.off(5)
    twin.agree()
    assert twin.does(1, do.DetachPeer(host(5))) == "taken"
    twin.on(5)
    twin.agree()
    twin.agree(5)
    assert twin.does(1, do.ProbePeer(host(5))) == "taken"
    twin.agree()
    twin.agree(5)


def test_two_that_lost_their_disks_and_met(twin: Twin) -> None:
    formed(twin, 1, 2, 3, 4)
    twin.write(12)
    twin.agree()
    for node in (2, 4):
        twin.off(node)
    twin.agree()
    for node in (2, 4):
        twin.lose_disk(node)
        twin.on(node)
    assert twin.does(2, do.ProbePeer(host(4))) == "taken"
    for node in (2, 4):
        assert twin.does(node, do.ProbePeer(host(1))) == "taken"
        assert twin.does(node, do.RestartGlusterd("it does not know the volume")) == "taken"
    for node in (1, 2, 4):
        twin.agree(node)

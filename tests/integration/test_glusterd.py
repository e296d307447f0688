"""The real planner, executor and loop on real daemons, in the order of a cluster's life."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.integration.pool import Pool, parts, wait_for

pytestmark = [pytest.mark.lab]

SERVER = "gluster-1.default.svc.cluster.local"
MOUNT = f"mkdir -p /run/t; mountpoint -q /run/t || mount -t glusterfs {SERVER}:/data /run/t; "
SUM = MOUNT + "cd /run/t && ls f* | sort | xargs sha256sum | sha256sum"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    found = parts()
    pool = Pool(tmp_path_factory.mktemp("pool"), found.kube, found.rootfs)
    try:
        pool.start()
        yield pool
    finally:
        pool.stop()


@pytest.fixture(scope="module")
def checksum() -> dict[str, str]:
    return {}


def bricks(pool: Pool, node: int = 1) -> list[str]:
    info = pool.gluster(node, "volume", "info", "data")
    return [
        line.split()[1].split(".")[0]
        for line in info.splitlines()
        if line.startswith("Brick") and "/" in line
    ]


def balanced(pool: Pool) -> None:
    wait_for("the data is spread", lambda: len(pool.data("gluster-status").get("balanced", "").split()) == 4)


def test_two_nodes_form_a_volume(pool: Pool, checksum: dict[str, str]) -> None:
    for node in (1, 2, 3, 4):
        pool.power_on(node)
        pool.announce(node)
    pool.want(1, 2)
    pool.settled(1, 2)
    assert bricks(pool) == ["gluster-1", "gluster-2"]
    pool.shell(1, MOUNT + "for i in $(seq 60); do head -c 100000 /dev/urandom > /run/t/f$i; done")
    checksum["all"] = pool.shell(1, SUM)


def test_growth_by_a_full_set_spreads_the_data(pool: Pool, checksum: dict[str, str]) -> None:
    pool.want(1, 2, 3, 4)
    pool.settled(1, 2, 3, 4)
    assert bricks(pool) == ["gluster-1", "gluster-2", "gluster-3", "gluster-4"]
    balanced(pool)
    assert int(pool.shell(3, "ls /data/brick | wc -l")) > 0
    assert pool.shell(1, SUM) == checksum["all"]


def test_a_change_of_mind_keeps_the_nodes(pool: Pool, checksum: dict[str, str]) -> None:
    pool.want(1, 2)
    wait_for("the removal begins", lambda: "StartRemoval" in pool.log(1))
    pool.want(1, 2, 3, 4)
    pool.settled(1, 2, 3, 4)
    assert len(bricks(pool)) == 4
    assert pool.shell(1, SUM) == checksum["all"]


def test_server2_finishes_what_server1_began(pool: Pool, checksum: dict[str, str]) -> None:
    """The sidecar of server1 hangs in the middle of a removal."""
    wait_for("node 1 acts", lambda: pool.data("gluster-status").get("actor") == "1")
    balanced(pool)
    pool.want(1, 2)
    before = pool.log(1).count("StartRemoval")
    wait_for("the removal begins", lambda: pool.log(1).count("StartRemoval") > before or bricks(pool) == [])
    pool.signal(1, "sidecar", signal.SIGSTOP)
    try:
        pool.announce(1, ready=False)  # its probe is not answered any more
        wait_for("nodes 3 and 4 are let go", lambda: not pool.data("gluster-member-3"))
        assert pool.data("gluster-status")["actor"] == "2"
    finally:
        pool.signal(1, "sidecar", signal.SIGCONT)
        pool.announce(1)
    assert bricks(pool) == ["gluster-1", "gluster-2"]
    assert pool.shell(1, SUM) == checksum["all"]


def test_a_node_that_was_drained_joins_again_in_a_new_folder(pool: Pool, checksum: dict[str, str]) -> None:
    pool.want(1, 2, 3, 4)
    pool.settled(1, 2, 3, 4)
    assert "gluster-3.default.svc.cluster.local:/data/brick-2" in pool.gluster(1, "volume", "info", "data")
    assert pool.shell(1, SUM) == checksum["all"]


def test_a_power_cut_and_return_heals_without_a_command(pool: Pool, checksum: dict[str, str]) -> None:
    balanced(pool)
    pool.power_off(2)
    pool.announce(2, ready=False)
    pool.shell(1, MOUNT + "for i in $(seq 20); do echo $i > /run/t/away$i; done")
    assert "away" in pool.shell(1, "ls /data/brick")
    assert pool.shell(1, SUM) == checksum["all"]
    changes = pool.log(1).count("gluster_sidecar.gluster gluster")
    pool.power_on(2)
    pool.announce(2)
    wait_for("node 2 serves again", lambda: pool.data("gluster-member-2").get("why", "").startswith("serves"))
    listing = "ls /data/brick | sort"
    wait_for("the files are healed", lambda: pool.shell(2, listing) == pool.shell(1, listing))
    assert pool.log(1).count("gluster_sidecar.gluster gluster") == changes, "healing takes no command"


def test_teardown_lets_all_members_go_and_moves_nothing(pool: Pool) -> None:
    before = sorted(bricks(pool))
    pool.kubectl("delete", "configmap", "gluster-plan")
    pool.kubectl("delete", "configmap", *(f"gluster-member-{n}" for n in (1, 2, 3, 4)), "--wait=false")
    wait_for("all members are gone", lambda: not any(pool.data(f"gluster-member-{n}") for n in (1, 2, 3, 4)))
    assert sorted(bricks(pool)) == before

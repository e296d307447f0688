"""The real planner, executor and loop on real daemons, in the order of a cluster's life."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.pool import Pool, running, wait_for
from tests.integration.seen import MOUNT

pytestmark = [pytest.mark.lab]

SUMS = MOUNT + "cd /run/t && sha256sum f*"
FILES = 60


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with running(tmp_path_factory.mktemp("pool"), 1, 2, 3, 4) as pool:
        yield pool


@pytest.fixture(scope="module")
def sums() -> dict[str, str]:
    """Of every file that was written, by name."""
    return {}


def read(pool: Pool) -> dict[str, str]:
    """Fails with what the shell and the client's log say if a file cannot be read."""
    try:
        lines = pool.shell(1, SUMS).splitlines()
    except subprocess.CalledProcessError as error:
        log = pool.shell(1, "tail -n 30 /var/log/glusterfs/run-t.log")
        raise AssertionError(f"{error.stderr}\n{log}") from None
    return {name: digest for digest, name in (line.split() for line in lines)}


def paths(pool: Pool, node: int = 1) -> list[str]:
    info = pool.gluster(node, "volume", "info", "data")
    return [line.split()[1] for line in info.splitlines() if line.startswith("Brick") and "/" in line]


def bricks(pool: Pool) -> list[str]:
    return [path.split(".")[0] for path in paths(pool)]


def spread(pool: Pool) -> None:
    """Waits until the data is spread over all bricks and every one of them has every write."""

    def holds() -> bool:
        status, now = pool.data("gluster-status"), set(paths(pool))
        return set(status.get("balanced", "").split()) == now == set(status.get("whole", "").split())

    wait_for("the data is spread and whole", holds)


def test_two_nodes_form_a_volume(pool: Pool, sums: dict[str, str]) -> None:
    pool.want(1, 2)
    pool.settled(1, 2)
    assert bricks(pool) == ["gluster-1", "gluster-2"]
    pool.shell(1, MOUNT + f"for i in $(seq {FILES}); do head -c 100000 /dev/urandom > /run/t/f$i; done")
    sums.update(read(pool))
    assert len(sums) == FILES


def test_growth_by_a_full_set_spreads_the_data(pool: Pool, sums: dict[str, str]) -> None:
    pool.want(1, 2, 3, 4)
    pool.settled(1, 2, 3, 4)
    assert bricks(pool) == ["gluster-1", "gluster-2", "gluster-3", "gluster-4"]
    spread(pool)
    assert int(pool.shell(3, "ls /data/brick | wc -l")) > 0
    assert read(pool) == sums


def test_a_change_of_mind_keeps_the_nodes(pool: Pool, sums: dict[str, str]) -> None:
    pool.want(1, 2)
    wait_for("the removal begins", lambda: "StartRemoval" in pool.log(1))
    pool.want(1, 2, 3, 4)
    pool.settled(1, 2, 3, 4)
    assert len(bricks(pool)) == 4
    spread(
        pool
    )  # a listing misses a file that moves from a set not yet read to one that has been (seen, 11.1)
    assert read(pool) == sums


def test_server2_finishes_what_server1_began(pool: Pool, sums: dict[str, str]) -> None:
    """The sidecar of server1 hangs in the middle of a removal."""
    wait_for("node 1 acts", lambda: pool.data("gluster-status").get("actor") == "1")
    spread(pool)
    before = pool.log(1).count("StartRemoval")
    pool.want(1, 2)
    wait_for("the removal begins", lambda: pool.log(1).count("StartRemoval") > before)
    pool.signal(1, "sidecar", signal.SIGSTOP)
    try:
        pool.announce(1, ready=False)  # its probe is not answered any more
        wait_for("nodes 3 and 4 are let go", lambda: not pool.data("gluster-member-3"))
        assert pool.data("gluster-status")["actor"] == "2"
    finally:
        pool.signal(1, "sidecar", signal.SIGCONT)
        pool.announce(1)
    assert bricks(pool) == ["gluster-1", "gluster-2"]
    assert read(pool) == sums


def test_a_node_that_was_drained_joins_again_in_a_new_folder(pool: Pool, sums: dict[str, str]) -> None:
    pool.want(1, 2, 3, 4)
    pool.settled(1, 2, 3, 4)
    assert "gluster-3.default.svc.cluster.local:/data/brick-2" in pool.gluster(1, "volume", "info", "data")
    assert read(pool) == sums


def test_a_power_cut_and_return_heals_without_a_command(pool: Pool, sums: dict[str, str]) -> None:
    spread(pool)
    pool.power_off(2)
    pool.announce(2, ready=False)
    pool.shell(1, MOUNT + "for i in $(seq 20); do echo $i > /run/t/away$i; done")
    assert "away" in pool.shell(1, "ls /data/brick")
    assert read(pool) == sums
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

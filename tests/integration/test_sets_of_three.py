"""Three copies, and two with an arbiter: formed, healed on lost disks, grown."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.integration.pool import LOCK_SECONDS, Pool, running, wait_for
from tests.integration.seen import MOUNT, all_well, bricks, fill, replaced

pytestmark = [pytest.mark.lab]

KINDS = {"arbiter": "1 x (2 + 1) = 3", "copies": "1 x 3 = 3"}
ALONE = (
    "mkdir -p /run/o; mount -t glusterfs localhost:/data /run/o;"
    " echo x > /run/o/away; rm /run/o/away; umount /run/o"
)
"""Writes while node 1, whose client the others tests use, is away."""
KILL = "kill -9 $(pidof glusterfsd) 2>/dev/null && echo killed || true"
RENAMED = "echo new > /run/o/d/n && mv /run/o/d/n /run/o/d/a && cat /run/o/d/a || true"
GROWN = {"arbiter": "2 x (2 + 1) = 6", "copies": "2 x 3 = 6"}


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, kind: str) -> Iterator[Pool]:
    arbiter = str(kind == "arbiter").lower()
    environment = f"GLUSTER_SIDECAR_REPLICATION=3 GLUSTER_SIDECAR_ARBITER={arbiter}"
    with running(tmp_path_factory.mktemp("pool"), 1, 2, 3, environment=environment) as pool:
        pool.want(1, 2, 3)
        pool.settled(1, 2, 3)
        fill(pool)
        yield pool


def test_a_set_is_formed_of_its_kind(pool: Pool, kind: str) -> None:
    assert KINDS[kind] in pool.gluster(1, "volume", "info", "data")
    sizes = [int(pool.shell(node, "du -s --apparent-size /data/brick/f1").split()[0]) for node in (1, 2, 3)]
    assert [size > 0 for size in sizes] == [True, True, kind == "copies"]


@pytest.mark.parametrize("node", [3, 2])
def test_a_lost_disk_is_filled_again(pool: Pool, unharmed: None, kind: str, node: int) -> None:
    """Node 3 is the arbiter, if there is one."""
    all_well(pool)
    replaced(pool, node)
    wait_for("a new brick", lambda: "/data/brick-" in bricks(pool).get(node, ("", False))[0], 180)
    all_well(pool)
    assert KINDS[kind] in pool.gluster(1, "volume", "info", "data")
    new = bricks(pool)[node][0]
    assert pool.shell(node, f"ls {new} | sort") == pool.shell(1, "ls /data/brick | sort")
    holds_data = "1" in pool.shell(node, f"test -s {new}/f1 && echo 1 || true")
    assert holds_data is not (node == 3 and kind == "arbiter")


def test_a_restarted_copy_is_ready_while_another_is_away(pool: Pool, unharmed: None) -> None:
    """A majority of its set can tell what it lacks: nothing."""
    all_well(pool)
    pool.power_off(3)
    pool.announce(3, ready=False)
    wait_for("one is seen down", lambda: not bricks(pool)[3][1])
    pool.power_off(2)
    pool.announce(2, ready=False)
    pool.power_on(2)
    pool.announce(2)
    probe = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:24098/readyz').read().decode())"
    ready = f'python3 -c "{probe}" 2>/dev/null || true'
    wait_for("the other is ready", lambda: pool.shell(2, ready).startswith("serves"), 120)
    assert pool.data("gluster-member-2")["caughtUp"]
    pool.power_on(3)
    pool.announce(3)
    all_well(pool)


def test_a_lost_disk_is_filled_though_nobody_remembers_that_the_others_are_whole(
    pool: Pool, unharmed: None
) -> None:
    """Issue 13, case 1: "bricks 2 and 3 may lack writes", for ever. They have quorum and blame only 1."""
    all_well(pool)
    before = bricks(pool)[1][0]
    gone = (before, False)  # also while nobody can tell of the bricks, and the status names none
    pool.power_off(1)
    pool.announce(1, ready=False)
    pool.lose_disk(1)
    wait_for("it is seen down", lambda: not bricks(pool).get(1, (before, True))[1])
    pool.shell(2, ALONE)
    for node in (2, 3):
        pool.power_off(node)
        pool.announce(node, ready=False)
    for node in (2, 3):
        pool.power_on(node)
        pool.announce(node)
    wait_for("both serve again", lambda: all(bricks(pool).get(n, gone)[1] for n in (2, 3)), 120)
    wait_for("a brick process is killed", lambda: pool.shell(2, KILL) == "killed\n", LOCK_SECONDS)
    pool.power_on(1)
    pool.announce(1)
    wait_for("node 1 has a new brick", lambda: bricks(pool).get(1, gone)[0] != before, LOCK_SECONDS)
    all_well(pool)


def test_what_a_majority_has_is_right_where_all_blame_each_other(pool: Pool, kind: str) -> None:
    """Issue 13, case 6: node 1 was away while files were renamed, and before it was healed, the others lost
    power in the middle of an operation. The files of that folder were EIO for ever."""
    if kind == "arbiter":
        pytest.skip("a majority of which one has no data proves nothing: profiles.BY_MAJORITY")
    all_well(pool)
    brick = bricks(pool)[1][0]
    pool.shell(1, f"{MOUNT} mkdir /run/t/d && echo old > /run/t/d/a && sync /run/t/d/a")
    pool.signal(1, "sidecar", signal.SIGSTOP)
    pool.shell(1, "kill -9 $(pidof glusterfsd)")
    pool.shell(2, "mkdir -p /run/o; mount -t glusterfs localhost:/data /run/o")
    try:
        wait_for("another file takes its name", lambda: pool.shell(2, RENAMED) == "new\n")
        for client in (1, 2):
            mark = f"'{brick}/d', 'trusted.afr.data-client-{client}', bytes(11) + bytes([1])"
            pool.shell(1, f'python3 -c "import os; os.setxattr({mark})"')
        pool.signal(1, "sidecar", signal.SIGCONT)
        wait_for("node 1 has it, too", lambda: pool.shell(1, f"cat {brick}/d/a") == "new\n", LOCK_SECONDS)
        all_well(pool)
        assert pool.shell(2, "cat /run/o/d/a") == "new\n"
        for node, (path, _) in bricks(pool).items():
            assert pool.shell(node, f"cat {path}/d/a") == "new\n"
    finally:
        pool.signal(1, "sidecar", signal.SIGCONT)
        pool.shell(2, "rm -rf /run/o/d; umount /run/o")


def test_it_grows_by_a_whole_set(pool: Pool, unharmed: None, kind: str) -> None:
    for node in (4, 5, 6):
        pool.power_on(node)
        pool.announce(node)
    pool.want(1, 2, 3, 4, 5, 6)
    pool.settled(1, 2, 3, 4, 5, 6)
    assert GROWN[kind] in pool.gluster(1, "volume", "info", "data")
    wait_for("it is spread", lambda: len(pool.data("gluster-status").get("balanced", "").split()) == 6, 120)
    assert int(pool.shell(4, "ls /data/brick | wc -l")) > 0
    all_well(pool)

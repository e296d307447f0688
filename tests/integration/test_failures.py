"""What breaks, on real daemons and real sidecars; each test ends with all of the data where it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.integration.pool import Pool, running, wait_for
from tests.integration.seen import MOUNT, all_well, bricks, fill, take_as_right, trouble, whole, why

pytestmark = [pytest.mark.lab]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with running(tmp_path_factory.mktemp("pool"), 1, 2, 3, 4, 5) as pool:
        pool.want(1, 2, 3, 4, spares=(5,), grace=3600)
        pool.settled(1, 2, 3, 4)
        fill(pool)
        yield pool


def test_a_dry_run_says_what_would_be_done_and_why(pool: Pool) -> None:
    run = 'exec env -i "$@" python3 -m gluster_sidecar --dry-run 2>/dev/null'
    said = pool.shell(1, f"xargs -0 -a /proc/$(cat /run/sidecar.pid)/environ sh -c '{run}' _")
    assert "for the cluster, rule" in said
    assert "seniority: 1" in said


def test_a_brick_that_was_killed_is_started_again(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    old = pool.shell(3, "pidof glusterfsd")
    pool.shell(3, "kill -9 $(pidof glusterfsd)")
    wait_for("a new process", lambda: pool.shell(3, "pidof glusterfsd || true") not in ("", old))
    all_well(pool)
    assert not re.search("start .*force", pool.log(1) + pool.log(3))


def test_a_glusterd_that_was_killed_is_started_again(pool: Pool, unharmed: None) -> None:
    bricks_of_3 = pool.shell(3, "pidof glusterfsd")
    old = pool.shell(3, "pidof glusterd")
    pool.shell(3, "kill -9 $(pidof glusterd)")
    wait_for("a new daemon", lambda: pool.shell(3, "pidof glusterd || true") not in ("", old))
    assert pool.shell(3, "pidof glusterfsd") == bricks_of_3, "its brick goes on"
    all_well(pool)


def test_a_log_that_is_too_long_begins_again_while_its_brick_writes_it(pool: Pool, unharmed: None) -> None:
    """A program that does not append would leave a hole of the old length before what it says next."""
    log = "/var/log/glusterfs/bricks/data-brick.log"
    bound = "from gluster_sidecar import logs; print(logs.bound(most=100))"
    assert "data-brick.log" in pool.shell(3, f'python3 -c "{bound}"')
    pool.shell(3, "kill -9 $(pidof glusterd)")  # which its brick notices, and says
    wait_for("the brick says something", lambda: pool.shell(3, f"test -s {log} && echo x || true") != "")
    assert pool.shell(3, f"head -c 1 {log}") == "["
    assert int(pool.shell(3, f"stat -c %s {log}.1")) == 100
    all_well(pool)


def test_a_lost_disk_is_filled_again_on_a_new_path(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    uuid = pool.data("gluster-member-2")["uuid"]
    pool.power_off(2)
    pool.announce(2, ready=False)
    pool.lose_disk(2)
    pool.power_on(2)
    pool.announce(2)
    wait_for("a new brick", lambda: "/data/brick-" in bricks(pool).get(2, ("", False))[0], 150)
    all_well(pool)
    assert pool.data("gluster-member-2")["uuid"] == uuid
    new = bricks(pool)[2][0]  # brick-2, or the next if a first try was refused halfway
    assert pool.shell(2, f"ls {new} | sort") == pool.shell(1, "ls /data/brick | sort")


def test_the_disk_of_another_is_not_touched(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    note = json.loads(pool.shell(4, "cat /data/gluster-node.json"))
    pool.shell(4, f"echo '{json.dumps({**note, 'node': 7})}' > /data/gluster-node.json")
    pool.power_off(4)
    pool.announce(4, ready=False)
    pool.power_on(4)
    wait_for("it says so", lambda: "is the disk of" in why(pool, 4))
    assert pool.data("gluster-member-4")["state"] == "blocked"
    assert pool.shell(4, "pidof glusterd || true") == ""
    pool.shell(4, f"echo '{json.dumps(note)}' > /data/gluster-node.json")
    pool.power_off(4)
    pool.power_on(4)
    pool.announce(4)
    all_well(pool)


def test_a_read_only_disk_is_said_and_not_tried_again_and_again(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    pool.power_off(4)
    pool.announce(4, ready=False)
    pool.power_on(4, flags="ro")
    wait_for("it says so", lambda: "read-only" in why(pool, 4))
    pool.power_off(4)
    pool.power_on(4)
    pool.announce(4)
    all_well(pool)


def test_two_lost_disks_of_one_set_are_left_to_a_person(pool: Pool) -> None:
    """One is healed, the other is refused meanwhile: never is the last copy's partner taken."""
    all_well(pool)
    pool.power_off(4)
    pool.announce(4, ready=False)
    wait_for("its brick is seen down", lambda: not bricks(pool)[4][1])
    wait_for("it is not whole any more", lambda: not whole(pool))
    changes = pool.log(1).count("replace-brick")
    pool.power_off(3)
    pool.announce(3, ready=False)
    wait_for("both are seen down", lambda: not bricks(pool)[3][1])
    pool.want(1, 2, 3, 4, spares=(5,), grace=5)
    wait_for("the spare is refused", lambda: "are not up" in pool.data("gluster-status")["doing"], 60)
    assert pool.log(1).count("replace-brick") == changes
    pool.want(1, 2, 3, 4, spares=(5,), grace=3600)
    for node in (3, 4):
        pool.power_on(node)
        pool.announce(node)
    all_well(pool)


def test_a_spare_takes_the_place_of_one_that_stays_away(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    assert 5 not in bricks(pool)
    pool.want(1, 2, 3, 4, spares=(5,), grace=5)
    pool.power_off(4)
    pool.announce(4, ready=False)
    wait_for("the spare has a brick", lambda: 5 in bricks(pool), 150)
    assert 4 not in bricks(pool)
    all_well(pool)
    pool.settled(1, 2, 3, 4)
    pool.power_on(4)
    pool.announce(4)
    wait_for("the one that came back waits", lambda: pool.data("gluster-member-4")["state"] == "peer")
    assert pool.shell(4, "pidof glusterfsd || true") == "", "its old data is not served"
    all_well(pool)
    assert 4 not in bricks(pool)


def test_a_lost_disk_is_filled_by_a_copy_that_was_just_away(pool: Pool, unharmed: None) -> None:
    """It cannot ask whether it lacks anything; the last report of the one that was lost clears it."""
    all_well(pool)
    before = bricks(pool)[5][0]
    pool.power_off(3)
    pool.announce(3, ready=False)
    wait_for("it is seen down", lambda: not bricks(pool)[3][1])
    pool.power_off(5)
    pool.announce(5, ready=False)
    pool.lose_disk(5)
    for node in (3, 5):
        pool.power_on(node)
        pool.announce(node)
    wait_for("a new brick", lambda: bricks(pool)[5][0] != before, 180)
    all_well(pool)


def test_of_two_a_copy_that_lacks_writes_is_not_relied_on_before_an_operator_says_so(pool: Pool) -> None:
    """The one that is lost blamed it: what it lacks, nobody has any more. What is told to do is done."""
    all_well(pool)
    before = bricks(pool)[5][0]
    pool.power_off(3)
    pool.announce(3, ready=False)
    wait_for("it is seen down", lambda: not bricks(pool)[3][1])
    pool.shell(1, f"{MOUNT} for i in $(seq 20); do echo $i > /run/t/alone$i; done")
    wait_for("it is blamed", lambda: "blamed" in pool.data("gluster-member-5")["blames"])
    pool.power_off(5)
    pool.announce(5, ready=False)
    pool.lose_disk(5)
    for node in (3, 5):
        pool.power_on(node)
        pool.announce(node)
    wait_for("an operator is told", lambda: "take that copy as right" in trouble(pool), 180)
    assert bricks(pool)[5] == (before, False)
    take_as_right(pool)
    wait_for("a new brick", lambda: bricks(pool)[5][0] != before, 180)
    all_well(pool)
    assert "take-as-right" not in pool.kubectl("get", "configmap", "gluster-member-3", "-o", "yaml")
    assert trouble(pool) == ""

"""What hangs instead of dying: brick, disk, glusterd, heal daemon. Each test ends with everything well.

Issue 13, cases 3 and 4: before, each of them stood as long as it lasted, and all was said to be well.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.pool import LOCK_SECONDS, Pool, running, wait_for
from tests.integration.seen import MOUNT, all_well, fill, trouble, why

pytestmark = [pytest.mark.lab]

NODE = 2
HEALER = "/var/run/gluster/shd/data/data-shd.pid"
READY = (
    'python3 -c "import urllib.request as u;'
    " print(u.urlopen('http://127.0.0.1:24098/readyz').status)\" 2>/dev/null || true"
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with running(tmp_path_factory.mktemp("pool"), 1, 2) as pool:
        pool.want(1, 2)
        pool.settled(1, 2)
        fill(pool)
        yield pool


def events(pool: Pool) -> str:
    return pool.kubectl("get", "events", "-o", "jsonpath={range .items[*]}{.message}{'\\n'}{end}")


def is_ready(pool: Pool, node: int) -> bool:
    return "200" in pool.shell(node, READY)


def process(pool: Pool, name: str) -> str:
    return pool.shell(NODE, f"pidof {name} || true").strip()


def writes(pool: Pool) -> subprocess.Popen[bytes]:
    """A client on node 1 that writes one file; it may wait for long."""
    return subprocess.Popen(
        ["nsenter", *pool.into(1), "sh", "-c", f"{MOUNT} echo x > /run/t/f1"], stdin=subprocess.DEVNULL
    )


def test_a_brick_that_is_stopped_is_not_ready_and_is_started_again(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    old = process(pool, "glusterfsd")
    pool.shell(NODE, f"kill -STOP {old}")
    wait_for("it is not ready", lambda: "does not answer" in why(pool, NODE) and not is_ready(pool, NODE))
    wait_for("another process", lambda: process(pool, "glusterfsd") not in ("", old), 150)
    all_well(pool)
    assert "brick /data/brick did not answer for 60 s: it was killed" in events(pool)


def test_a_brick_on_a_disk_that_hangs_is_taken_out_and_clients_go_on(pool: Pool) -> None:
    all_well(pool)
    old = process(pool, "glusterfsd")
    pool.shell(NODE, "fsfreeze -f /data")
    writer = writes(pool)
    try:
        wait_for("it is told", lambda: "has not taken a synced write" in trouble(pool), 120)
        assert not is_ready(pool, NODE)
        wait_for("the writer goes on", lambda: writer.poll() is not None, 60)
        assert writer.returncode == 0
        assert process(pool, "glusterfsd") in ("", old), "nothing is started on it"
    finally:
        pool.shell(NODE, "fsfreeze -u /data")
        writer.wait(120)
    wait_for("another process", lambda: process(pool, "glusterfsd") not in ("", old), 150)
    all_well(pool)
    wait_for("nothing is told any more", lambda: trouble(pool) == "")
    assert "ends its brick: the disk has not taken a synced write" in events(pool)


def test_a_glusterd_that_is_stopped_is_started_again(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    old, bricks = process(pool, "glusterd"), process(pool, "glusterfsd")
    pool.shell(NODE, f"kill -STOP {old}")
    wait_for("it is not ready", lambda: not is_ready(pool, NODE))
    wait_for("another process", lambda: process(pool, "glusterd") not in ("", old), LOCK_SECONDS)
    assert process(pool, "glusterfsd") == bricks, "its brick goes on"
    all_well(pool)


def test_a_heal_daemon_that_hangs_is_ended_and_started_again(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    old = pool.shell(NODE, f"cat {HEALER}").strip()
    pool.shell(NODE, f"kill -STOP {old}")
    lives = f"p=$(cat {HEALER}); test $p != {old} && kill -0 $p && echo lives || true"
    wait_for("another process", lambda: pool.shell(NODE, lives) == "lives\n", LOCK_SECONDS)
    all_well(pool)

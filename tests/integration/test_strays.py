"""Members that the pool does not know, does not take, or cannot tell right from wrong of."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator

import pytest
from gluster_sidecar.contract import MemberKey, member_name

from tests.integration.pool import HUB, LOCK_SECONDS, Pool, run, running, wait_for
from tests.integration.seen import (
    MOUNT,
    all_well,
    answers,
    bricks,
    changes,
    fill,
    replaced,
    state,
    trouble,
    why,
)

pytestmark = [pytest.mark.lab]

NODES = (1, 2, 3, 4)
HOST = "gluster-{}.default.svc.cluster.local"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with running(tmp_path_factory.mktemp("pool"), *NODES, 5) as pool:
        pool.want(*NODES, spares=(5,), grace=3600)
        pool.settled(*NODES)
        fill(pool)
        yield pool


def test_one_that_was_detached_while_it_was_away_is_let_in_again(pool: Pool, unharmed: None) -> None:
    wait_for("the spare is a peer", lambda: state(pool, 5) == "peer")
    pool.power_off(5)
    pool.announce(5, ready=False)
    pool.want(*NODES, grace=3600)
    wait_for("it is let go", lambda: not pool.data("gluster-member-5"))
    assert HOST.format(5) not in pool.gluster(1, "pool", "list")
    pool.want(*NODES, spares=(5,), grace=3600)
    pool.power_on(5)
    pool.announce(5)
    wait_for("it is a peer again", lambda: state(pool, 5) == "peer", LOCK_SECONDS)
    wait_for("all know it", lambda: pool.gluster(1, "pool", "list").count("Connected") == 5)
    wait_for("it knows all", lambda: pool.gluster(5, "pool", "list").count("Connected") == 5)
    assert pool.gluster(5, "volume", "info", "data").count(":/data/brick") == 4


def test_two_that_lost_their_disks_at_once_find_back_though_they_found_each_other(
    pool: Pool, unharmed: None
) -> None:
    all_well(pool)
    for node in (2, 4):
        pool.power_off(node)
        pool.announce(node, ready=False)
    wait_for("both are seen down", lambda: {bricks(pool)[2][1], bricks(pool)[4][1]} == {False})
    for node in (2, 4):
        replaced(pool, node, off=False)
    # Their sidecars are held as soon as glusterd has its UUID, so that the two meet first.
    for node in (2, 4):
        wait_for("glusterd answers", lambda node=node: answers(pool, node))  # type: ignore[misc]
        pool.signal(node, "sidecar", signal.SIGSTOP)
    if HOST.format(1) not in pool.gluster(2, "pool", "list"):
        pool.shell(2, f"gluster --mode=script peer probe {HOST.format(4)} || true")
    for node in (2, 4):
        pool.signal(node, "sidecar", signal.SIGCONT)
    # The next folder but one, if a first try was refused halfway.
    anew = "/data/brick-"
    wait_for("both have a new brick", lambda: all(anew in bricks(pool)[n][0] for n in (2, 4)), LOCK_SECONDS)
    all_well(pool)


def test_the_last_copy_stays_one_though_its_machine_is_started_anew(pool: Pool, unharmed: None) -> None:
    """Nobody is left who could tell what it lacks; the last report of the one that was lost clears it."""
    all_well(pool)
    pool.signal(5, "sidecar", signal.SIGSTOP)
    keep_waiting(pool, 5)
    before = bricks(pool)[4][0]
    replaced(pool, 4)
    wait_for("it is seen down", lambda: bricks(pool)[4][1] is False)
    pool.power_off(3)
    pool.announce(3, ready=False)
    wait_for("it is seen down", lambda: bricks(pool)[3][1] is False)
    pool.power_on(3)
    pool.announce(3)
    wait_for("it is back", lambda: bricks(pool)[3][1] is True, 120)
    assert bricks(pool)[4] == (before, False)
    pool.signal(5, "sidecar", signal.SIGCONT)
    wait_for(
        "it has another beside it", lambda: bricks(pool)[4][0] != before and bricks(pool)[4][1], LOCK_SECONDS
    )
    all_well(pool)


def keep_waiting(pool: Pool, node: int) -> None:
    """The actor changes nothing as long as that node's sidecar does not say that its glusterd is another."""
    asked = {str(key): "by a test" for key in (MemberKey.START_ASKED, MemberKey.START_GRANTED)}
    patch = json.dumps({"data": asked})
    pool.kubectl("patch", "configmap", member_name(node), "--type=merge", "-p", patch)


def test_an_actor_that_is_cut_from_kubernetes_is_followed_by_the_next(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    wait_for("node 1 acts", lambda: pool.data("gluster-status").get("actor") == "1")
    netns = f"{pool.name}-1"
    run("ip", "-n", netns, "route", "add", "blackhole", HUB)
    try:
        pool.announce(1, ready=False)  # its sidecar is not Ready without Kubernetes
        wait_for("node 2 acts", lambda: pool.data("gluster-status").get("actor") == "2", 120)
        pool.want(*NODES, spares=(5,), grace=3000)
        wait_for("it settles", lambda: "steady" in pool.data("gluster-status")["doing"])
        all_well(pool)
    finally:
        run("ip", "-n", netns, "route", "del", "blackhole", HUB)
        pool.announce(1)
    wait_for("node 1 acts again", lambda: pool.data("gluster-status").get("actor") == "1")


def test_split_brain_is_said_and_left_to_a_person(pool: Pool, unharmed: None) -> None:
    all_well(pool)
    holders = (1, 2) if "f1" in pool.shell(1, f"ls {bricks(pool)[1][0]}").split() else (3, 4)
    for node, accused in (holders, holders[::-1]):
        accuse(pool, node, f"{bricks(pool)[node][0]}/f1", accused)
    wait_for("it is said", lambda: "no copy that is known to be right" in trouble(pool))
    before = changes(pool, NODES)
    pool.want(1, 2, spares=(5,), grace=3600)
    wait_for("a shrink waits", lambda: "no copy" in pool.data("gluster-status")["doing"])
    assert changes(pool, NODES) == before
    pool.want(*NODES, spares=(5,), grace=3600)
    source = f"{HOST.format(holders[0])}:{bricks(pool)[holders[0]][0]}"
    pool.gluster(1, "volume", "heal", "data", "split-brain", "source-brick", source)
    wait_for("nothing is in trouble", lambda: trouble(pool) == "")
    all_well(pool)
    pool.settled(*NODES)


def accuse(pool: Pool, node: int, file: str, other: int) -> None:
    """As a write that reached only this node's brick would: the copy of node `other` lacks something."""
    pool.shell(
        node,
        f"setfattr -n trusted.afr.data-client-{other - 1} -v 0x000000010000000000000000 {file};"
        f" gfid=$(getfattr -n trusted.gfid -e hex --absolute-names --only-values {file} | od -An -tx1"
        " | tr -d ' \\n' | sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12})/\\1-\\2-\\3-\\4-\\5/');"
        f" cd {file.rpartition('/')[0]}/.glusterfs/indices/xattrop;"
        ' base=$(ls | grep xattrop- | head -1); test -n "$base" || { base=xattrop-00; : > $base; };'
        ' ln -f "$base" "$gfid"',
    )


def end_glusterd(pool: Pool, node: int) -> None:
    """For good, until the machine has power again."""
    pool.signal(node, "daemon", signal.SIGTERM)
    wait_for("glusterd has ended", lambda: pool.shell(node, "pidof glusterd || true") == "")


def test_a_peer_that_is_rejected_is_said_and_nothing_is_done_without_it(pool: Pool, unharmed: None) -> None:
    """It knows of an option that the others do not, at the same version: nobody can tell who is right."""
    all_well(pool)
    end_glusterd(pool, 4)
    known = "/data/glusterd/vols/data/info"
    pool.shell(4, f"cp {known} /data/right; echo user.note=another >> {known}; sync")
    pool.power_off(4)
    pool.announce(4, ready=False)
    pool.power_on(4)
    pool.announce(4)
    wait_for("it is said", lambda: f"does not take {HOST.format(4)}" in trouble(pool), 150)
    before = changes(pool, NODES)
    pool.want(1, 2, spares=(5,), grace=3600)
    wait_for(
        "a shrink waits for it", lambda: "does not take peers" in pool.data("gluster-status")["doing"], 150
    )
    assert changes(pool, NODES) == before
    pool.want(*NODES, spares=(5,), grace=3600)
    end_glusterd(pool, 4)
    pool.shell(4, f"mv /data/right {known}; sync")
    pool.power_off(4)
    pool.power_on(4)
    pool.announce(4)
    wait_for("nothing is in trouble", lambda: trouble(pool) == "", 150)
    all_well(pool)


def test_a_disk_that_a_newer_glusterd_had_is_said_and_nothing_is_done_to_it(
    pool: Pool, unharmed: None
) -> None:
    """An image that was taken back: glusterd of 11.1 refuses a disk that works at a later version."""
    all_well(pool)
    info = "/data/glusterd/glusterd.info"
    right = pool.shell(3, f"cat {info}")
    end_glusterd(pool, 3)
    pool.shell(3, f"sed -i s/^operating-version=.*/operating-version=990000/ {info}; sync")
    before = changes(pool, NODES)
    pool.power_off(3)
    pool.announce(3, ready=False)
    pool.power_on(3)
    pool.announce(3, ready=False)
    wait_for("it is said", lambda: "node 3 is blocked" in trouble(pool), 120)
    assert "glusterd ends as soon as it is started" in why(pool, 3)
    assert changes(pool, NODES) == before
    pool.shell(3, f"printf '%s' '{right}' > {info}; sync")
    pool.announce(3)
    wait_for("nothing is in trouble", lambda: trouble(pool) == "", 120)
    all_well(pool)


HARM = {
    "a-peer-is-unknown": "rm $peer",
    "the-volumes-file-is-cut-off": "head -c 300 vols/data/info > x; mv x vols/data/info",
}
"""With each of these glusterd 11.1 does not start any more; tests/sidecar/test_state.py has the others."""


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_power_cut_that_leaves_glusterds_files_half_written(pool: Pool, unharmed: None, harm: str) -> None:
    """Also what a glusterd leaves that ends before it was told of all its peers, as the first of them."""
    all_well(pool)
    end_glusterd(pool, 3)
    pool.shell(3, f"cd /data/glusterd && peer=$(grep -l {HOST.format(1)} peers/*) && {harm}; sync")
    pool.power_off(3)
    pool.announce(3, ready=False)
    wait_for("it is seen down", lambda: not bricks(pool)[3][1])
    pool.power_on(3)
    pool.announce(3)
    wait_for("it is up again", lambda: bricks(pool)[3][1])
    all_well(pool)
    assert "is set aside" in pool.shell(3, "cat /var/log/daemon.log")
    assert {HOST.format(n) for n in (1, 2, 4)} <= set(pool.gluster(3, "pool", "list").split())
    wait_for("nothing is in trouble", lambda: trouble(pool) == "")


def test_a_full_disk_is_said_and_nothing_is_lost(pool: Pool, unharmed: None) -> None:
    """What its brick does not take the other copy has; with room again it heals."""
    all_well(pool)
    assert not writes(pool)
    fill_up(pool, 3)
    wait_for("it is said", lambda: "the disk of node 3 is full" in trouble(pool))
    wait_for("what it does not take waits on the other copy", lambda: not writes(pool) and heals(pool, 4) > 0)
    pool.shell(3, "rm /data/filler; sync")
    wait_for("nothing is in trouble", lambda: trouble(pool) == "")
    # No brick came back, so glusterd's daemons would look again in up to ten minutes (cluster.heal-timeout).
    pool.gluster(1, "volume", "heal", "data")
    all_well(pool)
    one, other = (pool.shell(n, f"cd {bricks(pool)[n][0]} && sha256sum more*") for n in (3, 4))
    assert one == other
    pool.shell(1, MOUNT + "rm /run/t/more*")


def fill_up(pool: Pool, node: int) -> None:
    room = "$(df --output=avail -B1 /data | tail -1)"
    pool.shell(node, f"fallocate -l $(({room} - 1048576)) /data/filler; sync")


def writes(pool: Pool) -> str:
    """What is said against growing files of all sets by 4 MB. (New ones would go where there is room.)"""
    write = "head -c 100000 /dev/urandom >> /run/t/more$i"
    return pool.shell(1, f"exec 2>&1; {MOUNT} for i in $(seq 40); do {write}; done; true")


def heals(pool: Pool, node: int) -> int:
    return int(pool.data(f"gluster-member-{node}").get("heals") or 0)


def test_a_replacement_that_fails_halfway_is_done_anew(pool: Pool, unharmed: None) -> None:
    """What the new brick lacks is noted by a mount on its node; it is in the volume also when that fails."""
    all_well(pool)
    program = pool.shell(4, "command -v glusterfs").strip()
    pool.shell(4, f"mv {program} {program}.away")
    pool.power_off(4)
    pool.announce(4, ready=False)
    wait_for("it is seen down", lambda: not bricks(pool)[4][1])
    replaced(pool, 4, off=False)
    failed = re.compile(r"replace-brick data \S+ (\S+) commit force: Commit failed")
    wait_for("it failed", lambda: failed.search(pool.log(1)) is not None, LOCK_SECONDS)
    pool.shell(4, f"mv {program}.away {program}")
    wait_for(
        "it is done",
        lambda: f"{HOST.format(4)}:{bricks(pool)[4][0]}" not in failed.findall(pool.log(1)),
        LOCK_SECONDS,
    )
    all_well(pool)
    assert pool.data("gluster-status")["unproven"] == ""

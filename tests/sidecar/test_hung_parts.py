"""What a sidecar does about parts of its node that do not serve, as its daemon tells it (law 11)."""

from __future__ import annotations

from dataclasses import replace

from gluster_sidecar import actions as do
from gluster_sidecar import planner, report
from gluster_sidecar.model import NO_HEALER, Cluster, Service
from gluster_sidecar.planner import own
from gluster_sidecar.settings import Settings
from gluster_sidecar.trouble import troubles

from tests.sidecar.test_planner_failures import long_so
from tests.sidecar.test_rest import well
from tests.sidecar.world import brick

NODE = 3


def seen(served: Service, *, running: bool = True) -> Cluster:
    cluster = long_so(well(NODE))
    process = {"/data/brick": "71.4711.boot"} if running else {}
    assert cluster.pool
    me = replace(cluster.members[NODE], disk=served.disk)
    return replace(
        cluster,
        own=replace(cluster.own, processes=process, service=served),
        pool=replace(cluster.pool, brick_running=running),
        members={**cluster.members, NODE: me},
    )


def ready(cluster: Cluster) -> report.Readiness:
    return report.readiness(cluster, 0)


def steps(cluster: Cluster) -> list[do.Step]:
    return list(planner.plan_own(cluster, Settings()).steps)


def test_a_node_whose_disk_hangs_is_not_ready_and_says_so() -> None:
    assert ready(seen(Service())).ready
    hung = seen(Service(disk="the disk hangs"))
    assert ready(hung) == report.Readiness(False, "the disk hangs")
    assert report.own_member(hung, ready(hung), (), 0, None)["disk"] == "the disk hangs"


def test_a_silent_brick_is_not_ready_and_left_to_the_daemon() -> None:
    silent = seen(Service(silent=frozenset({"/data/brick"})))
    assert ready(silent) == report.Readiness(False, f"its brick {brick(NODE)} does not answer")
    assert not silent.unwell
    assert not steps(silent)


def test_a_brick_on_a_disk_that_hangs_is_ended_if_the_other_copy_serves() -> None:
    hung = seen(Service(disk="the disk hangs"))
    (step,) = steps(hung)
    assert isinstance(step, do.EndBrick)
    assert step.process == "71.4711.boot"
    other = next(b for one in hung.pool.volume.sets for b in one if b.node == 4)  # type: ignore[union-attr]
    away = replace(hung.members[4], process="")
    assert other.id == hung.members[4].brick
    assert not steps(replace(hung, members={**hung.members, 4: away}))
    both = replace(hung.members[4], disk="it hangs, too")
    assert not steps(replace(hung, members={**hung.members, 4: both})), "not all of them may go"
    unsaid = replace(hung.members[NODE], disk="")
    assert not steps(replace(hung, members={**hung.members, NODE: unsaid})), "it has to say so first"
    assert not steps(seen(Service(disk="the disk hangs", may_end=False))), "it has just done so"
    assert not steps(seen(Service()))
    assert not steps(replace(hung, own=replace(hung.own, end_asked="71.4711.boot"))), "it is being ended"


def test_nothing_is_started_on_a_disk_that_hangs() -> None:
    down = seen(Service(), running=False)
    assert [type(step) for step in steps(down)] == [do.RestartGlusterd]
    assert not steps(seen(Service(disk="the disk hangs"), running=False))


def test_a_heal_daemon_that_does_not_run_is_started() -> None:
    without = seen(Service(healer=False))
    assert without.unwell == NO_HEALER
    assert not steps(without), "only by leave: it may hold the copy that is relied on just now"
    asked = own.start_asked(without)
    leave = replace(without.members[NODE], start_asked=asked, start_granted=asked)
    granted = replace(without, members={**without.members, NODE: leave})
    assert [type(step) for step in steps(granted)] == [do.RestartGlusterd]
    for healer in (True, None):
        assert not steps(seen(Service(healer=healer)))


def test_a_heal_daemon_that_was_switched_off_is_not_missed() -> None:
    without = seen(Service(healer=False))
    pool = without.pool
    assert pool
    assert pool.volume
    off = replace(pool, volume=replace(pool.volume, options={"cluster.self-heal-daemon": "off"}))
    assert not steps(replace(without, pool=off))


def test_a_disk_that_takes_no_writes_is_told_to_an_operator() -> None:
    cluster = well(1)
    hung = replace(cluster.members[NODE], disk="the disk hangs")
    assert any(
        "node 3: the disk hangs" in line
        for line in troubles(replace(cluster, members={**cluster.members, NODE: hung}))
    )

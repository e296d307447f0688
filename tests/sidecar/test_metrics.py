"""What /metrics and the status say of a look."""

from __future__ import annotations

import urllib.request
from dataclasses import replace

import pytest
from gluster_sidecar import health, metrics, planner, report, trouble
from gluster_sidecar.contract import MemberState
from gluster_sidecar.health import Health
from gluster_sidecar.model import Cluster, Service
from gluster_sidecar.report import Readiness
from gluster_sidecar.settings import Settings

from tests.sidecar.test_planner_failures import formed
from tests.sidecar.world import brick, host

READY = Readiness(True, "serves")
STEADY = planner.Decision("steady")


def gauges(cluster: Cluster, pending: int | None = 0) -> dict[str, float]:
    return metrics.of(cluster, (STEADY, planner.plan(cluster, Settings())), READY, pending)


def with_volume(cluster: Cluster, **changes: object) -> Cluster:
    assert cluster.pool
    assert cluster.pool.volume
    volume = replace(cluster.pool.volume, **changes)  # type: ignore[arg-type]
    return replace(cluster, pool=replace(cluster.pool, volume=volume))


def test_the_actor_tells_of_the_whole_volume() -> None:
    world = formed(1, 2, 3, 4)
    assert "volume_pending_heals" not in gauges(world.cluster(1)), "not asked while nothing hangs on it"
    world.words = {1: 1}
    said = gauges(world.cluster(1))
    assert (said["bricks"], said["bricks_up"], said["bricks_whole"], said["peers_connected"]) == (4, 4, 4, 3)
    assert said["actor"] == said['rule{rule="steady"}'] == 1
    assert said["volume_pending_heals"] == said["waits"] == 0


def test_what_hangs_on_this_node_is_told() -> None:
    cluster = formed(1, 2).cluster(1)
    hung = Service(frozenset({"/data/brick"}), disk="hangs", healer=False)
    for served, told in ((Service(healer=True), (1, 0, 1)), (hung, (0, 1, 0))):
        said = gauges(replace(cluster, own=replace(cluster.own, service=served)))
        assert (said["disk_takes_writes"], said["bricks_silent"], said["healer_up"]) == told


def test_what_is_not_known_is_no_number() -> None:
    cluster = formed(1, 2).cluster(1)
    blind = with_volume(cluster, detailed=False, pending={})
    assert not {"bricks_up", "volume_pending_heals", "pending_heals"} & gauges(blind, None).keys()
    assert "healer_up" not in gauges(cluster)
    silent = gauges(replace(cluster, pool=None), None)
    assert silent["glusterd_up"] == 0
    assert not {"peers", "bricks", "bricks_up"} & silent.keys()
    assert "bricks_up" not in gauges(formed(1, 2).cluster(2)), "who does not act does not ask"


def test_every_sample_has_its_help_and_its_type() -> None:
    tally = metrics.Tally({'api_requests_total{verb="GET"}': 3, 'api_requests_total{verb="PUT"}': 12345678})
    lines = metrics.text({**gauges(formed(1, 2).cluster(1)), **tally}).splitlines()
    assert lines.count("# TYPE gluster_sidecar_api_requests_total counter") == 1
    assert 'gluster_sidecar_api_requests_total{verb="PUT"} 12345678' in lines
    assert "# TYPE gluster_sidecar_ready gauge" in lines
    with pytest.raises(KeyError):
        metrics.text({"nobody_described_it": 1})


def test_they_are_served() -> None:
    told = Health(gauges={"ready": 1}, tally=metrics.Tally({"cycles_total": 7}))
    server = health.serve(told, 0, look_seconds=0.1)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    assert "gluster_sidecar_cycles_total 7\n" in text
    assert "gluster_sidecar_ready 1\n" in text


def test_what_waits_for_a_person_is_said_with_the_way_out() -> None:
    cluster = formed(1, 2, 3, 4).cluster(1)
    assert trouble.troubles(cluster) == []
    assert cluster.pool
    halfway = replace(cluster.pool.peers[host(2)], in_cluster=False)
    rejected = replace(halfway, rejected=True)
    full = replace(cluster.members[3], used=100 << 30, free=1 << 30)
    blocked = replace(cluster.members[4], state=MemberState.BLOCKED)
    ill = replace(
        with_volume(cluster, split_brain=2),
        members={**cluster.members, 3: full, 4: blocked},
    )
    assert ill.pool
    ill = replace(ill, pool=replace(ill.pool, peers={**ill.pool.peers, host(2): rejected}))
    said = report.status_document(ill, STEADY, Settings())["trouble"].splitlines()
    assert len(said) == len(trouble.troubles(ill)) == gauges(ill)["troubles"] == 4
    assert f"glusterd does not take {host(2)}" in said[0]
    assert ill.pool
    being_let_in = replace(ill, pool=replace(ill.pool, peers={**ill.pool.peers, host(2): halfway}))
    assert trouble.troubles(being_let_in) == said[1:]
    assert "heal data info split-brain" in said[1]
    assert said[2].startswith("the disk of node 3 is full")
    assert said[3].startswith("node 4 is blocked")


def test_a_rejected_peer_and_split_brain_stop_what_could_cost_a_copy() -> None:
    world = formed(1, 2, 3, 4)
    world.want(1, 2)
    cluster = world.cluster(1)
    assert cluster.pool
    assert planner.plan(cluster, Settings()).rule == "drain"
    peers = {**cluster.pool.peers, host(4): replace(cluster.pool.peers[host(4)], in_cluster=False)}
    rejected = replace(cluster, pool=replace(cluster.pool, peers=peers))
    assert f"does not take peers {host(4)}" in planner.plan(rejected, Settings()).waits_for
    split = with_volume(cluster, split_brain=1)
    assert "no copy that is known to be right" in planner.plan(split, Settings()).waits_for


def test_growth_waits_for_a_person_too_while_entries_are_in_split_brain() -> None:
    """Data cannot be spread over new bricks with files of which no copy is right: it was begun for ever."""
    world = formed(1, 2)
    world.add_nodes(3, 4)
    world.want(1, 2, 3, 4)
    while world.decide().rule != "expand":
        world.apply(world.decide().steps[0])
    pending: dict[str, int | None] = {brick(1): 1, brick(2): 1}
    split = with_volume(world.cluster(1), split_brain=1, pending=pending)
    split = replace(split, notes=replace(split.notes, whole=frozenset()))
    assert planner.plan(split, Settings()).rule == "steady"

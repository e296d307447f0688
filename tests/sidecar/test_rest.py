"""When there is nothing to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from gluster_sidecar import disk, documents, hosts, planner, rest, trouble
from gluster_sidecar.contract import KIND_LABEL, MEMBER_TELEMETRY, STATUS_TELEMETRY, Kind, MemberKey
from gluster_sidecar.errors import ApiError
from gluster_sidecar.events import Events
from gluster_sidecar.health import Health
from gluster_sidecar.lease import DURATION_SECONDS, RENEW_SECONDS, Lease
from gluster_sidecar.loop import Loop
from gluster_sidecar.model import Blame, Cluster, Service
from gluster_sidecar.observe import Seen
from gluster_sidecar.settings import Settings

from tests.sidecar.test_lease import OneLease
from tests.sidecar.test_planner_failures import formed
from tests.sidecar.world import brick, host, process

PROCESS = "71.4711"


def well(me: int = 1) -> Cluster:
    cluster, mate = formed(1, 2, 3, 4).cluster(me), me - 1 if me % 2 == 0 else me + 1
    clear = {brick(mate): Blame(process(mate), blamed=False)}
    own = replace(cluster.own, writable=True, processes={"/data/brick": PROCESS}, blames=clear)
    return replace(cluster, own=own)


def is_calm(cluster: Cluster) -> bool:
    return rest.is_calm(cluster, (planner.plan_own(cluster, Settings()), planner.plan(cluster, Settings())))


def test_a_pool_that_is_well_lets_its_sidecars_rest() -> None:
    assert is_calm(well())
    assert is_calm(well(3)), "one that stands by"


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
            for key, value in (
                ("lost", frozenset({brick(cluster.me)})),
                ("writable", None),
                ("writable", False),
                ("problem", "x"),
                ("blames", {}),
                ("blames", None),
                ("service", Service(disk="hangs")),
                ("service", Service(healer=False)),
            )
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


@dataclass
class Values:
    """What a loop sees, and how often it looked."""

    cluster: Cluster
    change: int = 0
    looks: int = 0

    def mark(self) -> rest.Mark:
        return (self.change,)

    def look(self, holds_lease: bool) -> Seen:
        self.looks += 1
        return Seen(replace(self.cluster, holds_lease=holds_lease), {})


@dataclass
class Site:
    loop: Loop
    values: Values
    lease: OneLease
    now: float = 0

    def looks(self) -> int:
        """How often the next cycle looks."""
        before = self.values.looks
        self.loop.cycle()
        return self.values.looks - before


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], Site]:
    monkeypatch.setattr(hosts, "write", lambda *_: False)
    (started := tmp_path / "start").touch()

    def make(me: int) -> Site:
        values, api = Values(well(me)), OneLease()
        if me != 1:
            assert Lease(api, "default", "pod-1").contend(0)  # type: ignore[arg-type]
        lease = Lease(api, "default", f"pod-{me}")  # type: ignore[arg-type]
        observer: Any = values
        executor: Any = None  # there is nothing to do
        nothing: Any = NoObjects()
        events = Events(nothing, "default", "pod")
        loop = Loop(Settings(), observer, executor, nothing, lease, Health(), events, started)
        loop.clock = lambda: made.now
        loop._caught_up = PROCESS
        made = Site(loop, values, api)
        made.loop.cycle()
        return made

    return make


class NoObjects:
    def get(self, path: str) -> dict[str, Any]:
        raise ApiError("not found", 404)


@pytest.mark.parametrize("me", [1, 3])
def test_a_sidecar_rests_until_something_changes_or_its_look_is_old(
    site: Callable[[int], Site], me: int
) -> None:
    one = site(me)
    assert one.looks() == 0
    one.values.change += 1
    assert one.looks() == 1
    one.now += rest.LOOK_SECONDS - 1
    if me == 1:
        assert one.loop.lease.contend(one.now)
    assert one.looks() == 0
    one.now += 1
    assert one.looks() == 1


def test_the_one_that_acts_keeps_the_lease_while_it_rests(site: Callable[[int], Site]) -> None:
    one = site(1)
    for _ in range(10):
        one.now += RENEW_SECONDS
        assert one.looks() == 0
        assert one.loop.lease.held(one.now)
    other = Lease(one.lease, "default", "other")  # type: ignore[arg-type]
    assert one.lease.stored
    one.lease.stored["spec"]["holderIdentity"] = ""
    one.lease.version += 1
    one.lease.stored["metadata"]["resourceVersion"] = str(one.lease.version)
    assert other.contend(one.now)
    one.now += RENEW_SECONDS
    assert one.looks() == 1, "it does not act any more, and sees so at once"


def test_one_that_stands_by_leaves_the_lease_to_those_before_it(site: Callable[[int], Site]) -> None:
    asked = {}
    for me in (2, 3):
        one = site(me)
        before = one.lease.asked
        for _ in range(6):
            one.now += RENEW_SECONDS
            assert one.looks() == 0
        assert one.lease.version == 1
        asked[me] = one.lease.asked - before
    assert asked == {2: 30 // DURATION_SECONDS, 3: 0}, "only the next in line looks whether it is renewed"


def test_what_changes_on_the_disk_is_another_mark_and_no_file_is_read(tmp_path: Path) -> None:
    assert disk.marks(str(tmp_path)) is None
    store = tmp_path / "glusterd"
    for folder in ("peers", "vols/data"):
        (store / folder).mkdir(parents=True)
    for file in ("glusterd.info", "vols/data/info"):
        (store / file).write_text("x")
    first = disk.marks(str(tmp_path))
    assert first == disk.marks(str(tmp_path))
    (store / "peers/u").write_text("x")
    second = disk.marks(str(tmp_path))
    assert second != first
    os.utime(store / "vols/data/info", ns=(1, 1))
    assert disk.marks(str(tmp_path)) != second
    index = tmp_path / "brick/.glusterfs/indices/xattrop"
    index.mkdir(parents=True)
    third = disk.marks(str(tmp_path))
    (index / "xattrop-base").touch()
    assert disk.marks(str(tmp_path)) == third, "a folder more, and nothing pending"
    (index / "entry").touch()
    assert disk.marks(str(tmp_path)) != third


def document(kind: Kind, **data: str) -> dict[str, Any]:
    meta = {"name": "x", "labels": {KIND_LABEL: str(kind)}, "resourceVersion": "7"}
    return {"metadata": meta, "data": data}


def test_numbers_for_people_wake_nobody_and_what_rules_read_does() -> None:
    """While the volume was written, each sidecar asked glusterd up to 230 times a minute."""
    seen = rest.coordination(document(Kind.MEMBER, usedBytes="1", joined="true"))
    assert rest.coordination(document(Kind.MEMBER, usedBytes="2", why="x", joined="true")) == seen
    assert rest.coordination(document(Kind.MEMBER, usedBytes="1", joined="no")) != seen
    status = rest.coordination(document(Kind.STATUS, doing="steady", whole="a"))
    assert rest.coordination(document(Kind.STATUS, doing="heals", whole="a")) == status
    assert rest.coordination(document(Kind.STATUS, doing="steady", whole="")) != status
    plan = rest.coordination(document(Kind.PLAN, nodes="1", why="x"))
    assert rest.coordination(document(Kind.PLAN, nodes="1", why="y")) != plan, "all of it is read"


@pytest.mark.parametrize("key", ["uid", "deletionTimestamp", "finalizers", "annotations"])
def test_what_is_asked_of_an_object_is_no_telemetry(key: str) -> None:
    before, after = document(Kind.MEMBER), document(Kind.MEMBER)
    after["metadata"][key] = "another"
    assert rest.coordination(before) != rest.coordination(after)


@pytest.mark.parametrize(
    ("kind", "telemetry"),
    [(Kind.MEMBER, MEMBER_TELEMETRY), (Kind.STATUS, STATUS_TELEMETRY)],
    ids=["member", "status"],
)
def test_telemetry_decides_nothing_but_whether_there_is_room(kind: Kind, telemetry: frozenset[str]) -> None:
    """Whoever makes a rule read one of these must take it out of them."""
    sized = {MemberKey.USED, MemberKey.FREE, MemberKey.INODES_USED, MemberKey.INODES_FREE}
    node = {MemberKey.NODE: "1"} if kind is Kind.MEMBER else {}
    name = "gluster-member-1" if kind is Kind.MEMBER else "gluster-status"

    def read(data: dict[str, str]) -> object:
        item = {**document(kind, **node, **data)}
        item["metadata"]["name"] = name
        return documents.member(item) if kind is Kind.MEMBER else documents.notes(item)

    for key in telemetry - sized - {MemberKey.UNHEALED}:
        assert read({key: "1"}) == read({key: "2"}), key


def test_a_disk_is_full_when_either_is_used_up() -> None:
    """700,000 empty files used up the inodes of a brick; writers got ENOSPC, and nothing was told."""
    assert not disk.Usage(98, 2, 90, 10).is_full
    assert disk.Usage(100, 1, 0, 0).is_full
    assert disk.Usage(1, 99, 100, 1).is_full
    assert not disk.is_full(None, 1)
    member = replace(well().members[2], used=1, free=99, inodes_used=100, inodes_free=1)
    cluster = well()
    lines = trouble.troubles(replace(cluster, members={**cluster.members, 2: member}))
    assert any("disk of node 2 has no inodes left" in line for line in lines)

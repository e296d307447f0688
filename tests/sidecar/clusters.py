"""Pictures of clusters, in every state a planner may be shown: drawn by Hypothesis, or named one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.contract import MemberState
from gluster_sidecar.model import (
    Blame,
    Brick,
    Cluster,
    Guarded,
    Member,
    Notes,
    Own,
    Peer,
    Plan,
    Pod,
    Pool,
    Service,
    Task,
    TaskState,
    Volume,
)
from gluster_sidecar.settings import Settings
from hypothesis import strategies as st

from tests.sidecar.notes import noted
from tests.sidecar.world import NAMESPACE, START, WATCH, brick, host, process

COUNTS = st.none() | st.integers(0, 2)


@st.composite
def pods(draw: st.DrawFn, node: int, serial: int = 0) -> Pod:
    name = f"gluster-{node}-{serial}"
    return Pod(
        node=node,
        name=name,
        created=START + timedelta(seconds=draw(st.integers(0, 2))),
        address=f"10.0.0.{node}",
        running=draw(st.sampled_from((True, True, False))),
        ready=draw(st.sampled_from((True, True, False))),
        terminating=draw(st.sampled_from((False, False, False, True))),
        uid=f"uid-{name}",
        template=draw(st.sampled_from(("", "new"))),
    )


@st.composite
def members(draw: st.DrawFn, node: int) -> Member:
    return Member(
        node=node,
        terminating=draw(st.sampled_from((False, False, True))),
        held=draw(st.sampled_from((True, True, False))),
        joined=draw(st.booleans()),
        state=draw(st.sampled_from(MemberState)),
        uuid=draw(st.sampled_from((f"uuid-{node}", None))),
        brick=draw(st.sampled_from((brick(node), brick(node), ""))),
        process=draw(st.sampled_from((process(node), process(node), ""))),
        override=draw(st.sampled_from(("", "", f"{brick(node)} {process(node)}"))),
        blames=draw(
            st.dictionaries(
                st.sampled_from([brick(n) for n in range(1, 8)]),
                st.builds(Blame, st.sampled_from([process(n) for n in range(1, 8)]), st.booleans()),
            )
        ),
        knows=draw(st.sampled_from((frozenset(range(1, 9)), frozenset()))),
        place=draw(st.sampled_from(("/data/brick-9", "/data/brick", None))),
        spare=draw(st.sampled_from((False, False, True))),
        lost=draw(st.sampled_from((frozenset(), frozenset(), frozenset({brick(node)})))),
        heals=draw(st.sampled_from((0, 0, 1, None))),
        caught_up=draw(st.sampled_from((WATCH, WATCH, "2@then", ""))),
        start_asked=draw(st.sampled_from(("", "", "", "", "", "now"))),
        start_granted=draw(st.sampled_from(("now", "now", "then", ""))),
        used=draw(st.sampled_from((1, None))),
        free=draw(st.sampled_from((9, None))),
        left=draw(st.sampled_from((None, {}, {"/data/brick": (0, ())}, {"/data/brick": (1, ("a",))}))),
    )


services = st.builds(
    Service,
    silent=st.sampled_from((frozenset[str](), frozenset({"/data/brick"}))),
    disk=st.sampled_from(("", "", "", "hangs")),
    healer=st.sampled_from((True, True, None, False)),
)


@st.composite
def guards(draw: st.DrawFn, nodes: list[int]) -> dict[int, Guarded] | None:
    kinds = st.builds(
        Guarded,
        bricks=st.sampled_from((frozenset({"/data/brick"}), frozenset[str]())),
        terminating=st.sampled_from((False, False, False, True)),
        template=st.sampled_from(("", "new")),
    )
    found = {n: draw(kinds) for n in nodes if draw(st.sampled_from((True, True, True, False)))}
    return draw(st.sampled_from((found, found, found, None)))


@st.composite
def volumes(draw: st.DrawFn, nodes: list[int], replica: int) -> Volume:
    sets = draw(st.integers(1, max(1, len(nodes) // replica)))
    holders = draw(st.permutations(nodes))[: sets * replica]
    bricks = tuple(
        Brick(host(n), "/data/brick", draw(st.sampled_from((True, True, True, False, None)))) for n in holders
    )
    states = st.sampled_from(TaskState)
    leaving = tuple(b.id for b in bricks[-replica:])
    removals = st.builds(Task, st.just("t2"), states, st.just(leaving), COUNTS)
    return Volume(
        name="data",
        started=draw(st.sampled_from((True, True, True, False))),
        replica=replica,
        bricks=bricks,
        detailed=draw(st.sampled_from((True, True, True, False))),
        options=draw(st.sampled_from(({"network.ping-timeout": "10", "client.tcp-user-timeout": "5"}, {}))),
        pending={b.id: draw(COUNTS) for b in bricks},
        clients=draw(st.sampled_from((None, {}))),
        rebalance=draw(st.none() | st.builds(Task, st.just("t1"), states, st.just(()), COUNTS)),
        removal=draw(st.none() | st.none() | removals),
    )


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Cluster, Settings]:
    """Any picture at all, also such as no history leads to."""
    replica = draw(st.sampled_from((2, 2, 3)))
    nodes = list(range(1, draw(st.integers(replica, 2 * replica + 1)) + 1))
    me = draw(st.sampled_from(nodes))
    volume = draw(st.none() | volumes(nodes, replica))
    known = [n for n in nodes if n != me and draw(st.sampled_from((True, True, True, False)))]
    peers = {
        host(n): Peer(host(n), f"uuid-{n}", draw(st.sampled_from((True, True, False))), draw(st.booleans()))
        for n in known
    }
    names = [brick.id for brick in volume.bricks] if volume else []
    some = st.frozensets(st.sampled_from(names)) if names else st.just(frozenset[str]())
    wanted = frozenset(n for n in nodes if draw(st.booleans()))
    plan = st.builds(
        Plan,
        nodes=st.just(wanted),
        template=st.sampled_from(("", "new")),
        grace_seconds=st.sampled_from((None, 60)),
    )
    pool = Pool(f"uuid-{me}", peers, volume, draw(st.sampled_from((True, False, None))))
    long_ago = START - timedelta(days=1)
    found = Cluster(
        at=START,
        me=me,
        namespace=NAMESPACE,
        pods=tuple(draw(pods(n)) for n in nodes) + ((draw(pods(1, 1)),) if draw(st.booleans()) else ()),
        members={n: draw(members(n)) for n in nodes if draw(st.sampled_from((True, True, True, False)))},
        plan=draw(st.none() | plan),
        notes=Notes(
            balanced=draw(some),
            rebalance_bricks=draw(some),
            whole=draw(st.just(frozenset(names)) | some),
            replaced=draw(st.sampled_from((frozenset[str](), frozenset(names[:1])))),
            unproven=draw(st.sampled_from((frozenset[str](), frozenset(names[:1])))),
            away={n: long_ago for n in nodes if draw(st.booleans())},
            peers=frozenset(n for n in nodes if draw(st.booleans())),
        ),
        pool=draw(st.sampled_from((pool, pool, None))),
        holds_lease=draw(st.sampled_from((True, True, True, False))),
        own=Own(
            writable=draw(st.sampled_from((True, False, None))),
            lost=draw(st.sampled_from((frozenset(), frozenset({brick(me)})))),
            ending=draw(st.sampled_from((False, False, False, True))),
            processes=draw(st.sampled_from(({}, {"/data/brick": process(me)}))),
            service=draw(services),
            watch=draw(st.sampled_from((WATCH, ""))),
        ),
        controllers=draw(guards(nodes)),
        claims=draw(guards(nodes)),
    )
    return found, Settings(replication=replica)


def leading(cluster: Cluster) -> Cluster:
    """The same as server1 would see it if it were the one that looks and held the lease."""
    return replace(cluster, holds_lease=True, me=cluster.server1 or cluster.me)


def once_noted(cluster: Cluster, settings: Settings) -> Cluster:
    """What the actor sees once it has written down what it saw."""
    step = next(iter(planner.plan(cluster, settings).steps), None)
    if not isinstance(step, do.NoteHealth):
        return cluster
    return replace(cluster, notes=noted(cluster.notes, step))


def shuffled(cluster: Cluster) -> Cluster:
    """The same picture in another order."""
    pool = cluster.pool
    return replace(
        cluster,
        pods=cluster.pods[::-1],
        members=dict(reversed(list(cluster.members.items()))),
        notes=replace(cluster.notes, away=dict(reversed(list(cluster.notes.away.items())))),
        pool=pool and replace(pool, peers=dict(reversed(list(pool.peers.items())))),
    )

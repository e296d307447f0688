"""The one place that decides. Pure: a `Cluster` and `Settings` in, a `Plan` out.

`RULES` are asked in order and the first with something to say wins, so a rule may rely on all
above it having had nothing to do. A plan holds only steps that are safe on what was observed;
whatever depends on their result waits for the next look. A rule yields `Wait` only where going on
would be unsafe, because it silences every rule below.

The laws (design.md, section 5) are kept by order and by gates:
1. `stand_by` is first: nobody but server1 with the Lease gets past it.
2. `know_the_pool` stops a node whose glusterd is blank while others remember a volume.
3. `_unsafe` is asked before everything that could cost a copy of the data.
4. `None` never satisfies a gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .actions import (
    AddBricks,
    CommitRemoval,
    CreateVolume,
    DetachPeer,
    HoldMember,
    LiftFinalizer,
    NoteBalanced,
    NoteRebalance,
    ProbePeer,
    RemakeMember,
    SetOption,
    StartRebalance,
    StartRemoval,
    StartVolume,
    Step,
    StopRemoval,
    Wait,
)
from .contract import MemberState, node_of_host
from .model import Brick, Cluster, Peer, Pool, Task, TaskState, Volume
from .settings import Settings

VOLUME_OPTIONS: Final[Mapping[str, str]] = {
    # A machine whose power is cut stops answering without a word; clients wait one to two times
    # this long, in seconds (42 by default: 46 to 80 s of silence were measured).
    "network.ping-timeout": "10",
    # ... and give up on bytes that are not acknowledged after this long: 5.3 to 5.5 s measured.
    "client.tcp-user-timeout": "5",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do in this cycle, and which rule said so."""

    rule: str
    steps: tuple[Step, ...] = ()

    @property
    def waits_for(self) -> str:
        return "; ".join(step.reason for step in self.steps if isinstance(step, Wait))


Rule = Callable[[Cluster, Settings], Iterator[Step]]


def plan(cluster: Cluster, settings: Settings) -> Decision:
    """The first rule with something to say wins; "steady" when there is nothing to do."""
    for rule in RULES:
        if steps := tuple(rule(cluster, settings)):
            return Decision(rule.__name__, steps)
    return Decision("steady")


def acts(cluster: Cluster) -> bool:
    """Law 1: this sidecar is server1 and holds the Lease."""
    return cluster.server1 == cluster.me and cluster.holds_lease


def needs_heals(cluster: Cluster) -> bool:
    """Whether a rule would look at the pending heals, which are dear to ask for."""
    volume = cluster.pool.volume if cluster.pool else None
    if volume is None or not acts(cluster):
        return False
    return bool(_leaving_sets(cluster, volume))


def stand_by(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if not acts(cluster):
        actor = cluster.server1
        who = "no node is fit to act" if actor is None else f"node {actor} acts"
        yield Wait("takes the lease" if actor == cluster.me else who)


def know_the_pool(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if cluster.pool is None:
        yield Wait("glusterd on this node does not answer")
    elif cluster.pool.volume is None and (joined := _remember_a_volume(cluster)):
        yield Wait(
            f"glusterd on this node knows no volume, but nodes {_names(joined)} held one: their state is"
            " needed, nothing is created over it"
        )


def tear_down(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """No plan: the stack is being destroyed, and a destroy is not a drain."""
    if cluster.plan is None:
        # Its own object last: without it this node could no longer act.
        for node in sorted(cluster.members, key=lambda node: (node == cluster.me, node)):
            if cluster.members[node].terminating and cluster.members[node].held:
                yield LiftFinalizer(node, None, "the plan is gone: teardown")


def keep_members(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Who changed their mind midway has the member again, as a living and guarded object."""
    wanted = cluster.plan.nodes if cluster.plan else frozenset()
    for node in sorted(wanted):
        member = cluster.members.get(node)
        if member is None:
            yield RemakeMember(node)
        elif member.terminating and member.held:
            yield LiftFinalizer(node, wanted, "it is wanted again and will be made anew")
    for node, member in sorted(cluster.members.items()):
        if not member.held and not member.terminating:
            yield HoldMember(node)


def see_the_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """All rules below may rely on what is known of bricks and tasks."""
    volume = _volume(cluster)
    if volume and volume.started and not volume.detailed:
        yield Wait("the state of the bricks is not known")


def watch_removal(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Sees a removal to its end, or stops it when it is no longer wanted."""
    volume = _volume(cluster)
    removal = volume.removal if volume else None
    if volume is None or removal is None:
        return
    kept = sorted(node for node in _nodes(volume, removal) if node not in cluster.leaving)
    if kept and cluster.plan is not None:
        yield from _undo_removal(cluster, volume, removal)
    elif removal.state is TaskState.RUNNING:
        yield Wait(f"data moves off nodes {_names(_nodes(volume, removal))}")
    elif removal.state is TaskState.DONE and removal.failures == 0 and not _down(volume):
        if cluster.plan is not None:
            yield CommitRemoval(volume.name, removal.bricks)
    elif removal.state is TaskState.DONE and removal.failures == 0:
        yield Wait(f"data is moved; bricks {', '.join(_down(volume))} must be up to commit")
    else:
        # Started again from scratch: what has been moved stays moved, what failed is tried anew.
        yield from _undo_removal(cluster, volume, removal)


def watch_rebalance(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    volume = _volume(cluster)
    if volume and volume.rebalance and volume.rebalance.state is TaskState.RUNNING:
        yield Wait("data is spread over the new bricks")


def invite(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Probes each waiting member, one at a time, once it would know who calls."""
    pool = _pool(cluster)
    for node, member in sorted(cluster.members.items()):
        pod = cluster.pod(node)
        if node == cluster.me or member.terminating or cluster.host(node) in pool.peers:
            continue
        if pod is None or not pod.ready or member.state is not MemberState.WAITING:
            continue
        # Its glusterd names the caller by a reverse look-up of the address (hosts file first):
        # probed too early, it would keep an address for a name.
        if cluster.me in member.knows:
            yield ProbePeer(cluster.host(node))
            return


def create_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if _pool(cluster).volume is None and (bricks := _new_bricks(cluster, None, settings)):
        yield CreateVolume(settings.volume_name, settings.replication, bricks)
        yield NoteBalanced(frozenset(bricks))  # nothing is in it that could be spread


def set_options(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Before the start, so that no client ever runs with other values."""
    volume = _volume(cluster)
    if volume and (not volume.started or volume.all_online):
        for key, value in VOLUME_OPTIONS.items():
            if volume.options.get(key) != value:
                yield SetOption(volume.name, key, value)


def start_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    volume = _volume(cluster)
    if volume and not volume.started:
        yield StartVolume(volume.name)


def drain(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Moves the data off all replica sets whose nodes leave, in one removal."""
    volume = _volume(cluster)
    if volume is None or not (sets := _leaving_sets(cluster, volume)):
        return
    if len(sets) == len(volume.sets):
        yield Wait(f"nodes {_names(cluster.leaving)} hold all of the data: nothing would be left")
    elif unsafe := _unsafe(cluster, volume):
        yield Wait(f"to drain nodes {_names(_set_nodes(sets))}: {unsafe}")
    else:
        yield StartRemoval(volume.name, tuple(brick.id for one in sets for brick in one))


def release(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Nodes that leave and hold no brick go out of the pool; only then is their object let go."""
    volume = _volume(cluster)
    with_bricks = {brick.host for brick in volume.bricks} if volume else set()
    for node in sorted(cluster.leaving):
        host = cluster.host(node)
        if host in with_bricks or not cluster.members[node].held:
            continue
        if peer := _pool(cluster).peers.get(host):
            if peer.connected:
                yield DetachPeer(host)
            continue
        if node != cluster.me:
            yield LiftFinalizer(node, cluster.plan.nodes if cluster.plan else None, "drained")


def expand(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Full sets of waiting nodes get their bricks together."""
    volume = _volume(cluster)
    if volume and not _unsafe(cluster, volume, heals_matter=False) and not cluster.leaving:
        if volume.replica != settings.replication:
            return  # the volume's own kind decides; the report says that the setting differs
        if bricks := _new_bricks(cluster, volume, settings):
            yield AddBricks(volume.name, bricks)


def rebalance(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Spreads the data after growth, seen to its end and begun again when it failed."""
    volume = _volume(cluster)
    if volume is None:
        return
    bricks, notes, last = frozenset(b.id for b in volume.bricks), cluster.notes, volume.rebalance
    if bricks == notes.balanced:
        return
    if len(volume.sets) == 1 or bricks < notes.balanced:
        yield NoteBalanced(bricks)  # one set holds everything; a removal leaves the rest spread
        return
    last_id = last.id if last else ""
    asked = notes.rebalance_bricks == bricks
    if asked and last_id != notes.rebalance_after and last and last.state is TaskState.DONE:
        yield NoteBalanced(bricks)
    elif _unsafe(cluster, volume, heals_matter=False):
        return
    else:
        if not asked or last_id != notes.rebalance_after:
            yield NoteRebalance(bricks, last_id)
        yield StartRebalance(volume.name)


RULES: Final[tuple[Rule, ...]] = (
    stand_by,
    tear_down,
    keep_members,
    know_the_pool,
    see_the_volume,
    watch_removal,
    watch_rebalance,
    invite,
    create_volume,
    set_options,
    start_volume,
    drain,
    release,
    expand,
    rebalance,
)


def _pool(cluster: Cluster) -> Pool:
    """For rules below `know_the_pool`."""
    if cluster.pool is None:
        raise ValueError("asked for the pool before it was known")
    return cluster.pool


def _volume(cluster: Cluster) -> Volume | None:
    return _pool(cluster).volume


def _remember_a_volume(cluster: Cluster) -> frozenset[int]:
    joined = frozenset(node for node, member in cluster.members.items() if member.joined)
    noted = (node_of_host(brick.split(":", 1)[0]) for brick in cluster.notes.balanced)
    return joined or frozenset(node for node in noted if node is not None)


def _unsafe(cluster: Cluster, volume: Volume, *, heals_matter: bool = True) -> str:
    """Law 3: why nothing that could cost a copy may be done now; empty when it may."""
    if not volume.started:
        return "the volume is not started"
    if down := _down(volume):
        return f"bricks {', '.join(down)} are not up"
    members = {brick.host for brick in volume.bricks}
    if away := sorted(h for h, p in _pool(cluster).peers.items() if h in members and not _well(p)):
        return f"peers {', '.join(away)} are not connected"
    if volume.removal is not None or (volume.rebalance and volume.rebalance.state is TaskState.RUNNING):
        return "a rebalance or removal is running"
    if heals_matter and volume.heals is None:
        return "the pending heals are not known"
    if heals_matter and volume.heals:
        return f"{volume.heals} entries wait to be healed"
    return ""


def _well(peer: Peer) -> bool:
    return peer.connected and peer.in_cluster


def _down(volume: Volume) -> list[str]:
    return [brick.id for brick in volume.bricks if brick.online is not True]


def _undo_removal(cluster: Cluster, volume: Volume, removal: Task) -> Iterator[Step]:
    """What has already moved is spread again later, over all the bricks that stay."""
    if cluster.notes.balanced:
        yield NoteBalanced(frozenset())
    yield StopRemoval(volume.name, removal.bricks)


def _nodes(volume: Volume, removal: Task) -> list[int]:
    leaving = set(removal.bricks)
    return sorted(b.node for b in volume.bricks if b.id in leaving and b.node is not None)


def _set_nodes(sets: tuple[tuple[Brick, ...], ...]) -> list[int]:
    return sorted(brick.node for one in sets for brick in one if brick.node is not None)


def _leaving_sets(cluster: Cluster, volume: Volume) -> tuple[tuple[Brick, ...], ...]:
    return tuple(one for one in volume.sets if all(brick.node in cluster.leaving for brick in one))


def _candidates(cluster: Cluster, volume: Volume | None) -> list[int]:
    """Members of the pool without a brick that are well, the oldest number first."""
    with_bricks = {brick.host for brick in volume.bricks} if volume else set()
    found = []
    for node, member in sorted(cluster.members.items()):
        host, pod = cluster.host(node), cluster.pod(node)
        peer = _pool(cluster).peers.get(host)
        if member.terminating or host in with_bricks or pod is None or not pod.ready or not member.place:
            continue
        if node == cluster.me or (peer and _well(peer)):
            found.append(node)
    return found


def _new_bricks(cluster: Cluster, volume: Volume | None, settings: Settings) -> tuple[str, ...]:
    """Bricks of as many full sets as there are candidates for."""
    nodes = _candidates(cluster, volume)
    full = len(nodes) // settings.replication * settings.replication
    return tuple(f"{cluster.host(node)}:{cluster.members[node].place}" for node in nodes[:full])


def _names(nodes: Iterable[int]) -> str:
    return ", ".join(str(node) for node in sorted(nodes))

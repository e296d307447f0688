"""The one place that decides. Pure: a `Cluster` and `Settings` in, a `Decision` out.

Two lists of rules. `OWN_RULES` are about this node alone and hold whoever acts: bring the dead bricks of
its own glusterd back, join the pool again after its disk was lost. `RULES` are about the cluster and are
asked in order; the first with something to say wins, so a rule may rely on all above it having had
nothing to do. A decision holds only steps that are safe on what was observed; whatever depends on their
result waits for the next look. A rule yields `Wait` only where going on would be unsafe, because it
silences every rule below.

The laws (design.md, section 5) are kept by order and by gates:
1. `stand_by` is first: nobody but server1 with the Lease gets past it.
2. `know_the_pool` stops a node whose glusterd is blank while others remember a volume; `create_volume`
   takes no disk that has been a brick.
3. `_unsafe` and `_unsafe_to_replace` are asked before everything that could cost a copy of the data.
4. `None` never satisfies a gate, and a brick that is not noted as whole is not known to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from . import guard, profiles
from .actions import (
    AddBricks,
    CommitRemoval,
    CreateVolume,
    DeletePod,
    DetachPeer,
    GrantStart,
    HoldMember,
    NoteBalanced,
    NoteHealth,
    NoteRebalance,
    NoteReplaced,
    NoteUnproven,
    ProbePeer,
    RemakeMember,
    ReplaceBrick,
    RestartGlusterd,
    SetOption,
    StartRebalance,
    StartRemoval,
    StartVolume,
    Step,
    StopRemoval,
    Wait,
)
from .contract import MemberState, node_of_host
from .model import Brick, Cluster, Peer, Pod, Pool, Task, TaskState, Volume
from .settings import Settings

RESTART_AFTER: Final = timedelta(seconds=60)
"""Between two starts of glusterd for a brick that does not stay up: its log must have time to tell."""

SETTLED_AFTER: Final = timedelta(seconds=20)
"""How long a brick must not run, or a volume not be known, before it counts as more than the middle of a
command: the pool's commands were seen to take up to 8 s on a busy machine."""

GONE_AFTER: Final = timedelta(seconds=60)
"""How long a node must have been away before what happens to it no longer matters to others."""

SUCCESSOR_AFTER: Final = timedelta(seconds=60)
"""How long the roll waits for a new pod that replaces one which did not serve, before it replaces the
next."""

JOINED_AFTER: Final = timedelta(minutes=3)
"""How long a node may take to be in the pool again by starts of its own, which are `RESTART_AFTER` apart."""

RESERVE: Final = 0.02
"""Part of a disk that a removal may not fill; glusterfs itself keeps the last 1 % (storage.reserve)."""


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
    """What the actor shall do with the cluster; "steady" when there is nothing to do."""
    return _first(RULES, cluster, settings)


def plan_own(cluster: Cluster, settings: Settings) -> Decision:
    """What this node shall do for itself, whoever acts."""
    return _first(OWN_RULES, cluster, settings)


def _first(rules: tuple[Rule, ...], cluster: Cluster, settings: Settings) -> Decision:
    for rule in rules:
        if steps := tuple(rule(cluster, settings)):
            return Decision(rule.__name__, steps)
    return Decision("steady")


def acts(cluster: Cluster) -> bool:
    """Law 1: this sidecar is server1 and holds the Lease."""
    return cluster.server1 == cluster.me and cluster.holds_lease


def needs_heals(cluster: Cluster) -> bool:
    """Whether a rule would look at the pending heals, which are dear to ask for."""
    volume = cluster.pool.volume if cluster.pool else None
    if volume is None or not acts(cluster) or not volume.started:
        return False
    untrusted = {brick.id for brick in volume.bricks} - cluster.notes.whole
    unready = any(brick.node and not _ready(cluster.pod(brick.node)) for brick in volume.bricks)
    accusing = any(_accuses(cluster, brick) for brick in volume.bricks)
    changing = cluster.leaving or any(map(cluster.outdated, cluster.pods))
    return bool(untrusted or unready or accusing or changing)


# -- what a node does for itself -------------------------------------------------------------------------


def join_again(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A blank glusterd of a node that the pool knows: its disk was lost, and it has its UUID back.

    The others reject it until it asks to be let in itself; after that it learns the rest at a start
    (seen on glusterd 10.3 and 11.1).
    """
    pool = cluster.pool
    if pool is None or cluster.me not in cluster.notes.peers or pool.volume is not None:
        return
    # Nobody else can let it in: one that lost its disk at the same time may still be said to be a peer.
    knowing = [n for n in cluster.seniority if n in cluster.notes.peers & _hold_bricks(cluster)]
    strangers = [n for n in knowing if cluster.host(n) not in pool.peers]
    if pool.blank or 0 < len(strangers) == len(knowing):
        there = strangers or [n for n in cluster.seniority if n in cluster.notes.peers & in_a_pool(cluster)]
        if there:
            yield ProbePeer(cluster.host(there[0]))
    elif remember_a_volume(cluster) and _may_restart(cluster):
        yield RestartGlusterd("it is in the pool again and does not know the volume yet")


def revive_bricks(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """glusterd starts bricks that died when it starts, so no command of the pool is needed, and no force."""
    pool, own = cluster.pool, cluster.own
    if pool is None or pool.volume is None or not pool.volume.started or pool.brick_running is not False:
        return
    mine = {brick.id for brick in pool.volume.bricks_of(cluster.host(cluster.me))}
    if not own.lost and not mine & cluster.notes.unproven and own.writable and _may_restart(cluster):
        yield RestartGlusterd("its brick is not running")


def dissolve(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A pool without a volume, of which nobody is in the pool that is acted for: begun by an actor
    that died before it could say so. glusterd lets nobody into a pool who is in another already."""
    pool = cluster.pool
    if pool is None or not cluster.outcast or pool.volume is not None:
        return
    if not cluster.notes.peers & in_a_pool(cluster):
        return  # nobody is left of that pool: this one is the only one, and its leader has yet to say so
    if not any(node_of_host(host) in cluster.notes.peers for host in pool.peers):
        for host, peer in sorted(pool.peers.items()):
            yield DetachPeer(host, force=not _well(peer))


def finish_joining(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A peer that stays halfway in the pool, as this node's glusterd has it, is taken in by a start.

    Until then this node refuses every change that the peer's bricks are part of ("Accepted peer request" for
    minutes, after two nodes had lost their disks at once, seen on 11.1; a start mended it at once).

    By leave of the actor only: it replaces a brick on the word of the others of its set, and if the glusterd
    of the last good one is away in that moment, the new brick does not find it and takes itself for the good
    one (the root folder was in split-brain then, seen on 11.1).
    """
    asked, member = start_asked(cluster), cluster.members.get(cluster.me)
    if asked and member and member.start_granted == asked:
        yield RestartGlusterd(f"peers {', '.join(_stuck(cluster))} stay halfway in the pool")


def start_asked(cluster: Cluster) -> str:
    """Since when this node would start its glusterd anew if the actor lets it; empty if it would not.

    Never twice the same, so that leave is given for one start only.
    """
    if not _stuck(cluster) or not _may_restart(cluster):
        return ""
    times = (cluster.own.unwell_since, cluster.own.restarted)
    return max(time for time in times if time is not None).isoformat()


def _stuck(cluster: Cluster) -> list[str]:
    """Peers that are halfway in the pool. One that may not know the volume yet is given time: it still joins
    by starts of its own, which those of others would only disturb."""
    peers, since = cluster.pool.peers.values() if cluster.pool else (), cluster.own.unwell_since
    patient = since is None or cluster.at - since < JOINED_AFTER
    meant = _hold_bricks(cluster) if patient else cluster.members.keys()
    hosts = {cluster.host(node) for node in meant}
    return sorted(peer.host for peer in peers if peer.halfway and peer.host in hosts)


OWN_RULES: Final[tuple[Rule, ...]] = (join_again, dissolve, revive_bricks, finish_joining)


def _may_restart(cluster: Cluster) -> bool:
    """Never in the middle of something: a glusterd that was ended while it put a new brick into its store
    could not read the store any more (seen on 11.1)."""
    own = cluster.own
    if own.ending or own.unwell_since is None or cluster.at - own.unwell_since < SETTLED_AFTER:
        return False
    return own.restarted is None or cluster.at - own.restarted >= RESTART_AFTER


# -- what the actor does for the cluster -------------------------------------------------------------------


def stand_by(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if not acts(cluster):
        actor = cluster.server1
        who = "no node is fit to act" if actor is None else f"node {actor} acts"
        yield Wait("takes the lease" if actor == cluster.me else who)


def grant_starts(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """One node after the other."""
    asking = [node for node, m in sorted(cluster.members.items()) if m.start_asked and not m.starts_anew]
    if asking and not _starting(cluster):
        yield GrantStart(asking[0], cluster.members[asking[0]].start_asked)


def await_starts(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Of what changes in the volume while it is away a glusterd learns later, and then starts its brick anew,
    be it the last good copy (seen on 11.1)."""
    volume = _volume(cluster)
    if volume and volume.started and (starting := _starting(cluster)):
        yield Wait(f"glusterd of node {starting[0]} is started anew")


def _starting(cluster: Cluster) -> list[int]:
    """Nodes that have leave to start their glusterd anew and have not said yet that they have."""
    return [n for n, m in sorted(cluster.members.items()) if m.starts_anew and not _is_gone(cluster, n)]


def _is_gone(cluster: Cluster, node: int) -> bool:
    """It stays away: for longer than a start of its glusterd takes."""
    since = cluster.notes.away.get(node)
    return since is not None and cluster.at - since >= GONE_AFTER


def know_the_pool(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if cluster.own.ending:
        yield Wait("glusterd on this node is started anew")
    elif cluster.pool is None:
        yield Wait("glusterd on this node does not answer")
    elif cluster.pool.volume is None and (joined := remember_a_volume(cluster)):
        yield Wait(
            f"glusterd on this node knows no volume, but nodes {_names(joined)} held one: their state is"
            " needed, nothing is created over it"
        )
    elif cluster.pool.blank and (others := in_a_pool(cluster)):
        yield Wait(
            f"glusterd on this node knows nobody, but nodes {_names(others)} are in a pool: one of them acts"
        )


def note_health(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Written down before anything is decided on it, so that whoever acts next knows it too."""
    volume = _volume(cluster)
    if volume and volume.started and volume.detailed:
        whole, away = _whole(cluster, volume), _away(cluster, volume)
        last, notes = _last(cluster, volume, whole), cluster.notes
        if (whole, last, away) != (notes.whole, notes.last, notes.away):
            yield NoteHealth(whole, last, away)


def _whole(cluster: Cluster, volume: Volume) -> frozenset[str]:
    found = set[str]()
    for one in volume.sets:
        unproven = cluster.notes.unproven & {brick.id for brick in one}
        if volume.heals_of(one) == 0 and not _down(one):
            # What an unproven brick lacks nobody knows; the others had everything when it was made.
            found |= {brick.id for brick in one} - unproven
        else:
            # A brick that died and came back between two looks is told by its own node, which is not
            # Ready before it has caught up.
            stayed = [b for b in one if _stayed(cluster, one, b)]
            # One that was up, but where clients did not reach it, is told by those that have what it lacks.
            # While a brick is away, it is that one which the others have entries for; what it had itself
            # when it went, its node's last word says.
            gone = [b for b in one if b.online is not True]
            accusers = {b.id for b in gone if _accuses(cluster, b)}
            accusers |= set() if gone else {b.id for b in one if volume.pending.get(b.id)}
            noted = [b.id for b in stayed if b.id in cluster.notes.whole and not accusers - {b.id}]
            found |= set(noted) - unproven
    return frozenset(found)


def _stayed(cluster: Cluster, one: tuple[Brick, ...], brick: Brick) -> bool:
    """It has what it had at the last look, and nobody took a write without it.

    Where all others lost their disks nobody could: the last copy stays one while its glusterd is started
    anew, which looks as if it had been away (two disks lost at once were never replaced for that, seen on
    11.1). What happened before they had lost them, between two looks, its own node's word tells here too,
    unless it was noted since.
    """
    if _is_left_alone(cluster, one, brick):
        noted = brick.id in cluster.notes.last
        return noted or not brick.online or _said_caught_up(cluster, brick)
    return brick.online is True and _has_caught_up(cluster, brick)


def _last(cluster: Cluster, volume: Volume, whole: frozenset[str]) -> frozenset[str]:
    """The last copies: noted once they could be relied on, for they cannot be asked again. Whoever could tell
    them what they lack after a start is gone, so their nodes never say again that they have caught up."""
    return frozenset(
        brick.id
        for one, brick in _each(volume)
        if brick.id in whole
        and _is_left_alone(cluster, one, brick)
        and (brick.id in cluster.notes.last or (brick.online is True and _answered(cluster, brick)))
    )


def _is_left_alone(cluster: Cluster, one: tuple[Brick, ...], brick: Brick) -> bool:
    """All others of its set lost their disks."""
    others = [other for other in one if other != brick]
    return bool(others) and all(b.online is False and _said_lost(cluster, b) for b in others)


def _said_lost(cluster: Cluster, brick: Brick) -> bool:
    member = cluster.holder(brick)
    return member is not None and brick.id in member.lost


def _said_caught_up(cluster: Cluster, brick: Brick) -> bool:
    """In whatever watch."""
    member = cluster.holder(brick)
    return member is not None and bool(member.caught_up)


def _has_caught_up(cluster: Cluster, brick: Brick) -> bool:
    return _said_caught_up(cluster, brick) and _ready(cluster.pod(brick.node or 0))


def _accuses(cluster: Cluster, brick: Brick) -> bool:
    """Its own node said last that another brick of its set lacks something, or could not tell (law 4)."""
    member = cluster.holder(brick)
    return member is None or member.heals != 0


def _away(cluster: Cluster, volume: Volume) -> Mapping[int, datetime]:
    """Nodes with a brick whose machine does not answer in any way, since the first such look."""
    return {
        brick.node: cluster.notes.away.get(brick.node, cluster.at)
        for brick in sorted(volume.bricks, key=lambda brick: brick.id)
        if brick.node is not None and not brick.online and _silent(cluster, brick.node)
    }


def _silent(cluster: Cluster, node: int) -> bool:
    pod, peer = cluster.pod(node), _pool(cluster).peers.get(cluster.host(node))
    return (pod is None or not pod.ready) and (peer is None or not peer.connected)


def keep_members(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Every node of the plan has a member object, and every living one a finalizer. One that is wanted
    again while its deletion is pending stays as it is (`Cluster.wanted`)."""
    plan, volume = cluster.plan, cluster.pool.volume if cluster.pool else None
    for node in sorted(plan.named - cluster.members.keys() if plan else ()):
        yield RemakeMember(node)
    # An interrupted destroy takes members, and not the data; who has none could not be drained after it.
    holders = (
        {brick.node for brick in volume.bricks if brick.node} if volume and not cluster.outcast else set()
    )
    for node in sorted(holders - plan.named - cluster.members.keys() if plan else ()):
        yield RemakeMember(node, leaves=True)
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
    wanted = {brick.id for one in _leaving_sets(cluster, volume) for brick in one}
    if cluster.plan is not None and not wanted.issuperset(removal.bricks):
        yield from _undo_removal(cluster, volume, removal)
    elif removal.state is TaskState.RUNNING:
        yield Wait(f"data moves off nodes {_names(_nodes(volume, removal))}")
    elif removal.state is TaskState.DONE and removal.failures == 0 and not _down(volume.bricks):
        if cluster.plan is not None:
            yield CommitRemoval(volume.name, removal.bricks)
    elif any(_is_lost(cluster, b) or _overdue(cluster, b) for b in volume.bricks if b.online is False):
        yield from _undo_removal(cluster, volume, removal)  # it will never be up; a new one comes first
    elif removal.state is TaskState.DONE and removal.failures == 0:
        yield Wait(f"data is moved; bricks {', '.join(_down(volume.bricks))} must be up to commit")
    else:
        # Started again from scratch: what has been moved stays moved, what failed is tried anew.
        yield from _undo_removal(cluster, volume, removal)


def watch_rebalance(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    volume = _volume(cluster)
    if volume and volume.rebalance and volume.rebalance.state is TaskState.RUNNING:
        yield Wait("data is spread over the new bricks")


def invite(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Probes each waiting member, one after the other, once it would know who calls."""
    pool = _pool(cluster)
    known = {peer.uuid for peer in pool.peers.values()}
    for node, member in sorted(cluster.members.items()):
        pod = cluster.pod(node)
        if node == cluster.me or node in cluster.leaving or cluster.host(node) in pool.peers:
            continue
        # A peer under another name, as a look-up of its address gave it, gets its own by a probe.
        misnamed = member.uuid is not None and member.uuid in known
        if pod is None or not (misnamed or (pod.ready and member.state is MemberState.WAITING)):
            continue
        # Its glusterd names the caller by a reverse look-up of the address (hosts file first):
        # probed too early, it would keep an address for a name.
        if cluster.me in member.knows:
            yield ProbePeer(cluster.host(node))


def create_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if _pool(cluster).volume is not None:
        return
    candidates = _candidates(cluster, None)
    used = [n for n in candidates if cluster.members[n].place != f"{settings.disk}/brick"]
    if used:
        yield Wait(
            f"the disks of nodes {_names(used)} hold bricks of another life, and no glusterd knows their"
            " volume: nothing is created over them"
        )
    elif coming := _coming(cluster):
        yield Wait(f"nodes {_names(coming)} are about to join")
    elif bricks := _bricks(cluster, _sets_of(cluster, candidates, settings.replication)):
        yield from guard.hold(cluster, bricks)
        yield CreateVolume(settings.volume_name, settings.replication, bricks, settings.arbiter)
        yield NoteBalanced(frozenset(bricks))  # nothing is in it that could be spread


def _coming(cluster: Cluster) -> list[int]:
    """Who will be in the pool in a moment: what is made with them now need not be spread over them later."""
    return [
        node
        for node in sorted(cluster.wanted - {cluster.me})
        if _ready(cluster.pod(node))
        and (member := cluster.members.get(node)) is not None
        and member.state in (MemberState.STARTING, MemberState.WAITING)
        and ((peer := _pool(cluster).peers.get(cluster.host(node))) is None or peer.halfway)
    ]


def set_options(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Before the start, so that no client ever runs with other values."""
    volume = _volume(cluster)
    if volume and (not volume.started or volume.all_online):
        wanted = {**profiles.COMMON, **(cluster.plan.options if cluster.plan else {})}
        for key, value in sorted(wanted.items()):
            if volume.options.get(key) != value and (key, value) not in cluster.own.refused:
                yield SetOption(volume.name, key, value)


def start_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    volume = _volume(cluster)
    if volume and not volume.started:
        yield StartVolume(volume.name)


def replace_lost(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A node that is here with a blank disk gets a new brick on it, in a new folder; and another one, if that
    is not known to have been done to its end."""
    volume = _volume(cluster)
    for one, brick in _each(volume):
        member = cluster.holder(brick)
        unproven = brick.id in cluster.notes.unproven and brick.online is not None
        down = brick.online is False or unproven
        if volume is None or member is None or not down or not _is_lost(cluster, brick):
            continue
        if unsafe := _unsafe_to_replace(cluster, volume, one, brick):
            yield Wait(f"to give node {brick.node} a new brick for the one it lost: {unsafe}")
        else:
            yield from _replace(cluster, volume, brick, f"{brick.host}:{member.place}")
        return


def replace_away(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A node that stays away past its grace is replaced by the oldest node that waits.

    Should it come back, glusterd tells it that its brick is no longer the volume's: it waits from then
    on, and its old data stays where it is and is not served.
    """
    volume = _volume(cluster)
    for one, brick in _each(volume):
        if volume is None or brick.online is not False or not _overdue(cluster, brick):
            continue
        waiting = _candidates(cluster, volume)
        if unsafe := _unsafe_to_replace(cluster, volume, one, brick):
            yield Wait(f"to put node {waiting[0]} in the place of node {brick.node}: {unsafe}")
        else:
            (new,) = _bricks(cluster, waiting[:1])
            yield from _replace(cluster, volume, brick, new)
        return


def _is_lost(cluster: Cluster, brick: Brick) -> bool:
    """Its node is here with a blank disk, or with an empty brick, and can take a new one."""
    member, peer = cluster.holder(brick), _pool(cluster).peers.get(brick.host)
    if member is None or member.place is None or brick.id == f"{brick.host}:{member.place}":
        return False
    if brick.id not in member.lost | cluster.notes.unproven:
        return False
    # Its glusterd is told of the volume after it is let in: not before that.
    knows = member.state in (MemberState.JOINED, MemberState.DRAINING)
    return knows and (brick.node == cluster.me or (peer is not None and _well(peer)))


def _overdue(cluster: Cluster, brick: Brick) -> bool:
    """Its node stays away past its grace, and another waits that could take its place."""
    since, plan = cluster.notes.away.get(brick.node or 0), cluster.plan
    if since is None or plan is None or plan.grace_seconds is None:
        return False
    over = cluster.at - since >= timedelta(seconds=plan.grace_seconds)
    return over and bool(_candidates(cluster, _volume(cluster)))


def drain(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Moves the data off all replica sets that leave, in one removal."""
    volume = _volume(cluster)
    if volume is None or not (sets := _leaving_sets(cluster, volume)):
        return
    nodes = _names(_set_nodes(sets))
    if len(sets) == len(volume.sets):
        yield Wait(f"nodes {nodes} hold all of the data: nothing would be left")
    elif unsafe := _unsafe(cluster, volume):
        yield Wait(f"to drain nodes {nodes}: {unsafe}")
    elif too_much := _too_much(cluster, volume, sets):
        if not _joining(cluster, volume, settings):  # else there will be room
            yield Wait(f"to drain nodes {nodes}: {too_much}")
    else:
        bricks = tuple(brick.id for one in sets for brick in one)
        if cluster.notes.replaced & set(
            bricks
        ):  # a replacement that was refused: its data is in no other brick
            yield NoteReplaced(cluster.notes.replaced - set(bricks))
        yield StartRemoval(volume.name, bricks)


def move_off(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A node that leaves alone, for its set stays, hands its brick to a wanted node that waits."""
    volume = _volume(cluster)
    if volume is None or not (gone := cluster.leaving):
        return
    together = set(_leaving_sets(cluster, volume))
    for one in (one for one in volume.sets if one not in together):
        for brick in one:
            if brick.node not in gone:
                continue
            waiting = _candidates(cluster, volume)
            if not waiting:
                yield Wait(f"node {brick.node} holds a brick, and no node waits that could take its place")
            elif unsafe := _unsafe(cluster, volume) or _unsafe_to_replace(cluster, volume, one, brick):
                yield Wait(f"to move the brick of node {brick.node} to node {waiting[0]}: {unsafe}")
            else:
                (new,) = _bricks(cluster, waiting[:1])
                yield from _replace(cluster, volume, brick, new)
            return


def release(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Nodes that leave and hold no brick go out of the pool; their objects may go once their disks are
    proven to hold nothing that is needed."""
    volume = _volume(cluster)
    with_bricks = {brick.host for brick in volume.bricks} if volume else set()
    peers = _pool(cluster).peers
    well = {node: (peer := peers.get(cluster.host(node))) and _well(peer) for node in cluster.leaving}
    # Those that are not well first: glusterd detaches nobody else without force while they are peers.
    for node in sorted(cluster.leaving, key=lambda node: (bool(well[node]), node)):
        host = cluster.host(node)
        if host in with_bricks:
            continue
        if host in peers:
            if well[node]:
                yield DetachPeer(host)
            elif volume is None or not _unsafe(cluster, volume, heals_matter=False):
                yield DetachPeer(host, force=True)  # it holds nothing, and is away or blank
            continue
        if node != cluster.me:
            yield from guard.let_go(cluster, node, in_sync=in_sync(cluster))


def in_sync(cluster: Cluster) -> bool:
    """Every brick of the volume is up and nothing waits to be healed; also where there is no volume."""
    volume = cluster.pool.volume if cluster.pool else None
    return cluster.pool is not None and (volume is None or not _unsafe(cluster, volume))


def expand(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Full sets of waiting nodes get their bricks together."""
    volume = _volume(cluster)
    if volume is None or _unsafe(cluster, volume, heals_matter=False):
        return
    if joining := _joining(cluster, volume, settings):
        bricks = _bricks(cluster, joining)
        if cluster.notes.unproven & set(bricks):  # of a replacement that was refused
            yield NoteUnproven(cluster.notes.unproven - set(bricks))
        yield from guard.hold(cluster, bricks)
        yield AddBricks(volume.name, bricks)


def _joining(cluster: Cluster, volume: Volume, settings: Settings) -> list[int]:
    """Nodes that get bricks now, in whole sets; none while the volume has as many as are wanted. Nodes
    that leave do not count, whatever they still hold: a new plan comes after new nodes have joined, and
    may name them again."""
    if volume.replica != settings.replication:
        return []  # the volume's own kind decides; the report says that the setting differs
    missing = len(cluster.wanted) - sum(brick.node not in cluster.leaving for brick in volume.bricks)
    if missing <= 0:
        return []
    return _sets_of(cluster, _candidates(cluster, volume), settings.replication, missing)


def roll(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Replaces pods of which the controller would create another today, one at a time, the leader's own last.

    One that serves goes when every pod is ready and all copies are in sync, so a template that does not work
    stops the roll after one pod. One that does not serve costs nothing and goes first, for a bad template may
    be why; the next one after a pause, should the successor not become ready.
    """
    volume = _volume(cluster)
    serving = {b.node for b in volume.bricks if b.online is not False} if volume else set()
    # Also of a node whose member is yet to come: `up` creates it once the pod is ready.
    there = cluster.members.keys() | (cluster.controllers or {}).keys()
    stay = sorted(there - (cluster.leaving - serving))
    outdated = [pod for pod in map(cluster.pod, stay) if pod and cluster.outdated(pod)]
    idle = [pod for pod in outdated if pod.node not in serving and not pod.ready]
    rest = sorted((pod for pod in outdated if pod not in idle), key=lambda pod: pod.node == cluster.me)
    if not outdated:
        return
    first = (idle or rest)[0]
    if young := _successors(cluster, stay):
        yield Wait(
            f"to replace the pod of node {first.node}: the new pod of node {young[0]} is not ready yet"
        )
    elif idle:
        yield DeletePod(first.name, first.uid)
    elif unready := [n for n in stay if n in cluster.members and not _ready(cluster.pod(n))]:
        yield Wait(f"to replace the pod of node {first.node}: node {unready[0]} is not ready")
    elif volume and (unsafe := _unsafe(cluster, volume)):
        yield Wait(f"to replace the pod of node {first.node}: {unsafe}")
    else:
        yield DeletePod(first.name, first.uid)


def _successors(cluster: Cluster, among: list[int]) -> list[int]:
    """Nodes whose pod is being replaced: there is none yet, or it is young, from its controller's template
    of today, and not ready."""
    found = []
    for node in among:
        pod = cluster.pod(node)
        if pod is None:
            young = node in cluster.members and node in (cluster.controllers or {})
        else:
            young = cluster.at - pod.created < SUCCESSOR_AFTER and not (pod.ready or cluster.outdated(pod))
        found += [node] if young else []
    return found


def _ready(pod: Pod | None) -> bool:
    return pod is not None and pod.ready and not pod.terminating


def rebalance(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Spreads the data after growth, seen to its end and begun again while any file failed to move."""
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
    if judges_rebalance(cluster, volume) and last and last.failures == 0:
        yield NoteBalanced(bricks)
    elif _unsafe(cluster, volume, heals_matter=False):
        return
    else:
        if not asked or last_id != notes.rebalance_after:
            yield NoteRebalance(bricks, last_id)
        yield StartRebalance(volume.name)


def judges_rebalance(cluster: Cluster, volume: Volume) -> bool:
    """Whether the last rebalance is the one that was asked for, at its end, and not yet judged."""
    bricks, notes, last = frozenset(b.id for b in volume.bricks), cluster.notes, volume.rebalance
    return (
        last is not None
        and last.state is TaskState.DONE
        and bricks != notes.balanced
        and bricks == notes.rebalance_bricks
        and last.id != notes.rebalance_after
    )


RULES: Final[tuple[Rule, ...]] = (
    stand_by,
    guard.tear_down,
    keep_members,
    guard.free_volumes,
    grant_starts,
    know_the_pool,
    see_the_volume,
    guard.hold_data,
    note_health,
    await_starts,
    watch_removal,
    watch_rebalance,
    invite,
    create_volume,
    set_options,
    start_volume,
    replace_lost,
    replace_away,
    drain,
    move_off,
    release,
    expand,
    rebalance,
    roll,
)


def _pool(cluster: Cluster) -> Pool:
    """For rules below `know_the_pool`."""
    if cluster.pool is None:
        raise ValueError("asked for the pool before it was known")
    return cluster.pool


def _volume(cluster: Cluster) -> Volume | None:
    return _pool(cluster).volume


def remember_a_volume(cluster: Cluster) -> frozenset[int]:
    joined = frozenset(node for node, member in cluster.members.items() if member.joined)
    noted = (node_of_host(brick.split(":", 1)[0]) for brick in cluster.notes.balanced)
    return joined or frozenset(node for node in noted if node is not None)


def _hold_bricks(cluster: Cluster) -> frozenset[int]:
    """Other nodes that said that their glusterd has a brick of the volume."""
    return _others(cluster, MemberState.JOINED, MemberState.DRAINING)


def in_a_pool(cluster: Cluster) -> frozenset[int]:
    """Other nodes that said that their glusterd has peers."""
    return _others(cluster, MemberState.PEER, MemberState.JOINED, MemberState.DRAINING)


def _others(cluster: Cluster, *states: MemberState) -> frozenset[int]:
    return frozenset(n for n, m in cluster.members.items() if n != cluster.me and m.state in states)


def _unsafe(cluster: Cluster, volume: Volume, *, heals_matter: bool = True) -> str:
    """Law 3: why nothing that could cost a copy may be done now; empty when it may."""
    if not volume.started:
        return "the volume is not started"
    members = {brick.host for brick in volume.bricks}
    peers = {h: p for h, p in _pool(cluster).peers.items() if h in members and not _well(p)}
    # First what is the cause of the others: the bricks of such a peer are not seen up.
    if rejected := sorted(h for h, p in peers.items() if p.connected):
        return f"glusterd does not take peers {', '.join(rejected)} for members of the pool"
    if down := _down(volume.bricks):
        return f"bricks {', '.join(down)} are not up"
    if peers:
        return f"peers {', '.join(sorted(peers))} are not connected"
    if unproven := cluster.notes.unproven & {brick.id for brick in volume.bricks}:
        return (
            f"bricks {', '.join(sorted(unproven))} are not known to have been put into the volume to the end"
        )
    if volume.split_brain:
        return f"{volume.split_brain} entries have no copy that is known to be right"
    if busy := _busy(volume):
        return busy
    if heals_matter and volume.heals is None:
        return "the pending heals are not known"
    if heals_matter and volume.heals:
        return f"{volume.heals} entries wait to be healed"
    return ""


def _unsafe_to_replace(cluster: Cluster, volume: Volume, one: tuple[Brick, ...], brick: Brick) -> str:
    """Law 3 for one brick of a set: why the others may not be left alone with its data.

    A brick that is gone cannot be asked what it had; so all others must be known to have every write,
    by having been up ever since the set was last seen with nothing to heal: at every look of those who
    acted, and by its own node's word in this very watch for the time between them.
    """
    others = tuple(other for other in one if other != brick)
    if down := _down(others):
        return f"bricks {', '.join(down)} of the same set are not up"
    if unknown := [other.id for other in others if other.id not in cluster.notes.whole]:
        return f"bricks {', '.join(unknown)} may lack writes: they were away since the set was last whole"
    if silent := [b.id for b in others if b.id not in cluster.notes.last and not _answered(cluster, b)]:
        return f"the nodes of bricks {', '.join(silent)} have not said in this watch that they have caught up"
    peers = _pool(cluster).peers.values()
    connected = 1 + sum(map(_well, peers))
    if 2 * connected <= 1 + len(peers):
        return f"only {connected} of {1 + len(peers)} nodes of the pool are connected: no quorum"
    if out := [b.id for b in volume.bricks if b != brick and _misses_changes(cluster, b)]:
        return f"glusterd of bricks {', '.join(out)} is away, and starts them anew when it learns of a change"
    return _busy(volume)


def _answered(cluster: Cluster, brick: Brick) -> bool:
    member = cluster.holder(brick)
    return member is not None and bool(cluster.own.watch) and member.caught_up == cluster.own.watch


def _misses_changes(cluster: Cluster, brick: Brick) -> bool:
    """Its glusterd would learn later of what is changed now, and start a brick anew that has something to
    lose.

    A peer that is rejected learns nothing before a person has seen to it.
    """
    peer = _pool(cluster).peers.get(brick.host)
    if brick.node is None or brick.node == cluster.me or _said_lost(cluster, brick):
        return False
    return (peer is None or not (_well(peer) or peer.rejected)) and not _is_gone(cluster, brick.node)


def _replace(cluster: Cluster, volume: Volume, brick: Brick, new: str) -> Iterator[Step]:
    """The new brick is healed by its set, so the data is spread as it was: nothing is to be moved."""
    unproven = cluster.notes.unproven & {b.id for b in volume.bricks}
    yield from guard.hold(cluster, [new])
    yield NoteUnproven(unproven | {new})  # and the old one: it may yet not be replaced
    yield NoteReplaced(cluster.notes.replaced | {brick.id})
    yield ReplaceBrick(volume.name, brick.id, new)
    yield NoteUnproven(unproven - {brick.id})
    balanced = cluster.notes.balanced
    if brick.id in balanced:
        yield NoteBalanced(balanced - {brick.id} | {new})


def _busy(volume: Volume) -> str:
    if volume.removal is not None or (volume.rebalance and volume.rebalance.state is TaskState.RUNNING):
        return "a rebalance or removal is running"
    return ""


def _too_much(cluster: Cluster, volume: Volume, leaving: tuple[tuple[Brick, ...], ...]) -> str:
    """Why the sets that stay cannot take what the leaving ones hold; empty if they can."""
    used = [_extreme(cluster, one, "used", max) for one in leaving]
    free = [_extreme(cluster, one, "free", min) for one in volume.sets if one not in leaving]
    sizes = [_extreme(cluster, one, "used", max) for one in volume.sets if one not in leaving]
    if any(value is None for value in (*used, *free, *sizes)):
        return "what the disks hold is not known"
    needed, room = sum(v or 0 for v in used), sum(v or 0 for v in free)
    keep = RESERVE * (room + sum(v or 0 for v in sizes))
    if needed > room - keep:
        return f"they hold {needed} bytes, and the other nodes have room for {max(0, int(room - keep))}"
    return ""


def _extreme(
    cluster: Cluster, bricks: tuple[Brick, ...], what: str, choose: Callable[[list[int]], int]
) -> int | None:
    """`used` or `free` bytes of a set's disks; None unless all are known. Disks of one set have copies of
    the same, so the fullest counts."""
    values = [getattr(cluster.holder(brick), what, None) for brick in bricks]
    known = [value for value in values if value is not None]
    return choose(known) if len(known) == len(values) else None


def _each(volume: Volume | None) -> Iterator[tuple[tuple[Brick, ...], Brick]]:
    """Every brick with its set."""
    for one in volume.sets if volume else ():
        for brick in one:
            yield one, brick


def _well(peer: Peer) -> bool:
    return peer.connected and peer.in_cluster


def _down(bricks: tuple[Brick, ...]) -> list[str]:
    return [brick.id for brick in bricks if brick.online is not True]


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
    """As many sets as are too many, those first that hold the most leaving nodes; whole sets only.

    A spare may stand in the place of a node that leaves, and a node that leaves may stand in another
    set than it once did; so it is not the nodes that say which set goes, but how many sets are wanted.
    """
    sets, gone = volume.sets, cluster.leaving
    too_many = len(sets) - -(-len(cluster.wanted) // volume.replica)
    leaving = [sum(brick.node in gone for brick in one) for one in sets]
    order = sorted(range(len(sets)), key=lambda i: (-leaving[i], -i))
    going = {i for i in order[: max(0, too_many)] if leaving[i]}
    return tuple(one for i, one in enumerate(sets) if i in going)


def _candidates(cluster: Cluster, volume: Volume | None) -> list[int]:
    """Members of the pool without a brick that are well: nodes before spares, the lowest number first."""
    with_bricks = {brick.host for brick in volume.bricks} if volume else set()
    found = []
    for node, member in cluster.members.items():
        host, pod = cluster.host(node), cluster.pod(node)
        peer = _pool(cluster).peers.get(host)
        if node in cluster.leaving or host in with_bricks or pod is None or not pod.ready or not member.place:
            continue
        if not guard.can_hold(cluster, node):
            continue
        if volume is None and node in cluster.spares:
            continue
        if node == cluster.me or (peer and _well(peer)):
            found.append(node)
    return sorted(found, key=lambda node: (node in cluster.spares, node))


def _sets_of(cluster: Cluster, candidates: list[int], replication: int, missing: int = 0) -> list[int]:
    """Which candidates join now, in whole sets.

    Neighbours in number belong together, for the stack gives them disks in different zones: they wait for
    each other. Only once as many have come as are missing do others fill the sets, such as a node that
    was replaced once.
    """
    planned = cluster.plan is not None and cluster.wanted <= cluster.plan.nodes
    if planned and 0 < missing <= len(candidates):
        return candidates[: missing // replication * replication]
    sets = {(node - 1) // replication for node in candidates}
    whole = [range(n * replication + 1, (n + 1) * replication + 1) for n in sorted(sets)]
    return [node for one in whole if set(one) <= set(candidates) for node in one]


def _bricks(cluster: Cluster, nodes: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{cluster.host(node)}:{cluster.members[node].place}" for node in nodes)


def _names(nodes: Iterable[int]) -> str:
    return ", ".join(str(node) for node in sorted(nodes))

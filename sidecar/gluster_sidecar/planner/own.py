"""What a node does for itself, whoever acts: its own glusterd and its place in the pool."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from gluster_sidecar.actions import DetachPeer, EndBrick, ProbePeer, RestartGlusterd, Step
from gluster_sidecar.contract import node_of_host
from gluster_sidecar.model import NO_HEALER, Brick, Cluster
from gluster_sidecar.settings import Settings

from .look import each_brick, holders_of_bricks, in_a_pool, is_ready, is_well, remember_a_volume

RESTART_AFTER: Final = timedelta(seconds=60)
"""Between two starts of glusterd for a brick that does not stay up: its log must have time to tell."""

SETTLED_AFTER: Final = timedelta(seconds=20)
"""How long a brick must not run, or a volume not be known, before it counts as more than the middle of a
command: the pool's commands were seen to take up to 8 s on a busy machine."""

JOINED_AFTER: Final = timedelta(minutes=3)
"""How long a node may take to be in the pool again by starts of its own, which are `RESTART_AFTER` apart."""


def join_again(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A blank glusterd of a node that the pool knows: its disk was lost, and it has its UUID back.

    The others reject it until it asks to be let in itself; after that it learns the rest at a start
    (seen on glusterd 10.3 and 11.1).
    """
    pool = cluster.pool
    if pool is None or cluster.me not in cluster.notes.peers or pool.volume is not None:
        return
    # Nobody else can let it in: one that lost its disk at the same time may still be said to be a peer.
    knowing = [n for n in cluster.seniority if n in cluster.notes.peers & holders_of_bricks(cluster)]
    strangers = [n for n in knowing if cluster.host(n) not in pool.peers]
    if pool.blank or 0 < len(strangers) == len(knowing):
        there = strangers or [n for n in cluster.seniority if n in cluster.notes.peers & in_a_pool(cluster)]
        if there:
            yield ProbePeer(cluster.host(there[0]))
    elif remember_a_volume(cluster) and _may_restart(cluster):
        yield RestartGlusterd("it is in the pool again and does not know the volume yet")


def take_out(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A brick whose disk takes no writes keeps its connections, and its clients wait for it for half an hour
    (frame-timeout). Ended, it lets them go on with the other copies, if those are enough to write to.

    Where disks of several nodes hang at once (a storage of theirs stalls), not all bricks may go: each node
    says so first, and sees in the same objects who else has said so.
    """
    pool, own, me = cluster.pool, cluster.own, cluster.members.get(cluster.me)
    if pool is None or pool.volume is None or cluster.outcast:
        return
    if not own.service.disk or not own.service.may_end or me is None or not me.disk:
        return
    for one, brick in each_brick(pool.volume):
        process = own.processes.get(brick.path, "")
        if brick.node == cluster.me and process and process != own.end_asked:
            others = sum(_serves(cluster, other) for other in one if other != brick)
            if others if len(one) == 2 else 2 * others > len(one):
                yield EndBrick(process, f"{own.service.disk}, and {others} other copies serve")


def _serves(cluster: Cluster, brick: Brick) -> bool:
    """Its node says so."""
    member = cluster.holder(brick)
    if member is None or member.brick != brick.id or member.disk:
        return False
    return bool(member.process) and is_ready(cluster.pod(member.node))


def revive_bricks(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """glusterd starts bricks that died when it starts: no command of the pool is needed, and no force."""
    pool, own = cluster.pool, cluster.own
    if pool is None or pool.volume is None or not pool.volume.started:
        return
    mine = {brick.id for brick in pool.volume.bricks_of(cluster.host(cluster.me))}
    sound = own.writable and not own.service.disk and not own.lost and not mine & cluster.notes.unproven
    if pool.brick_running is False and sound and _may_restart(cluster):
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
            yield DetachPeer(host, force=not is_well(peer))


def restart_by_leave(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A peer that stays halfway in the pool, as this node's glusterd has it, is taken in by a start. A heal
    daemon that ended is started by one, and by nothing else.

    A node with such a peer refuses every change that the peer's bricks are part of ("Accepted peer request"
    for minutes, after two nodes had lost their disks at once, seen on 11.1; a start mended it at once).

    By leave of the actor only: it replaces a brick on the word of the others of its set, and if the glusterd
    of the last good one is away in that moment, the new brick does not find it and takes itself for the good
    one (the root folder was in split-brain then, seen on 11.1).
    """
    asked, member = start_asked(cluster), cluster.members.get(cluster.me)
    if asked and member and member.start_granted == asked:
        stuck = _stuck(cluster)
        peers = f"peers {', '.join(stuck)} stay halfway in the pool"
        yield RestartGlusterd(peers if stuck else "its heal daemon is not running")


def start_asked(cluster: Cluster) -> str:
    """Since when this node would start its glusterd anew if the actor lets it; empty if it would not.

    Never twice the same, so that leave is given for one start only.
    """
    no_healer = cluster.unwell == NO_HEALER and not cluster.own.service.disk
    if not (_stuck(cluster) or no_healer) or not _may_restart(cluster):
        return ""
    times = (cluster.own.unwell_since, cluster.own.restarted)
    return max(time for time in times if time is not None).isoformat()


def _stuck(cluster: Cluster) -> list[str]:
    """Peers that are halfway in the pool. One that may not know the volume yet is given time: it still joins
    by starts of its own, which those of others would only disturb."""
    peers, since = cluster.pool.peers.values() if cluster.pool else (), cluster.own.unwell_since
    patient = since is None or cluster.at - since < JOINED_AFTER
    meant = holders_of_bricks(cluster) if patient else cluster.members.keys()
    hosts = {cluster.host(node) for node in meant}
    return sorted(peer.host for peer in peers if peer.halfway and peer.host in hosts)


def _may_restart(cluster: Cluster) -> bool:
    """Never in the middle of something: a glusterd that was ended while it put a new brick into its store
    could not read the store any more (seen on 11.1)."""
    own = cluster.own
    if own.ending or own.unwell_since is None or cluster.at - own.unwell_since < SETTLED_AFTER:
        return False
    return own.restarted is None or cluster.at - own.restarted >= RESTART_AFTER

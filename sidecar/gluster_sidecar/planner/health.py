"""Which bricks are known to have every write, and who stays away: written down before it is decided on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from gluster_sidecar.actions import NoteHealth, Step
from gluster_sidecar.model import Brick, Cluster, Volume
from gluster_sidecar.settings import Settings

from .engine import acts
from .look import is_ready, not_up, pool_of, volume_of


def needs_heals(cluster: Cluster) -> bool:
    """Whether a rule would look at the pending heals, which are dear to ask for."""
    volume = cluster.pool.volume if cluster.pool else None
    if volume is None or not acts(cluster) or not volume.started:
        return False
    untrusted = {brick.id for brick in volume.bricks} - cluster.notes.whole
    unready = any(brick.node and not is_ready(cluster.pod(brick.node)) for brick in volume.bricks)
    accusing = any(_accuses(cluster, brick) for brick in volume.bricks)
    changing = cluster.leaving or any(map(cluster.outdated, cluster.pods))
    spreading = {brick.id for brick in volume.bricks} != cluster.notes.balanced
    return bool(untrusted or unready or accusing or changing or spreading)


def note_health(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Written down before anything is decided on it, so that whoever acts next knows it too."""
    volume = volume_of(cluster)
    if volume and volume.started and volume.detailed:
        whole, away = _whole(cluster, volume), _away(cluster, volume)
        if (whole, away) != (cluster.notes.whole, cluster.notes.away):
            yield NoteHealth(whole, away)


def _whole(cluster: Cluster, volume: Volume) -> frozenset[str]:
    found = set[str]()
    for one in volume.sets:
        unproven = cluster.notes.unproven & {brick.id for brick in one}
        if volume.heals_of(one) == 0 and not not_up(one):
            # What an unproven brick lacks nobody knows; the others had everything when it was made.
            found |= {brick.id for brick in one} - unproven
        else:
            # A brick that died and came back between two looks is told by its own node, which is not
            # Ready before it has caught up.
            stayed = [b for b in one if b.online is True and _has_caught_up(cluster, b)]
            # One that was up, but where clients did not reach it, is told by those that have what it lacks.
            # While a brick is away, it is that one which the others have entries for; what it had itself
            # when it went, its node's last word says.
            gone = [b for b in one if b.online is not True]
            accusers = {b.id for b in gone if _accuses(cluster, b)}
            accusers |= set() if gone else {b.id for b in one if volume.pending.get(b.id)}
            noted = [b.id for b in stayed if b.id in cluster.notes.whole and not accusers - {b.id}]
            found |= set(noted) - unproven
    return frozenset(found)


def _has_caught_up(cluster: Cluster, brick: Brick) -> bool:
    """Its node said so, in whatever watch, and is Ready."""
    member = cluster.holder(brick)
    return member is not None and bool(member.caught_up) and is_ready(cluster.pod(brick.node or 0))


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
    pod, peer = cluster.pod(node), pool_of(cluster).peers.get(cluster.host(node))
    return (pod is None or not pod.ready) and (peer is None or not peer.connected)

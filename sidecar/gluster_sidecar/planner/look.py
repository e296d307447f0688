"""What more than one rule asks of a look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from gluster_sidecar.contract import MemberState, node_of_host
from gluster_sidecar.model import Brick, Cluster, Peer, Pod, Pool, Volume

GONE_AFTER: Final = timedelta(seconds=60)
"""How long a node must have been away before what happens to it no longer matters to others."""


def nodes_starting(cluster: Cluster) -> list[int]:
    """Nodes that have leave to start their glusterd anew and have not said yet that they have."""
    return [n for n, m in sorted(cluster.members.items()) if m.starts_anew and not is_gone(cluster, n)]


def is_gone(cluster: Cluster, node: int) -> bool:
    """It stays away: for longer than a start of its glusterd takes."""
    since = cluster.notes.away.get(node)
    return since is not None and cluster.at - since >= GONE_AFTER


def said_lost(cluster: Cluster, brick: Brick) -> bool:
    member = cluster.holder(brick)
    return member is not None and brick.id in member.lost


def is_ready(pod: Pod | None) -> bool:
    return pod is not None and pod.ready and not pod.terminating


def pool_of(cluster: Cluster) -> Pool:
    """For rules below `know_the_pool`."""
    if cluster.pool is None:
        raise ValueError("asked for the pool before it was known")
    return cluster.pool


def volume_of(cluster: Cluster) -> Volume | None:
    return pool_of(cluster).volume


def remember_a_volume(cluster: Cluster) -> frozenset[int]:
    joined = frozenset(node for node, member in cluster.members.items() if member.joined)
    noted = (node_of_host(brick.split(":", 1)[0]) for brick in cluster.notes.balanced)
    return joined or frozenset(node for node in noted if node is not None)


def holders_of_bricks(cluster: Cluster) -> frozenset[int]:
    """Other nodes that said that their glusterd has a brick of the volume."""
    return _others(cluster, MemberState.JOINED, MemberState.DRAINING)


def in_a_pool(cluster: Cluster) -> frozenset[int]:
    """Other nodes that said that their glusterd has peers."""
    return _others(cluster, MemberState.PEER, MemberState.JOINED, MemberState.DRAINING)


def _others(cluster: Cluster, *states: MemberState) -> frozenset[int]:
    return frozenset(n for n, m in cluster.members.items() if n != cluster.me and m.state in states)


def each_brick(volume: Volume | None) -> Iterator[tuple[tuple[Brick, ...], Brick]]:
    """Every brick with its set."""
    for one in volume.sets if volume else ():
        for brick in one:
            yield one, brick


def is_well(peer: Peer) -> bool:
    return peer.connected and peer.in_cluster


def not_up(bricks: tuple[Brick, ...]) -> list[str]:
    return [brick.id for brick in bricks if brick.online is not True]


def names(nodes: Iterable[int]) -> str:
    return ", ".join(str(node) for node in sorted(nodes))

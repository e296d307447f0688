"""Which nodes wait for a brick, and which replica sets come and go."""

from __future__ import annotations

from collections.abc import Iterable

from gluster_sidecar.model import Brick, Cluster, Volume
from gluster_sidecar.settings import Settings

from . import guard
from .look import is_well, pool_of


def waiting_nodes(cluster: Cluster, volume: Volume | None) -> list[int]:
    """Members of the pool without a brick that are well: nodes before spares, the lowest number first."""
    with_bricks = {brick.host for brick in volume.bricks} if volume else set()
    found = []
    for node, member in cluster.members.items():
        host, pod = cluster.host(node), cluster.pod(node)
        peer = pool_of(cluster).peers.get(host)
        if node in cluster.leaving or host in with_bricks or pod is None or not pod.ready or not member.place:
            continue
        if not guard.can_hold(cluster, node):
            continue
        if volume is None and node in cluster.spares:
            continue
        if node == cluster.me or (peer and is_well(peer)):
            found.append(node)
    return sorted(found, key=lambda node: (node in cluster.spares, node))


def nodes_joining(cluster: Cluster, volume: Volume, settings: Settings) -> list[int]:
    """Nodes that get bricks now, in whole sets; none while the volume has as many as are wanted. Nodes
    that leave do not count, whatever they still hold: a new plan comes after new nodes have joined, and
    may name them again."""
    if volume.replica != settings.replication:
        return []  # the volume's own kind decides; the report says that the setting differs
    missing = len(cluster.wanted) - sum(brick.node not in cluster.leaving for brick in volume.bricks)
    if missing <= 0:
        return []
    return sets_of(cluster, waiting_nodes(cluster, volume), settings.replication, missing)


def sets_of(cluster: Cluster, candidates: list[int], replication: int, missing: int = 0) -> list[int]:
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


def bricks_on(cluster: Cluster, nodes: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{cluster.host(node)}:{cluster.members[node].place}" for node in nodes)


def leaving_sets(cluster: Cluster, volume: Volume) -> tuple[tuple[Brick, ...], ...]:
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

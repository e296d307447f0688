"""What no sidecar may mend by itself, each in one line with the way out (docs/failures.md). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from .contract import OVERRIDE_ANNOTATION, MemberState, member_name
from .disk import is_full
from .model import Cluster, Volume
from .planner import look
from .planner.gates import copy_in_doubt, is_taken_as_right

UNMENDED: Final = timedelta(minutes=5)
"""How long entries wait without getting fewer before they are told: heals are launched all that time."""
NAMED: Final = 5


def troubles(cluster: Cluster) -> list[str]:
    """What no sidecar may mend by itself, each with the way out (docs/failures.md)."""
    return list(_troubles(cluster))


def _troubles(cluster: Cluster) -> Iterator[str]:
    peers = cluster.pool.peers.values() if cluster.pool else ()
    volume = cluster.pool.volume if cluster.pool else None
    if rejected := sorted(peer.host for peer in peers if peer.connected and peer.rejected):
        yield (
            f"glusterd does not take {', '.join(rejected)} for members of the pool: what they have of it"
            " differs; see `gluster peer status` and the log of glusterd there"
        )
    if volume is not None and volume.split_brain:
        yield (
            f"{volume.split_brain} entries have no copy that is known to be right:"
            f" `gluster volume heal {volume.name} info split-brain`, and decide"
        )
    for line in cluster.unreadable:
        yield f"{line}; it is set aside: mend it, or delete it and run `pulumi up`"
    yield from _unhealed(cluster, volume)
    yield from _copies_in_doubt(cluster, volume)
    yield from _guard_troubles(cluster, volume)
    for node, member in sorted(cluster.members.items()):
        if member.state is MemberState.BLOCKED:
            yield f"node {node} is blocked: see its object"
        elif member.disk:
            yield f"node {node}: {member.disk}; see the log of its machine, and replace a broken disk"
        elif is_full(member.used, member.free):
            yield f"the disk of node {node} is full: bigger disks, more nodes, or fewer files"
        elif is_full(member.inodes_used, member.inodes_free):
            yield f"the disk of node {node} has no inodes left: more nodes, or fewer files"


def _unhealed(cluster: Cluster, volume: Volume | None) -> Iterator[str]:
    """Heals were launched, and the bricks that have the entries and those that lack them are up."""
    since = cluster.own.heals_wait_since
    if volume is None or since is None or cluster.at - since < UNMENDED:
        return
    by_name = dict[str, list[int]]()
    up = [one for one in volume.sets if not look.not_up(one) and volume.heals_of(one)]
    nodes_up = {brick.node for one in up for brick in one}
    for node, member in sorted(cluster.members.items()):
        if node not in nodes_up:
            continue
        for name in member.unhealed:
            by_name.setdefault(name, []).append(node)
    for name, nodes in list(by_name.items())[:NAMED]:
        yield (
            f"{name} has waited for minutes to be healed by node {look.names(nodes)}: a large file takes"
            " long, else the reason is in glustershd.log there; see"
            f" `gluster volume heal {volume.name} info`"
        )


def _copies_in_doubt(cluster: Cluster, volume: Volume | None) -> Iterator[str]:
    for node, member in sorted(cluster.members.items()):
        if member.override and member.override != member.copy:
            yield (
                f"{OVERRIDE_ANNOTATION} of node {node} says {member.override!r}, but its copy is"
                f" {member.copy or 'not running'}: nothing is done on it"
            )
    for one, brick in look.each_brick(volume):
        doubted = copy_in_doubt(cluster, one, brick)
        holder = cluster.holder(doubted) if doubted else None
        if doubted and holder and not is_taken_as_right(cluster, doubted):
            yield (
                f"node {brick.node} lost its disk, and nobody can tell whether the only copy that is left,"
                f" {doubted.id}, has every write: bring the disk back, or take that copy as right: kubectl"
                f" annotate configmap -n {cluster.namespace} {member_name(holder.node)}"
                f" '{OVERRIDE_ANNOTATION}={holder.copy}'"
            )


def _guard_troubles(cluster: Cluster, volume: Volume | None) -> Iterator[str]:
    if cluster.plan is None and cluster.notes.balanced and not cluster.torn_down:
        yield "the plan object is missing: nothing grows, shrinks or is rolled; `pulumi up` creates it again"
    for kind, there in (("controller", cluster.controllers), ("claim", cluster.claims)):
        if there is None or cluster.torn_down:
            continue
        for node in sorted({brick.node for brick in volume.bricks if brick.node} if volume else ()):
            if node not in there:
                yield f"the {kind} of node {node}, which holds data, is missing: `pulumi up` creates it again"
            elif there[node].terminating:
                yield f"the {kind} of node {node}, which holds data, is being deleted: see docs/failures.md"
    for node in sorted(cluster.leaving):
        for path, (count, names) in sorted((cluster.members[node].left or {}).items()):
            replaced = f"{cluster.host(node)}:{path}" in cluster.notes.replaced
            if count and path in cluster.may_hold(node) and not replaced:
                yield (
                    f"node {node} leaves, and {count} files are left in its brick {path}: {', '.join(names)};"
                    " copy them into the volume, delete them there, and it goes"
                )

"""When a node's disk, claim and controller may go: only once the disk is proven to hold nothing that is
needed, or when the whole cluster is torn down on purpose. Pure.

Two lines of defence, and neither believes Pulumi. The finalizer on a membership object holds everything that
Pulumi deletes after it. The annotation `BRICKS_ANNOTATION` on controller and claim makes the API server
refuse their deletion, should somebody come to them by another way: by hand, by an old state, or with
resources taken out of Pulumi's state. Both are lifted here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gluster_sidecar.actions import FreeVolume, HoldData, LiftFinalizer, NoteReplaced, ReleaseData, Step, Wait
from gluster_sidecar.contract import node_of_host
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from .engine import rests


def tear_down(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Without a plan the stack is being destroyed, and a destroy is not a drain.

    A member whose deletion is pending is released at once, for a destroy may delete one after the other. Its
    controller and claim stay guarded until no member lives: Pulumi comes to them only then, and so does
    nobody who deleted the plan by mistake, or with the resources of one node.
    """
    if cluster.plan is not None:
        return
    if cluster.torn_down:
        if cluster.controllers is None or cluster.claims is None:
            yield Wait("the stack is being destroyed; controllers and claims are not known yet")
            return
        # Before any finalizer: whoever lifts those may be deleted at any moment after that.
        for node in sorted(cluster.controllers.keys() | cluster.claims.keys()):
            if cluster.may_hold(node):
                yield ReleaseData(node, None)
    # Its own object last: without it this node could no longer act.
    for node in sorted(cluster.members, key=lambda node: (node == cluster.me, node)):
        if cluster.members[node].terminating and cluster.members[node].held:
            yield LiftFinalizer(node, None, "the plan is gone: teardown")


def free_volumes(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """An interrupted shrink has taken a claim and not its volume, and was taken back: Kubernetes gives the
    volume to nobody while it names the claim that has gone. It leads to the node's own disk and to nothing
    else. Whether the plan names the node does not count: `up` waits for the claim before it writes the
    plan."""
    for node, claim in sorted((cluster.claims or {}).items()):
        if claim.released and not claim.terminating:
            yield FreeVolume(node)


def hold_data(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Guards the objects of every node that holds a brick, should a guard be missing: they were recreated,
    or the cluster is older than the guard. What fails for one node keeps no other unguarded."""
    volume = cluster.pool.volume if cluster.pool else None
    if volume and not cluster.torn_down:
        for step in hold(cluster, (brick.id for brick in volume.bricks)):
            if rests(cluster, step):
                yield Wait("a node's disk is not guarded, and that is tried again later", alone=True)
            else:
                yield step


def hold(cluster: Cluster, bricks: Iterable[str]) -> Iterator[Step]:
    """Guards the nodes of these bricks; to be carried out before the bricks are made. An object that is being
    deleted is left alone: nothing can guard it any more."""
    paths: dict[int, set[str]] = {}
    for brick in bricks:
        host, _, path = brick.partition(":")
        if (node := node_of_host(host)) is not None:
            paths.setdefault(node, set()).add(path)
    for node, wanted in sorted(paths.items()):
        open_ = [found for found in cluster.guarded(node) if not found.terminating]
        if any(not wanted <= found.bricks for found in open_):
            yield HoldData(node, cluster.may_hold(node) | wanted)


def can_hold(cluster: Cluster, node: int) -> bool:
    """Whether a brick may be put on the node's disk: its controller and its claim are there to stay."""
    both = cluster.guarded(node)
    return len(both) == 2 and not any(found.terminating for found in both)


def let_go(cluster: Cluster, node: int, *, in_sync: bool) -> Iterator[Step]:
    """Lifts both guards of a node that leaves, is out of the pool and holds no brick of the volume."""
    if why_kept(cluster, node, in_sync=in_sync):
        return
    named = cluster.plan.named if cluster.plan else None
    if held := cluster.may_hold(node):
        yield ReleaseData(node, named, held)
    member = cluster.members[node]
    if member.terminating and member.held:
        yield LiftFinalizer(node, named, "drained")
        # Not before: it is what the files on the disk are excused by.
        mine = f"{cluster.host(node)}:"
        if forgotten := {brick for brick in cluster.notes.replaced if brick.startswith(mine)}:
            yield NoteReplaced(cluster.notes.replaced - forgotten)


def why_kept(cluster: Cluster, node: int, *, in_sync: bool) -> str:
    """Why the disk of such a node is not proven to hold nothing that is needed; empty if it is.

    `in_sync`: every brick of the volume is up and nothing waits to be healed. Of a brick that another
    replaced, the data is in the copies; of one that was removed, every file must have moved. A folder that no
    guard names must be empty as well: a guard can be taken off by hand.
    """
    if cluster.controllers is None or cluster.claims is None:
        return "its controller and claim are not known yet"
    member, held = cluster.members.get(node), cluster.may_hold(node)
    walked = member is not None and cluster.plan is not None and member.left_plan == cluster.plan.version
    left = member.left if member and walked else None
    for path in sorted(held | (left or {}).keys()):
        count, names = (left or {}).get(path, (0, ()))
        if f"{cluster.host(node)}:{path}" in cluster.notes.replaced:
            if not in_sync:
                return f"what took the place of its brick {path} is not known to be in sync"
        elif left is None:
            return f"what is left in its brick {path} is not known"
        elif count:
            return f"{count} files are left in its brick {path}: {', '.join(names)}"
    return ""

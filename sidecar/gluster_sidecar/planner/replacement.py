"""One brick in the place of another: of a lost disk, of a node that stays away, of one that leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from gluster_sidecar.actions import (
    NoteBalanced,
    NoteReplaced,
    NoteUnproven,
    ReplaceBrick,
    SpendOverride,
    Step,
    Wait,
)
from gluster_sidecar.contract import MemberState
from gluster_sidecar.model import Brick, Cluster, Volume
from gluster_sidecar.settings import Settings

from . import guard
from .engine import rests
from .gates import is_taken_as_right, why_unsafe, why_unsafe_to_replace
from .look import each_brick, is_well, pool_of, volume_of
from .sets import bricks_on, leaving_sets, waiting_nodes


def replace_lost(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A node that is here with a blank disk gets a new brick on it, in a new folder; and another one, if that
    is not known to have been done to its end."""
    volume = volume_of(cluster)
    for one, brick in each_brick(volume):
        member = cluster.holder(brick)
        unproven = brick.id in cluster.notes.unproven and brick.online is not None
        down = brick.online is False or unproven
        if volume is None or member is None or not down or not is_lost(cluster, brick):
            continue
        if unsafe := _why_not(cluster, volume, one, brick, onto=brick.node):
            yield Wait(f"to give node {brick.node} a new brick for the one it lost: {unsafe}", alone=True)
            continue
        yield from _replace(cluster, volume, brick, f"{brick.host}:{member.place}")
        return


def replace_away(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A node that stays away past its grace is replaced by the oldest node that waits.

    Should it come back, glusterd tells it that its brick is no longer the volume's: it waits from then
    on, and its old data stays where it is and is not served.
    """
    volume = volume_of(cluster)
    for one, brick in each_brick(volume):
        if volume is None or brick.online is not False or not is_overdue(cluster, brick):
            continue
        waiting = waiting_nodes(cluster, volume)
        if unsafe := _why_not(cluster, volume, one, brick):
            yield Wait(f"to put node {waiting[0]} in the place of node {brick.node}: {unsafe}", alone=True)
            continue
        (new,) = bricks_on(cluster, waiting[:1])
        yield from _replace(cluster, volume, brick, new)
        return


def can_replace(cluster: Cluster, volume: Volume) -> bool:
    """A brick that was lost, or whose node stays away, could be replaced if no data was being moved."""
    still = replace(volume, rebalance=None, removal=None)
    return any(
        brick.online is False
        and (is_lost(cluster, brick) or is_overdue(cluster, brick))
        and not _why_not(cluster, still, one, brick)
        for one, brick in each_brick(still)
    )


def _why_not(
    cluster: Cluster, volume: Volume, one: tuple[Brick, ...], brick: Brick, onto: int | None = None
) -> str:
    """Why the brick may not be replaced now. `onto`: the node of the new one, if it may be unfit for it;
    those that wait for a brick are fit."""
    if onto is not None and not guard.can_hold(cluster, onto):
        return f"the controller and claim of node {onto} are not there to stay"
    if rests(cluster, ReplaceBrick(volume.name, brick.id, "")):
        return "glusterd refused it, and it is tried again later"
    return why_unsafe_to_replace(cluster, volume, one, brick)


def is_lost(cluster: Cluster, brick: Brick) -> bool:
    """Its node is here with a blank disk, or with an empty brick, and can take a new one."""
    member, peer = cluster.holder(brick), pool_of(cluster).peers.get(brick.host)
    if member is None or member.place is None or brick.id == f"{brick.host}:{member.place}":
        return False
    if brick.id not in member.lost | cluster.notes.unproven:
        return False
    # Its glusterd is told of the volume after it is let in: not before that.
    knows = member.state in (MemberState.JOINED, MemberState.DRAINING)
    return knows and (brick.node == cluster.me or (peer is not None and is_well(peer)))


def is_overdue(cluster: Cluster, brick: Brick) -> bool:
    """Its node stays away past its grace, and another waits that could take its place."""
    since, plan = cluster.notes.away.get(brick.node or 0), cluster.plan
    if since is None or plan is None or plan.grace_seconds is None:
        return False
    over = cluster.at - since >= timedelta(seconds=plan.grace_seconds)
    return over and bool(waiting_nodes(cluster, volume_of(cluster)))


def move_off(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """A node that leaves alone, for its set stays, hands its brick to a wanted node that waits."""
    volume = volume_of(cluster)
    if volume is None or not (gone := cluster.leaving):
        return
    together = set(leaving_sets(cluster, volume))
    for one in (one for one in volume.sets if one not in together):
        for brick in one:
            if brick.node not in gone:
                continue
            waiting = waiting_nodes(cluster, volume)
            if not waiting:
                yield Wait(f"node {brick.node} holds a brick, and no node waits that could take its place")
            elif unsafe := why_unsafe(cluster, volume) or _why_not(cluster, volume, one, brick):
                # Not alone: the waiting nodes are for this brick, and not for growth.
                yield Wait(f"to move the brick of node {brick.node} to node {waiting[0]}: {unsafe}")
            else:
                (new,) = bricks_on(cluster, waiting[:1])
                yield from _replace(cluster, volume, brick, new)
            return


def _replace(cluster: Cluster, volume: Volume, brick: Brick, new: str) -> Iterator[Step]:
    """The new brick is healed by its set, so the data is spread as it was: nothing is to be moved."""
    unproven = cluster.notes.unproven & {b.id for b in volume.bricks}
    yield from guard.hold(cluster, [new])
    yield NoteUnproven(unproven | {new})  # and the old one: it may yet not be replaced
    yield NoteReplaced(cluster.notes.replaced | {brick.id})
    yield ReplaceBrick(volume.name, brick.id, new)
    yield NoteUnproven(unproven - {brick.id})
    for other in next(one for one in volume.sets if brick in one):
        if other != brick and other.node is not None and is_taken_as_right(cluster, other):
            yield SpendOverride(other.node)
    balanced = cluster.notes.balanced
    if brick.id in balanced:
        yield NoteBalanced(balanced - {brick.id} | {new})

"""Replica sets that leave: their data is moved off, their nodes go out of the pool and are let go."""

from __future__ import annotations

from collections.abc import Iterator

from gluster_sidecar.actions import (
    CommitRemoval,
    DetachPeer,
    NoteBalanced,
    NoteReplaced,
    StartRemoval,
    Step,
    StopRemoval,
    Wait,
)
from gluster_sidecar.model import Brick, Cluster, Task, TaskState, Volume
from gluster_sidecar.settings import Settings

from . import guard
from .engine import rests
from .gates import in_sync, why_unsafe
from .look import is_well, names, not_up, pool_of, volume_of
from .replacement import can_replace
from .room import why_too_much
from .sets import leaving_sets


def watch_removal(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Sees a removal to its end, or stops it: when it is no longer wanted, and when a lost brick can be
    replaced, for that comes first."""
    volume = volume_of(cluster)
    removal = volume.removal if volume else None
    if volume is None or removal is None:
        return
    wanted = {brick.id for one in leaving_sets(cluster, volume) for brick in one}
    moved = removal.state is TaskState.DONE and removal.failures == 0
    if cluster.plan is not None and not wanted.issuperset(removal.bricks):
        yield from _undo_removal(cluster, volume, removal)
    elif moved and not not_up(volume.bricks):
        if cluster.plan is not None:
            # What was moved off was not replaced, whoever noted it meanwhile: the bricks are walked.
            if cluster.notes.replaced & set(removal.bricks):
                yield NoteReplaced(cluster.notes.replaced - set(removal.bricks))
            yield CommitRemoval(volume.name, removal.bricks)
    elif can_replace(cluster, volume):
        yield from _undo_removal(cluster, volume, removal)
    elif removal.state is TaskState.RUNNING:
        yield Wait(f"data moves off nodes {names(_nodes(volume, removal))}")
    elif moved:
        yield Wait(f"data is moved; bricks {', '.join(not_up(volume.bricks))} must be up to commit")
    else:
        # What has been moved stays moved; what failed is tried anew, after a pause (`drain`).
        yield from _undo_removal(cluster, volume, removal)


def drain(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Moves the data off all replica sets that leave, in one removal."""
    volume = volume_of(cluster)
    if volume is None or not (sets := leaving_sets(cluster, volume)):
        return
    nodes = names(_set_nodes(sets))
    if len(sets) == len(volume.sets):
        yield Wait(f"nodes {nodes} hold all of the data: nothing would be left", alone=True)
    elif unsafe := why_unsafe(cluster, volume):
        yield Wait(f"to drain nodes {nodes}: {unsafe}", alone=True)
    elif too_much := why_too_much(cluster, volume, sets):
        yield Wait(f"to drain nodes {nodes}: {too_much}", alone=True)  # those who join bring room
    else:
        bricks = tuple(brick.id for one in sets for brick in one)
        step = StartRemoval(volume.name, bricks)
        if rests(cluster, step):
            yield Wait(f"files could not be moved off nodes {nodes}; this is tried again later", alone=True)
            return
        if cluster.notes.replaced & set(bricks):
            # A replacement that was refused: its data is in no other brick.
            yield NoteReplaced(cluster.notes.replaced - set(bricks))
        yield step


def release(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Nodes that leave and hold no brick go out of the pool; their objects may go once their disks are
    proven to hold nothing that is needed."""
    volume = volume_of(cluster)
    with_bricks = {brick.host for brick in volume.bricks} if volume else set()
    peers = pool_of(cluster).peers
    well = {node: (peer := peers.get(cluster.host(node))) and is_well(peer) for node in cluster.leaving}
    # Those that are not well first: glusterd detaches nobody else without force while they are peers.
    for node in sorted(cluster.leaving, key=lambda node: (bool(well[node]), node)):
        host = cluster.host(node)
        if host in with_bricks:
            continue
        if host in peers:
            if well[node]:
                yield DetachPeer(host)
            elif volume is None or not why_unsafe(cluster, volume, heals_matter=False):
                yield DetachPeer(host, force=True)  # it holds nothing, and is away or blank
            continue
        if node != cluster.me:
            yield from guard.let_go(cluster, node, in_sync=in_sync(cluster))


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

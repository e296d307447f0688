"""After growth the data is spread over all bricks."""

from __future__ import annotations

from collections.abc import Iterator

from gluster_sidecar.actions import NoteBalanced, NoteRebalance, StartRebalance, Step, StopRebalance, Wait
from gluster_sidecar.model import Cluster, TaskState, Volume
from gluster_sidecar.settings import Settings

from .engine import rests
from .gates import why_unsafe
from .look import volume_of
from .replacement import can_replace


def watch_rebalance(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """It may take days, and glusterd replaces no brick meanwhile: it is stopped for one that was lost, and
    started again by `rebalance` after that."""
    volume = volume_of(cluster)
    if volume and volume.rebalance and volume.rebalance.state is TaskState.RUNNING:
        if can_replace(cluster, volume):
            yield StopRebalance(volume.name)
        else:
            yield Wait("data is spread over the new bricks")


def rebalance(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Spreads the data after growth, seen to its end and begun again while any file failed to move."""
    volume = volume_of(cluster)
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
    elif unsafe := why_unsafe(cluster, volume):
        yield Wait(f"to spread the data: {unsafe}", alone=True)
    elif rests(cluster, step := StartRebalance(volume.name)):
        yield Wait("files could not be moved to the new bricks; this is tried again later", alone=True)
    else:
        if not asked or last_id != notes.rebalance_after:
            yield NoteRebalance(bricks, last_id)
        yield step


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

"""After growth the data is spread over all bricks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from gluster_sidecar.actions import NoteBalanced, NoteRebalance, StartRebalance, Step, StopRebalance, Wait
from gluster_sidecar.model import Cluster, TaskState, Volume
from gluster_sidecar.settings import Settings

from .engine import rests
from .gates import why_unsafe
from .look import volume_of
from .replacement import can_replace

LATE_CLIENTS: Final = timedelta(minutes=1)
LATE_MACHINES: Final = timedelta(minutes=10)
"""How long data is not moved for clients that may not know of the new bricks: where a part of those on a
machine know them, and where none does."""


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
    elif late := late_clients(cluster, volume):
        yield Wait(f"to spread the data: {late}", alone=True)
    elif rests(cluster, step := StartRebalance(volume.name)):
        yield Wait("files could not be moved to the new bricks; this is tried again later", alone=True)
    else:
        if not asked or last_id != notes.rebalance_after:
            yield NoteRebalance(bricks, last_id)
        yield step


def awaits_spread(cluster: Cluster, volume: Volume) -> bool:
    """Data is to be moved to bricks that are new, and nothing moves it now."""
    bricks, running = frozenset(b.id for b in volume.bricks), volume.rebalance or volume.removal
    moves = running is not None and running.state is TaskState.RUNNING
    return len(volume.sets) > 1 and not bricks <= cluster.notes.balanced and not moves


def late_clients(cluster: Cluster, volume: Volume) -> str:
    """Which clients may not know of the new bricks; empty if all do, or they were waited for long enough.

    For a client that has not heard of a brick, a file that was moved there does not exist. It hears of it
    from the glusterd that it asks, unless that has just gone with its pod (seen on the lab: 48 s, until the
    next in its list answered). One that knows is connected to the new bricks. One that does nothing keeps its
    old connections beside the new ones, and is not told from two of which one is late: those have less time.
    """
    waited = cluster.at - (cluster.own.clients_late_since or cluster.at)
    if waited >= LATE_MACHINES:
        return ""
    if volume.clients is None:
        return "which clients know of the new bricks is not known" if waited < LATE_CLIENTS else ""
    late = late_machines(cluster, volume)
    if waited >= LATE_CLIENTS:
        late = {machine: known for machine, known in late.items() if known == 0}
    return f"clients at {', '.join(sorted(late))} do not know of the new bricks yet" if late else ""


def late_machines(cluster: Cluster, volume: Volume) -> dict[str, int]:
    """Addresses from which fewer clients are connected to some new brick than to some other, and how many to
    the new one."""
    clients = volume.clients or {}
    fresh = {b.id for b in volume.bricks} - cluster.notes.balanced
    counts = [(brick in fresh, seen) for brick, seen in clients.items()]
    found = dict[str, int]()
    for machine in {name for _, seen in counts for name in seen}:
        knows = min((seen.get(machine, 0) for new, seen in counts if new), default=0)
        if knows < max((seen.get(machine, 0) for new, seen in counts if not new), default=0):
            found[machine] = knows
    return found


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

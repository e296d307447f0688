"""Law 3: what must be known before anything is done that could cost a copy of the data."""

from __future__ import annotations

from typing import Final

from gluster_sidecar.model import Brick, Cluster, TaskState, Volume

from .look import is_gone, is_well, not_up, pool_of, said_lost

QUORUM_TYPE: Final = "cluster.quorum-type"
"""`auto`, glusterd's own choice for three copies: a write needs the majority of a set."""


def in_sync(cluster: Cluster) -> bool:
    """Every brick of the volume is up and nothing waits to be healed; also where there is no volume."""
    volume = cluster.pool.volume if cluster.pool else None
    return cluster.pool is not None and (volume is None or not why_unsafe(cluster, volume))


def why_unsafe(cluster: Cluster, volume: Volume, *, heals_matter: bool = True) -> str:
    """Law 3: why nothing that could cost a copy may be done now; empty when it may."""
    if not volume.started:
        return "the volume is not started"
    members = {brick.host for brick in volume.bricks}
    peers = {h: p for h, p in pool_of(cluster).peers.items() if h in members and not is_well(p)}
    # First what is the cause of the others: the bricks of such a peer are not seen up.
    if rejected := sorted(h for h, p in peers.items() if p.connected):
        return f"glusterd does not take peers {', '.join(rejected)} for members of the pool"
    if down := not_up(volume.bricks):
        return f"bricks {', '.join(down)} are not up"
    if peers:
        return f"peers {', '.join(sorted(peers))} are not connected"
    if unproven := cluster.notes.unproven & {brick.id for brick in volume.bricks}:
        return (
            f"bricks {', '.join(sorted(unproven))} are not known to have been put into the volume to the end"
        )
    if volume.split_brain:
        return f"{volume.split_brain} entries have no copy that is known to be right"
    if busy := _busy(volume):
        return busy
    if heals_matter and volume.heals is None:
        return "the pending heals are not known"
    if heals_matter and volume.heals:
        return f"{volume.heals} entries wait to be healed"
    return ""


def why_unsafe_to_replace(cluster: Cluster, volume: Volume, one: tuple[Brick, ...], brick: Brick) -> str:
    """Law 3 for one brick of a set: why the others may not be left alone with its data.

    A brick that is gone cannot be asked what it had; so all others must be known to have every write: by what
    the bricks say of each other (`_is_evident`), or by having been up ever since the set was last seen with
    nothing to heal: at every look of those who acted, and by its own node's word in this very watch for the
    time between them.
    """
    others = tuple(other for other in one if other != brick)
    if down := not_up(others):
        return f"bricks {', '.join(down)} of the same set are not up"
    if not _is_evident(cluster, volume, others, brick) and (unknown := unknown_to_memory(cluster, others)):
        return unknown
    peers = pool_of(cluster).peers.values()
    connected = 1 + sum(map(is_well, peers))
    if 2 * connected <= 1 + len(peers):
        return f"only {connected} of {1 + len(peers)} nodes of the pool are connected: no quorum"
    if out := [b.id for b in volume.bricks if b != brick and _misses_changes(cluster, b)]:
        return f"glusterd of bricks {', '.join(out)} is away, and starts them anew when it learns of a change"
    return _busy(volume)


def unknown_to_memory(cluster: Cluster, others: tuple[Brick, ...]) -> str:
    """Why the others of a set are not known by memory, or by the word of an operator, to have every write;
    empty if they are."""
    others = tuple(other for other in others if not is_taken_as_right(cluster, other))
    if unknown := [other.id for other in others if other.id not in cluster.notes.whole]:
        return f"bricks {', '.join(unknown)} may lack writes: they were away since the set was last whole"
    if silent := [b.id for b in others if not answered(cluster, b)]:
        return f"the nodes of bricks {', '.join(silent)} have not said in this watch that they have caught up"
    return ""


def _is_evident(cluster: Cluster, volume: Volume, others: tuple[Brick, ...], gone: Brick) -> bool:
    """The others of the set, which are up, have every acknowledged write by what the bricks themselves say.

    With quorum a write is acknowledged by a majority only, and whoever has it blames who lacks it: if none of
    a majority blames another of them, all of them have it. With two copies the one that is gone could take
    writes alone, and its last report tells whether it did. Only of a disk that is lost: one that is away may
    have taken writes after its last report, and could still bring them back.
    """
    if cluster.notes.unproven & {brick.id for brick in others}:
        return False  # nobody knows what such a brick lacks, so nobody blames it
    if _needs_quorum(volume) and 2 * len(others) > volume.replica:
        return all(_clears(cluster, one, other) for one in others for other in others if one != other)
    return len(others) == 1 and said_lost(cluster, gone) and _last_report_clears(cluster, gone, others)


def _last_report_clears(cluster: Cluster, gone: Brick, others: tuple[Brick, ...]) -> bool:
    last = member.blames if (member := cluster.holder(gone)) and member.brick == gone.id else {}
    return all(b.id in last and not last[b.id].blamed for b in others)


def _clears(cluster: Cluster, one: Brick, other: Brick) -> bool:
    """`one` said of `other`, in the process that runs, that it lacks nothing that `one` has."""
    holder = cluster.holder(other)
    if holder is None or holder.brick != other.id or not holder.process:
        return False
    return _reported(cluster, one, other, holder.process) is False


def entries_missing(cluster: Cluster, brick: Brick) -> int | None:
    """How many entries this node's own `brick` lacks, by what the others of its set report of it as it runs
    now; None: not known.

    With quorum a majority is enough: whatever was acknowledged without this brick is on a majority, and so on
    one of them.
    """
    volume, process = pool_of(cluster).volume, cluster.own.processes.get(brick.path)
    if volume is None or not process:
        return None
    (its_set,) = (one for one in volume.sets if brick.id in {other.id for other in one})
    others = [other for other in its_set if other.id != brick.id]
    said = {other: _reported(cluster, other, brick, process) for other in others}
    if blaming := [other for other, blamed in said.items() if blamed]:
        return sum(max(1, member.heals or 0) for b in blaming if (member := cluster.holder(b)))
    clear = sum(blamed is False for blamed in said.values())
    if clear == len(others) or (_needs_quorum(volume) and 2 * (1 + clear) > volume.replica):
        return 0
    return None


def _needs_quorum(volume: Volume) -> bool:
    """A write is acknowledged by a majority of its set only."""
    return volume.replica > 2 and volume.options.get(QUORUM_TYPE, "auto") == "auto"


def _reported(cluster: Cluster, one: Brick, other: Brick, process: str) -> bool | None:
    """Whether `one` blames `other`, of which that process runs; None: it has not reported on it."""
    member = cluster.holder(one)
    blame = member.blames.get(other.id) if member is not None and member.brick == one.id else None
    return blame.blamed if blame is not None and blame.process == process else None


def is_taken_as_right(cluster: Cluster, brick: Brick) -> bool:
    """An operator said so, of the process that runs: one that was restarted since is another copy."""
    member = cluster.holder(brick)
    if member is None or member.brick != brick.id:
        return False
    return bool(member.copy) and member.override == member.copy


def copy_in_doubt(cluster: Cluster, one: tuple[Brick, ...], brick: Brick) -> Brick | None:
    """The other copy of two, where `brick` lost its disk, if neither evidence nor memory says that it has
    every write: an operator must decide."""
    (other,) = (b for b in one if b != brick) if len(one) == 2 else (None,)
    if (
        other is None
        or not said_lost(cluster, brick)
        or other.online is not True
        or said_lost(cluster, other)
    ):
        return None
    known = other.id in cluster.notes.whole or _last_report_clears(cluster, brick, (other,))
    return None if known else other


def answered(cluster: Cluster, brick: Brick) -> bool:
    member = cluster.holder(brick)
    return member is not None and bool(cluster.own.watch) and member.caught_up == cluster.own.watch


def _misses_changes(cluster: Cluster, brick: Brick) -> bool:
    """Its glusterd would learn later of what is changed now, and start a brick anew that has something to
    lose.

    A peer that is rejected learns nothing before a person has seen to it.
    """
    peer = pool_of(cluster).peers.get(brick.host)
    if brick.node is None or brick.node == cluster.me or said_lost(cluster, brick):
        return False
    return (peer is None or not (is_well(peer) or peer.rejected)) and not is_gone(cluster, brick.node)


def _busy(volume: Volume) -> str:
    if volume.removal is not None or (volume.rebalance and volume.rebalance.state is TaskState.RUNNING):
        return "a rebalance or removal is running"
    return ""

"""When there is nothing to look at.

A command costs the `gluster` program 75 ms of processor time (measured on 11.1), and a sidecar about as much
to make something of the answers, which every five seconds is several percent of a core on every node, for
ever. While all is well and nothing has changed that can be seen for nothing, the same would be decided and
reported again: a sidecar looks every `LOOK_SECONDS` only, and meanwhile keeps the lease. What may have
changed makes itself known: a brick that died by its own node's object, a machine that died by its pod,
another pool or volume by glusterd's files, a copy that lacks writes by the object of the node that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from . import planner
from .contract import KIND_LABEL, MEMBER_TELEMETRY, STATUS_TELEMETRY, Kind
from .kubernetes import Object
from .model import Cluster, Volume

LOOK_SECONDS: Final = 90

Mark = tuple[object, ...]
"""Changes whenever something changed that can be seen without a command."""


_TELEMETRY: Final[Mapping[str, frozenset[str]]] = {
    Kind.MEMBER: MEMBER_TELEMETRY,
    Kind.STATUS: STATUS_TELEMETRY,
}


def coordination(document: Object) -> object:
    """What rules read of one of our ConfigMaps, without what only people read of it: that changes all the
    time while the volume is written, and every sidecar would look at each change of each of them."""
    meta, data = document["metadata"], document.get("data") or {}
    telemetry = _TELEMETRY.get((meta.get("labels") or {}).get(KIND_LABEL, ""), frozenset())
    return (
        *(meta.get(key) for key in ("name", "uid", "deletionTimestamp", "finalizers", "annotations")),
        {key: value for key, value in data.items() if key not in telemetry},
    )


@dataclass(frozen=True, slots=True)
class Rest:
    """What it was like before a look after which there was nothing to do."""

    began: float
    """Seconds of a steady clock."""
    mark: Mark
    acts: bool
    rank: int | None
    """In the order of seniority."""

    def lasts(self, now: float, mark: Mark | None) -> bool:
        """Whether a new look would see the same."""
        return now - self.began < LOOK_SECONDS and mark == self.mark


def is_calm(cluster: Cluster, decisions: Iterable[planner.Decision]) -> bool:
    """Nothing to do, nothing that is waited for, and nothing that is not known."""
    pool, own = cluster.pool, cluster.own
    volume = pool.volume if pool else None
    if pool is None or volume is None or not volume.started or own.problem or own.lost or not own.writable:
        return False
    if cluster.unwell or own.service.disk or own.service.silent:
        return False
    if any(decision.rule not in ("steady", "stand_by") for decision in decisions):
        return False
    if _awaits_scan(cluster, volume):
        return False
    members = [member for member in cluster.members.values() if not member.terminating]
    holders = [cluster.holder(brick) for brick in volume.bricks]
    return (
        pool.brick_running is not False
        and all(peer.connected and peer.in_cluster for peer in pool.peers.values())
        and all((pod := cluster.pod(member.node)) is not None and pod.ready for member in members)
        and all(member is not None and member.caught_up and member.heals == 0 for member in holders)
        and (volume.all_online or not planner.acts(cluster))
        and not planner.needs_heals(cluster)
    )


def _awaits_scan(cluster: Cluster, volume: Volume) -> bool:
    """What this node's brick says of the others is not yet of the processes that run: it is told a moment
    after they have come."""
    mine = volume.bricks_of(cluster.host(cluster.me))
    said = cluster.own.blames or {}
    for other in next((one for one in volume.sets if mine and mine[0] in one), ()):
        if other == mine[0]:
            continue
        holder = cluster.holder(other)
        process = holder.process if holder is not None and holder.brick == other.id else ""
        if other.id not in said or said[other.id].process != process:
            return True
    return False

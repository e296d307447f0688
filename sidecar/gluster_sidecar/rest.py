"""When the last look may stand in for a new one.

A command costs the `gluster` program 75 ms of processor time (measured on 11.1), which every five seconds is
3 % of a core on every node, for ever. While all is well and nothing has changed that can be seen for nothing,
glusterd is asked every `LOOK_SECONDS` only. What may have changed meanwhile makes itself known: a brick that
died by its own node's object, a machine that died by its pod, another pool or volume by glusterd's files, a
copy that lacks writes by the object of the node that has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from . import planner
from .model import Cluster, Pool

LOOK_SECONDS: Final = 90

Mark = tuple[object, ...]
"""Changes whenever something changed that can be seen without a command."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A look after which there was nothing to do."""

    at: datetime
    pool: Pool
    mark: Mark
    acted: bool


def is_calm(cluster: Cluster, decisions: Iterable[planner.Decision]) -> bool:
    """Nothing to do, nothing that is waited for, and nothing that is not known."""
    pool, own = cluster.pool, cluster.own
    volume = pool.volume if pool else None
    if pool is None or volume is None or not volume.started or own.problem or own.lost or not own.writable:
        return False
    if any(decision.rule not in ("steady", "stand_by") for decision in decisions):
        return False
    members = [member for member in cluster.members.values() if not member.terminating]
    holders = [cluster.members.get(brick.node or 0) for brick in volume.bricks]
    return (
        pool.brick_running is not False
        and all(peer.connected and peer.in_cluster for peer in pool.peers.values())
        and all((pod := cluster.pod(member.node)) is not None and pod.ready for member in members)
        and all(member is not None and member.caught_up and member.heals == 0 for member in holders)
        and (volume.all_online or not planner.acts(cluster))
        and not planner.needs_heals(cluster)
    )


def stands(kept: Kept | None, mark: Mark, now: datetime, acts: bool) -> bool:
    """Whether the look that was kept is as good as a new one."""
    return (
        kept is not None
        and kept.mark == mark
        and kept.acted == acts
        and timedelta() <= now - kept.at < timedelta(seconds=LOOK_SECONDS)
    )

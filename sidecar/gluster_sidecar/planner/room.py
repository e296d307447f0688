"""Whether the disks that stay can take what the leaving ones hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gluster_sidecar.model import Brick, Cluster, Volume

RESERVE: Final = 0.02
"""Part of a disk that a removal may not fill; glusterfs itself keeps the last 1 % (storage.reserve)."""


def why_too_much(cluster: Cluster, volume: Volume, leaving: tuple[tuple[Brick, ...], ...]) -> str:
    """Why the sets that stay cannot take what the leaving ones hold; empty if they can."""
    used = [_extreme(cluster, one, "used", max) for one in leaving]
    free = [_extreme(cluster, one, "free", min) for one in volume.sets if one not in leaving]
    sizes = [_extreme(cluster, one, "used", max) for one in volume.sets if one not in leaving]
    if any(value is None for value in (*used, *free, *sizes)):
        return "what the disks hold is not known"
    needed, room = sum(v or 0 for v in used), sum(v or 0 for v in free)
    keep = RESERVE * (room + sum(v or 0 for v in sizes))
    if needed > room - keep:
        return f"they hold {needed} bytes, and the other nodes have room for {max(0, int(room - keep))}"
    return ""


def _extreme(
    cluster: Cluster, bricks: tuple[Brick, ...], what: str, choose: Callable[[list[int]], int]
) -> int | None:
    """`used` or `free` bytes of a set's disks; None unless all are known. Disks of one set have copies of
    the same, so the fullest counts."""
    values = [getattr(cluster.holder(brick), what, None) for brick in bricks]
    known = [value for value in values if value is not None]
    return choose(known) if len(known) == len(values) else None

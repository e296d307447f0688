"""What a single look cannot tell: how long it has been so, and whether the look before was just now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from . import planner
from .model import Cluster
from .rest import LOOK_SECONDS

GAP: Final = timedelta(seconds=2 * LOOK_SECONDS)
"""Between two looks of the actor at most; after a longer time nobody's word of before is relied on."""


@dataclass(slots=True)
class Memory:
    """Of one sidecar process, so it is lost with it; a new one only knows less."""

    gap: timedelta = GAP
    _unwell_since: datetime | None = None
    _watch: str = ""
    _watched: datetime | None = None
    """When the last look was that is part of `_watch`; None while this sidecar does not act."""

    def added_to(self, cluster: Cluster, *, kept: bool = False) -> Cluster:
        """The look, with `Own.unwell_since` and `Own.watch`. To be called once for each look, in order.

        `kept`: glusterd was not asked, so it is no look at the bricks.
        """
        self._unwell_since = (self._unwell_since or cluster.at) if cluster.unwell else None
        volume = cluster.pool.volume if cluster.pool else None
        if not planner.acts(cluster):
            self._watched = None
        elif volume is not None and volume.detailed:
            if self._watched is None or cluster.at - self._watched > self.gap:
                self._watch = f"{cluster.me}@{cluster.at.isoformat()}"
            if not kept or self._watched is None:
                self._watched = cluster.at
        watch = self._watch if self._watched is not None else ""
        return replace(cluster, own=replace(cluster.own, unwell_since=self._unwell_since, watch=watch))

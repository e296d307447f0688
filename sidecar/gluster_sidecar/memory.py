"""What a single look cannot tell: how long it has been so, and whether the look before was just now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from . import planner
from .model import Cluster
from .rest import LOOK_SECONDS

REFUSED_FOR: Final = timedelta(minutes=5)

GAP: Final = timedelta(seconds=2 * LOOK_SECONDS)
"""Between two looks of the actor at most; after a longer time nobody's word of before is relied on."""


@dataclass(slots=True)
class Memory:
    """Of one sidecar process, so it is lost with it; a new one only knows less."""

    gap: timedelta = GAP
    _unwell: str = ""
    _unwell_since: datetime | None = None
    _refused: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Options and values, and when glusterd refused them."""
    _watch: str = ""
    _watched: datetime | None = None
    """When the last look was that is part of `_watch`; None while this sidecar does not act."""

    def option_refused(self, key: str, value: str, at: datetime) -> None:
        """For a while it is not tried again: what else there is to do must not wait for it."""
        self._refused[key, value] = at

    def added_to(self, cluster: Cluster) -> Cluster:
        """The look, with `Own.unwell_since` and `Own.watch`. To be called once for each look, in order."""
        if cluster.unwell != self._unwell:
            self._unwell, self._unwell_since = cluster.unwell, cluster.at if cluster.unwell else None
        volume = cluster.pool.volume if cluster.pool else None
        if not planner.acts(cluster):
            self._watched = None
        elif volume is not None and volume.detailed:
            if self._watched is None or cluster.at - self._watched > self.gap:
                self._watch = f"{cluster.me}@{cluster.at.isoformat()}"
            self._watched = cluster.at
        watch = self._watch if self._watched is not None else ""
        self._refused = {one: at for one, at in self._refused.items() if cluster.at - at < REFUSED_FOR}
        own = replace(
            cluster.own, unwell_since=self._unwell_since, watch=watch, refused=frozenset(self._refused)
        )
        return replace(cluster, own=own)


@dataclass(slots=True)
class Lasting:
    """What is true at look after look is told once, and not before it has lasted for so many `seconds`."""

    seconds: float = 30
    """A peer that lost its disk looks rejected until it is let in: that needs no person."""
    _since: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    @property
    def all_told(self) -> bool:
        """Whether nothing of what the last look said is still to be told."""
        return self._told == self._since.keys()

    def news(self, said: Iterable[str], now: float) -> list[str]:
        """Which of what this look says is to be told now. To be called for each look, in order."""
        self._since = {line: self._since.get(line, now) for line in said}
        self._told &= self._since.keys()
        found = [line for line, since in self._since.items() if now - since >= self.seconds]
        news = [line for line in found if line not in self._told]
        self._told.update(news)
        return news

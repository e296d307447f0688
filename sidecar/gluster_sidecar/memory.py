"""What a single look cannot tell: how long it has been so, what was tried, how long ago the last look was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from . import planner
from .actions import AddBricks, LaunchHeal, StartRebalance, StartRemoval, Step, trial
from .model import Cluster, Task, TaskState, Volume
from .planner.spread import awaits_spread, late_machines
from .rest import LOOK_SECONDS

GAP: Final = timedelta(seconds=2 * LOOK_SECONDS)
"""Between two looks of the actor at most; after a longer time nobody's word of before is relied on."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Between two tries of the same: the first, doubled with each, up to the longest."""

    first: timedelta
    longest: timedelta


REFUSED: Final = Pauses(timedelta(seconds=10), timedelta(minutes=5))
FILES_LEFT: Final = Pauses(timedelta(seconds=30), timedelta(hours=1))
"""Files that are open, locked or written all the time are not moved."""
HEAL: Final = Pauses(timedelta(seconds=30), timedelta(minutes=10))


@dataclass(slots=True)
class Tries:
    """What was tried, how often, and until when it rests. Forgotten once it has rested twice as long."""

    _known: dict[tuple[str, ...], tuple[int, datetime, datetime]] = field(default_factory=dict)
    """By `actions.trial`: how often, until when it rests, until when it is remembered."""

    def note(self, what: tuple[str, ...], at: datetime, pauses: Pauses) -> None:
        count = 1 + (self._known[what][0] if what in self._known else 0)
        pause = min(pauses.first * 2 ** min(count - 1, 20), pauses.longest)
        self._known[what] = count, at + pause, at + 2 * pause + pauses.first

    def forget(self, what: tuple[str, ...]) -> None:
        self._known.pop(what, None)

    def resting(self, at: datetime) -> frozenset[tuple[str, ...]]:
        self._known = {what: tried for what, tried in self._known.items() if at < tried[2]}
        return frozenset(what for what, (_, until, _) in self._known.items() if at < until)


@dataclass(slots=True)
class Memory:
    """Of one sidecar process, so it is lost with it; a new one only knows less."""

    gap: timedelta = GAP
    _unwell: str = ""
    _unwell_since: datetime | None = None
    _tries: Tries = field(default_factory=Tries)
    _judged: frozenset[str] = frozenset()
    """Ids of the tasks whose end was seen."""
    _heals: int = 0
    _heals_since: datetime | None = None
    _late_since: datetime | None = None
    _watch: str = ""
    _watched: datetime | None = None
    """When the last look was that is part of `_watch`; None while this sidecar does not act."""

    def refused(self, step: Step, at: datetime) -> None:
        """For a while it is not tried again: what else there is to do must not wait for it."""
        self._tries.note(trial(step), at, REFUSED)

    def done(self, step: Step, at: datetime) -> None:
        """What was done, in order."""
        if isinstance(step, LaunchHeal):
            self._tries.note(trial(step), at, HEAL)
        elif isinstance(step, AddBricks):
            self._tries.forget(trial(StartRebalance("")))  # to other bricks than those that were tried

    def rests(self, at: datetime) -> bool:
        """Whether anything is to be tried again later."""
        return bool(self._tries.resting(at))

    def added_to(self, cluster: Cluster) -> Cluster:
        """The look, with what `Own` has of earlier ones. To be called once for each look, in order."""
        if cluster.unwell != self._unwell:
            self._unwell, self._unwell_since = cluster.unwell, cluster.at if cluster.unwell else None
        volume = cluster.pool.volume if cluster.pool else None
        if not planner.acts(cluster):
            self._watched = None
        elif volume is not None and volume.detailed:
            if self._watched is None or cluster.at - self._watched > self.gap:
                self._watch = f"{cluster.me}@{cluster.at.isoformat()}"
            self._watched = cluster.at
            self._judge(volume, cluster.at)
            self._count_heals(volume, cluster.at)
            late = awaits_spread(cluster, volume) and (
                volume.clients is None or late_machines(cluster, volume)
            )
            self._late_since = (self._late_since or cluster.at) if late else None
        own = replace(
            cluster.own,
            unwell_since=self._unwell_since,
            watch=self._watch if self._watched is not None else "",
            resting=self._tries.resting(cluster.at),
            heals_wait_since=self._heals_since,
            clients_late_since=self._late_since,
        )
        return replace(cluster, own=own)

    def _judge(self, volume: Volume, at: datetime) -> None:
        """A task that could not move all files is started again after a pause, which grows."""
        tasks: list[tuple[Task | None, Step]] = [(volume.rebalance, StartRebalance(volume.name))]
        if volume.removal:
            tasks.append((volume.removal, StartRemoval(volume.name, volume.removal.bricks)))
        for task, step in tasks:
            if task and _left_files(task) and task.id not in self._judged:
                self._tries.note(trial(step), at, FILES_LEFT)
        self._judged = frozenset(task.id for task, _ in tasks if task and _left_files(task))

    def _count_heals(self, volume: Volume, at: datetime) -> None:
        """Of the bricks that answer. A look that asked none knows of none."""
        count = sum(filter(None, volume.pending.values()))
        if not count:
            self._heals_since = None
        elif self._heals_since is None or count < self._heals:
            self._heals_since = at
        self._heals = count


def _left_files(task: Task) -> bool:
    return task.state is TaskState.FAILED or (task.state is TaskState.DONE and bool(task.failures))


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

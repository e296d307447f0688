"""The nouns of GlusterFS, as a glusterd tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gluster_sidecar.contract import node_of_host

HEAL_DAEMON: Final = "cluster.self-heal-daemon"


class TaskState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Task:
    """A rebalance or the removal of bricks, in glusterd's own daemons."""

    id: str
    state: TaskState
    bricks: tuple[str, ...] = ()
    """Of a removal: the bricks that are leaving."""
    failures: int | None = None
    """Files that could not be moved; None while it runs, or if it was not asked."""


@dataclass(frozen=True, slots=True)
class Peer:
    host: str
    uuid: str
    connected: bool
    in_cluster: bool
    """glusterd's state is "Peer in Cluster"; anything else (rejected, half accepted) is not."""
    rejected: bool = False
    """glusterd's state is "Peer Rejected": what the peer knows of the pool is another."""

    @property
    def halfway(self) -> bool:
        """Connected and neither in the cluster nor rejected: being let in, or stuck in that."""
        return self.connected and not self.in_cluster and not self.rejected


@dataclass(frozen=True, slots=True)
class Brick:
    host: str
    path: str
    online: bool | None = None

    @property
    def id(self) -> str:
        return f"{self.host}:{self.path}"

    @property
    def node(self) -> int | None:
        return node_of_host(self.host)


@dataclass(frozen=True, slots=True)
class Volume:
    name: str
    started: bool
    replica: int
    bricks: tuple[Brick, ...]
    arbiter: bool = False
    """The last brick of each set keeps names and attributes only."""
    options: Mapping[str, str] = field(default_factory=dict)
    rebalance: Task | None = None
    removal: Task | None = None
    detailed: bool = False
    """Bricks' processes and tasks were asked for and answered."""
    pending: Mapping[str, int | None] = field(default_factory=dict)
    """Entries that wait to be healed, by brick; a brick that did not answer, or was not asked, is not
    known."""
    split_brain: int | None = None
    """Entries of which no copy is known to be right."""
    clients: Mapping[str, Mapping[str, int]] | None = None
    """By brick: from which machines how many clients are connected; None: not asked, or not answered."""

    @property
    def heals_itself(self) -> bool:
        """Heal daemons shall run for it: it is started, and nobody has switched them off."""
        return self.started and self.options.get(HEAL_DAEMON, "on") in ("on", "yes", "true", "enable", "1")

    @property
    def heals(self) -> int | None:
        """Entries that wait to be healed in the whole volume; None unless every brick answered."""
        return _sum(self.pending.get(brick.id) for brick in self.bricks)

    def heals_of(self, bricks: tuple[Brick, ...]) -> int | None:
        """The same of one set."""
        return _sum(self.pending.get(brick.id) for brick in bricks)

    @property
    def sets(self) -> tuple[tuple[Brick, ...], ...]:
        """The replica sets, as glusterd orders them."""
        return tuple(self.bricks[i : i + self.replica] for i in range(0, len(self.bricks), self.replica))

    def bricks_of(self, host: str) -> tuple[Brick, ...]:
        return tuple(brick for brick in self.bricks if brick.host == host)

    @property
    def all_online(self) -> bool:
        return self.detailed and all(brick.online is True for brick in self.bricks)


def _sum(counts: Iterable[int | None]) -> int | None:
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known) if len(known) == len(found) else None


@dataclass(frozen=True, slots=True)
class Pool:
    """What this node's glusterd says."""

    uuid: str
    peers: Mapping[str, Peer]
    """By host name, without this node."""
    volume: Volume | None
    """None: glusterd answered that it knows no volume of that name."""
    brick_running: bool | None = None
    """This node's own brick process serves."""

    @property
    def blank(self) -> bool:
        return not self.peers and self.volume is None

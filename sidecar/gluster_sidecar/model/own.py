"""What only a node itself can see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .objects import Blame


@dataclass(frozen=True, slots=True)
class Service:
    """What the daemon knows of this node's parts by asking them, beside the bricks that serve."""

    silent: frozenset[str] = frozenset()
    """Paths of bricks whose process lives and does not answer. The daemon ends those that stay so."""
    glusterd_silent: bool = False
    """Its process lives and does not answer. The daemon ends it if it stays so."""
    disk: str = ""
    """Why the disk takes no writes; empty if it does."""
    healer: bool | None = None
    """The heal daemon's process lives; None: not known."""
    may_end: bool = True
    """It would end a brick on a disk that hangs; not again soon after it has."""
    ended: tuple[str, ...] = ()
    """What the daemon ended last because it did not serve: one sentence each, with the time."""


@dataclass(frozen=True, slots=True)
class Own:
    """What only this node can see of itself: its disk, and its daemon's words."""

    problem: str = ""
    """Why the daemon does not start glusterd; empty if it does."""
    lost: frozenset[str] = frozenset()
    """Bricks of the volume on this node whose folders are not on its disk."""
    processes: Mapping[str, str] = field(default_factory=dict)
    """Of each brick that runs and has answered once, by its path: another one for each start."""
    service: Service = Service()
    end_asked: str = ""
    """The process of a brick that the daemon was asked to end and has not yet."""
    blames: Mapping[str, Blame] | None = None
    """As `Member.blames`, of this node's brick as it is now; None while it does not run."""
    unhealed: tuple[str, ...] = ()
    """As `MemberKey.UNHEALED`, of this node's bricks."""
    writable: bool | None = None
    restarted: datetime | None = None
    """When this sidecar last had glusterd restarted."""
    ending: bool = False
    """It asked the daemon for that, and the glusterd of before had not ended when this look began."""
    unwell_since: datetime | None = None
    """Since when every look of this sidecar has found its glusterd `unwell` in the same way; None if the last
    found it well."""
    watch: str = ""
    """Name of the unbroken run of looks as the actor that this is one of; empty if it is none."""
    resting: frozenset[tuple[str, ...]] = frozenset()
    """Steps (`actions.trial`) that were tried, and are not to be tried again yet."""
    clients_late_since: datetime | None = None
    """Since when clients have not been seen to know of new bricks (`spread.late_clients`); None if all do."""
    heals_wait_since: datetime | None = None
    """Since when the entries that wait to be healed have not become fewer; None if none are known."""

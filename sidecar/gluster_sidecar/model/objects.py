"""The nouns of Kubernetes: pods, membership objects, the plan, and what the leaders note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gluster_sidecar.contract import MemberState


@dataclass(frozen=True, slots=True)
class Pod:
    """A node's pod as Kubernetes shows it."""

    node: int
    name: str
    created: datetime
    address: str | None
    """The address of its machine, for its pod is on the machine's network; None until it has one."""
    running: bool
    ready: bool
    terminating: bool
    uid: str = ""
    template: str = ""
    """Mark of the template it was made from."""


@dataclass(frozen=True, slots=True)
class Blame:
    """What a brick says of another of its set."""

    process: str
    """Of the other: which start of it; empty if none was known."""
    blamed: bool
    """It lacks something that this one has."""


@dataclass(frozen=True, slots=True)
class Member:
    """A membership object: what the stack asks of a node, and what the node's sidecar says of itself."""

    node: int
    terminating: bool
    """The stack asks to drain it."""
    held: bool
    """Our finalizer is on it."""
    joined: bool = False
    state: MemberState = MemberState.STARTING
    uuid: str | None = None
    op_version: str | None = None
    brick: str = ""
    """Its brick in the volume, if any."""
    process: str = ""
    """Of that brick, while it runs: another one for each start."""
    blames: Mapping[str, Blame] = field(default_factory=dict)
    """By other brick of its set, what its own reported last; none of which it is not known."""
    unhealed: tuple[str, ...] = ()
    """As `MemberKey.UNHEALED`."""
    knows: frozenset[int] = frozenset()
    place: str | None = None
    """Path for its next brick: one that never held a brick. None: its disk could not be read."""
    spare: bool = False
    disk: str = ""
    """Why its disk takes no writes, as it said last; empty if it does."""
    lost: frozenset[str] = frozenset()
    """Bricks of the volume on it that it last said are not on its disk. By name, for it may not have heard
    yet that one has been replaced."""
    heals: int | None = None
    """Entries of which its brick said last that another brick of its set lacks them."""
    caught_up: str = ""
    """The `Notes.watch` in which it last reported its brick as in sync; empty if it has not."""
    start_asked: str = ""
    start_granted: str = ""
    """As `MemberKey.START_ASKED` and `START_GRANTED`."""
    used: int | None = None
    free: int | None = None
    """Bytes of its disk."""
    inodes_used: int | None = None
    inodes_free: int | None = None
    waits: str = ""
    """What it said last that it waits for, if it does not serve."""
    left: Mapping[str, tuple[int, tuple[str, ...]]] | None = None
    """By brick folder on its disk: files that a walk found after the brick had left the volume, and the
    names of the first few. None: not walked."""
    left_plan: str = ""
    """`Plan.version` as it was known to who walked."""
    leaves: bool = False
    """The sidecars made it, for a node that leaves."""
    override: str = ""
    """As `contract.OVERRIDE_ANNOTATION`."""

    @property
    def copy(self) -> str:
        """Its brick and which start of it; what an override must name. Empty while it does not run."""
        return f"{self.brick} {self.process}" if self.brick and self.process else ""

    @property
    def starts_anew(self) -> bool:
        """It was given leave to start its glusterd anew, and has not said yet that it has."""
        return bool(self.start_asked) and self.start_asked == self.start_granted


@dataclass(frozen=True, slots=True)
class Guarded:
    """A node's controller or claim, which must not be deleted while the node's disk holds data."""

    bricks: frozenset[str] = frozenset()
    """Paths of bricks on the disk that may hold data (`contract.BRICKS_ANNOTATION`)."""
    terminating: bool = False
    template: str = ""
    """Of a controller: the mark in its template."""
    released: bool = False
    """Of a claim: it waits for a volume that still names an earlier claim, which has gone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the stack asks of the cluster as a whole."""

    nodes: frozenset[int]
    spares: frozenset[int] = frozenset()
    """Nodes beyond `nodes` that wait to take the place of one that stays away."""
    template: str = ""
    """Mark of the pod template that every node shall run; empty for any."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Volume options that win over our own."""
    grace_seconds: int | None = None
    """How long a node may stay away before a spare takes its place; None for ever."""
    mark: str = ""
    """What `settled` shall say once all of this holds."""
    version: str = ""
    """Another one whenever the plan was written."""

    @property
    def named(self) -> frozenset[int]:
        """All nodes that it names."""
        return self.nodes | self.spares

    @property
    def is_read(self) -> bool:
        """False of what stands for a plan that cannot be read (`documents.as_it_is`)."""
        return bool(self.mark)


@dataclass(frozen=True, slots=True)
class Notes:
    """What the actors keep in the status object for those who act after them."""

    balanced: frozenset[str] = frozenset()
    """Bricks over which the data is known to be spread."""
    rebalance_bricks: frozenset[str] = frozenset()
    """Bricks for which a rebalance was asked for last."""
    rebalance_after: str = ""
    """Id of the rebalance that had been seen before that one; tells an old result from a new one."""
    whole: frozenset[str] = frozenset()
    """Bricks that are known to have every write."""
    watch: str = ""
    """Name of the actor's unbroken run of looks, as it told the other nodes."""
    unproven: frozenset[str] = frozenset()
    """Bricks that were to be put in the place of others, and nobody knows that it was done to its end."""
    replaced: frozenset[str] = frozenset()
    """Bricks whose place in the volume another has taken."""
    options: frozenset[str] = frozenset()
    """Keys of the volume options that were set for the stack."""
    away: Mapping[int, datetime] = field(default_factory=dict)
    """Nodes that stay away, and since when."""
    peers: frozenset[int] = frozenset()
    """Nodes in the pool as the last actor knew it."""

"""The nouns: one frozen picture of the storage cluster, everything a rule may look at.

No memory lives outside of it: what must survive a cycle is a field here, put there by `observe.py`
from Kubernetes or glusterd. `None` for something that can be counted or read means "not known",
which is never the same as zero, absent or healthy (law 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from .contract import MemberState, host_name, node_of_host


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
    knows: frozenset[int] = frozenset()
    place: str | None = None
    """Path for its next brick: one that never held a brick. None: its disk could not be read."""
    spare: bool = False
    lost: frozenset[str] = frozenset()
    """Bricks of the volume on it that it last said are not on its disk. By name, for it may not have heard
    yet that one has been replaced."""
    heals: int | None = None
    """Entries of which its brick said last that another brick of its set lacks them."""
    caught_up: str = ""
    """The `Notes.watch` in which it last said that its brick has caught up; empty if it has not."""
    start_asked: str = ""
    start_granted: str = ""
    """As `MemberKey.START_ASKED` and `START_GRANTED`."""
    used: int | None = None
    free: int | None = None
    """Bytes of its disk."""
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


_KNOWS: Final = {MemberState.JOINED: 0, MemberState.DRAINING: 0, MemberState.PEER: 1}
"""What a node knows, by what it last said: the volume, a pool, or (2) nothing."""


@dataclass(frozen=True, slots=True)
class Own:
    """What only this node can see of itself: its disk, and its daemon's words."""

    problem: str = ""
    """Why the daemon does not start glusterd; empty if it does."""
    lost: frozenset[str] = frozenset()
    """Bricks of the volume on this node whose folders are not on its disk."""
    processes: Mapping[str, str] = field(default_factory=dict)
    """Of each brick that runs, by its path: another one for each start."""
    blames: Mapping[str, Blame] | None = None
    """As `Member.blames`, of this node's brick as it is now; None while it does not run."""
    writable: bool | None = None
    restarted: datetime | None = None
    """When this sidecar last had glusterd started anew."""
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


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything seen in one look."""

    at: datetime
    """The only clock the planner sees."""
    me: int
    namespace: str
    pods: tuple[Pod, ...]
    members: Mapping[int, Member]
    plan: Plan | None
    """None: there is no plan object."""
    notes: Notes
    pool: Pool | None
    """None: this node's glusterd does not answer."""
    holds_lease: bool
    own: Own = Own()
    controllers: Mapping[int, Guarded] | None = None
    claims: Mapping[int, Guarded] | None = None
    """Of each node, for the leader only; None: not known."""
    unreadable: tuple[str, ...] = ()
    """What is wrong with objects of ours that were set aside."""
    _speakers: Mapping[int, Pod] = field(init=False, compare=False, repr=False)
    """By node; looked up for every node, so a search of the list would cost the square of them."""

    def __post_init__(self) -> None:
        found: dict[int, Pod] = {}
        for pod in sorted(self.pods, key=lambda pod: (pod.created, pod.name)):
            if not pod.terminating:
                found[pod.node] = pod
        object.__setattr__(self, "_speakers", found)

    def holder(self, brick: Brick) -> Member | None:
        """The member whose disk a brick is on; None if it has no object, or the brick is not ours."""
        return self.members.get(brick.node or 0)

    def host(self, node: int) -> str:
        return host_name(node, self.namespace)

    @property
    def outcast(self) -> bool:
        """This node's glusterd takes itself for a member of a pool that no longer knows it: it was detached
        by force while it was away. What it knows of the pool and the volume is of another time."""
        peers = self.notes.peers
        return self.pool is not None and not self.pool.blank and bool(peers) and self.me not in peers

    @property
    def unwell(self) -> str:
        """What a start of this node's glusterd would help, if it stays so: its brick does not run, it is in a
        pool whose volume it does not know, or a peer stays halfway in it. Empty if nothing."""
        pool = self.pool
        if pool is None:
            return ""
        if any(peer.halfway for peer in pool.peers.values()):
            return "halfway"
        if pool.volume is None:
            return "no volume" if not pool.blank and self.me in self.notes.peers else ""
        # By name: a new brick in the place of one that was lost has not been down for as long as that one.
        mine = sorted(brick.id for brick in pool.volume.bricks_of(self.host(self.me)))
        lost = "lost" if self.own.lost else "down"
        down = pool.volume.started and pool.brick_running is False
        return f"{lost}: {', '.join(mine)}" if down else ""

    def pod(self, node: int) -> Pod | None:
        """The pod that speaks for the node: never a terminating one, the newest of several."""
        return self._speakers.get(node)

    @property
    def seniority(self) -> tuple[int, ...]:
        """Nodes that could act, the first to do so first: server1, server2, serverX...

        Age is the pod's creation, then the node's number, as ReplicationControllers made at once
        share a second. Before age: who is in a pool (law 2: a node without state does not lead those
        who have it, or two pools are made that never become one; if all of those catch up, they are
        not Ready and must act all the same), whose sidecar is Ready (a dead machine's pod stays
        `Running`; mistake 7), who stays (no glusterd can detach itself), and who holds a brick.
        """
        candidates, leaving = [], self.leaving
        for node in {pod.node for pod in self.pods}:
            pod, member = self.pod(node), self.members.get(node)
            if pod is None or not pod.running:
                continue
            if member is None and (self.plan is not None or self.members):
                continue  # of a teardown whoever is left sees to the end
            knows = _KNOWS.get(member.state, 2) if member else 2
            if node == self.me and self.pool is not None:  # fresher than what it last reported
                knows = 2 if self.outcast else 0 if self.pool.volume else 1 if self.pool.peers else 2
            blank = knows == 2
            # A teardown needs no state, so whoever lives may carry it out.
            fit = (blank and self.plan is not None, not pod.ready, blank, node in leaving)
            candidates.append((*fit, knows, pod.created, node))
        return tuple(node for *_, node in sorted(candidates))

    @property
    def server1(self) -> int | None:
        return next(iter(self.seniority), None)

    @property
    def rank(self) -> int | None:
        """This node's own place in the order of seniority, from 0; None if it could not act."""
        seniority = self.seniority
        return seniority.index(self.me) if self.me in seniority else None

    @property
    def spares(self) -> frozenset[int]:
        """Nodes that hold no brick until one is needed; their own objects tell (`MemberKey.SPARE`)."""
        return frozenset(node for node, member in self.members.items() if member.spare)

    @property
    def torn_down(self) -> bool:
        """The stack is being destroyed: there is no plan, and every member is being deleted. A plan that
        is gone while a member lives is a destroy that has just begun, or a mistake of somebody's. A member
        whose node has neither controller nor claim does not count: Pulumi was killed after it had made it."""
        known = self.controllers is not None and self.claims is not None
        living = [n for n, m in self.members.items() if not m.terminating and (self.guarded(n) or not known)]
        return self.plan is None and not living

    @property
    def wanted(self) -> frozenset[int]:
        """Nodes that shall hold a brick: those of the plan; all members before the first plan is written.

        Also one whose deletion is pending: the stack asked for it again after it had asked for the deletion,
        or somebody deletes it who knows an older plan. Its object serves as before until the plan says
        otherwise. To release it and create it again would tell whoever waits for its end that the node is
        drained (data was lost so).
        """
        return (self.plan.nodes if self.plan else frozenset(self.members)) - self.spares

    def outdated(self, pod: Pod) -> bool:
        """Its controller would make another today. False while the controller is not known."""
        controller = (self.controllers or {}).get(pod.node)
        return controller is not None and bool(controller.template) and pod.template != controller.template

    @property
    def unnamed(self) -> frozenset[int]:
        """Nodes that the plan does not name and that have anything of the cluster's: a member, a brick of the
        volume, or a disk that may hold data."""
        if self.plan is None:
            return frozenset()
        volume = self.pool.volume if self.pool and not self.outcast else None
        bricks = {brick.node for brick in volume.bricks if brick.node is not None} if volume else set[int]()
        known = (self.controllers or {}).keys() | (self.claims or {}).keys()
        guarded = {node for node in known if self.may_hold(node)}
        return frozenset(self.members.keys() | bricks | guarded) - self.plan.named

    @property
    def leaving(self) -> frozenset[int]:
        """Nodes that the plan does not name: to be drained, or so new that the stack has yet to write its
        plan."""
        return frozenset(self.members) - self.plan.named if self.plan else frozenset()

    def guarded(self, node: int) -> tuple[Guarded, ...]:
        """The node's controller and claim, as far as they are known."""
        both = ((self.controllers or {}).get(node), (self.claims or {}).get(node))
        return tuple(found for found in both if found is not None)

    def may_hold(self, node: int) -> frozenset[str]:
        """Paths of bricks on the node's disk that may hold data, by its controller and its claim."""
        return frozenset[str]().union(*(found.bricks for found in self.guarded(node)))

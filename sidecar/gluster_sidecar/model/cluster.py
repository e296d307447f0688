"""One observation of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gluster_sidecar.contract import MemberState, host_name

from .objects import Guarded, Member, Notes, Plan, Pod
from .own import Own
from .pool import Brick, Pool

_KNOWS: Final = {MemberState.JOINED: 0, MemberState.DRAINING: 0, MemberState.PEER: 1}
"""What a node knows, by what it last said: the volume, a pool, or (2) nothing."""


NO_HEALER: Final = "no heal daemon"


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
    own: Own = field(default_factory=Own)
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
        """What a start of this node's glusterd would help, if it stays so: its brick or its heal daemon does
        not run, it is in a pool whose volume it does not know, or a peer stays halfway in it. Empty if
        nothing."""
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
        if down:
            return f"{lost}: {', '.join(mine)}"
        return NO_HEALER if mine and pool.volume.heals_itself and self.own.service.healer is False else ""

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

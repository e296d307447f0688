"""The pool of `pool.py` in a Kubernetes: pods, documents and the lease, and the real sidecar's decisions.

What a node sees, says and does in one turn is the product's own: `planner`, `report` and `documents.member`
run unchanged. An actor may die between any two steps, and something may happen to a machine between its
look and its deed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gluster_sidecar import actions as do
from gluster_sidecar import documents, planner, report
from gluster_sidecar.contract import DRAIN_FINALIZER, KIND_LABEL, Kind, MemberKey, format_nodes, member_name
from gluster_sidecar.disk import Usage
from gluster_sidecar.model import (
    Blame,
    Cluster,
    Guarded,
    Member,
    Notes,
    Own,
    Plan,
    Pod,
    Pool,
    Task,
    TaskState,
    Volume,
)
from gluster_sidecar.planner.gates import entries_missing
from gluster_sidecar.settings import Settings

from tests.sidecar.notes import noted
from tests.simulation.pool import NAMESPACE, GlusterPool, Node, Refused, Shared, node_of


@dataclass(eq=False)
class Document:
    """A membership object."""

    data: dict[str, str]
    terminating: bool = False
    held: bool = True

    def member(self) -> Member:
        name = member_name(int(self.data[MemberKey.NODE]))
        meta: dict[str, object] = {"name": name, "labels": {KIND_LABEL: Kind.MEMBER}}
        if self.terminating:
            meta["deletionTimestamp"] = "x"
        if self.held:
            meta["finalizers"] = [DRAIN_FINALIZER]
        found = documents.member({"metadata": meta, "data": self.data})
        assert found is not None
        return found


class SimulatedCluster:
    def __init__(self, settings: Settings, chance: Callable[[], float], whim: Callable[[], float]) -> None:
        self.settings = settings
        self.chance = chance
        """A number from 0 to 1; what is left to luck is drawn from it."""
        self.whim = whim
        """The same for what glusterd does by itself, also where no harm is done to it."""
        self.gluster = GlusterPool()
        self.pods: dict[int, Pod] = {}
        self.documents: dict[int, Document] = {}
        self.guarded: dict[int, Guarded] = {}
        """Controllers and claims: of a node both are alike here."""
        self.template = ""
        self.plan: Plan | None = None
        self.notes = Notes()
        self.lease: int | None = None
        self.said: dict[int, planner.Decision] = {}
        self.log: list[str] = []

    # -- what the stack and Kubernetes do

    def add_node(self, number: int, *, spare: bool = False) -> None:
        """RC, pod, disk and membership object, as `pulumi up` makes them."""
        if number not in self.gluster.nodes:
            self.gluster.add(number)
            self.guarded[number] = Guarded(template=self.template)
            self.pods[number] = self._pod(number, 0)
        if number not in self.documents:
            data = {str(MemberKey.NODE): str(number)} | ({str(MemberKey.SPARE): "true"} if spare else {})
            self.documents[number] = Document(data)

    def _pod(self, number: int, age: int) -> Pod:
        template = self.guarded[number].template
        return Pod(
            number, f"gluster-{number}-{age}", self.gluster.now, f"10.0.0.{number}", True, False, False,
            uid=f"{number}-{age}-{self.gluster.now}", template=template,
        )  # fmt: skip

    def retemplate(self, template: str) -> None:
        """As `pulumi up`, which changes the controllers before the plan."""
        self.template = template
        self.guarded = {n: replace(found, template=template) for n, found in self.guarded.items()}

    def want(self, nodes: frozenset[int], spares: frozenset[int], template: str) -> None:
        self.plan = Plan(nodes, spares, template, grace_seconds=600, mark=f"{format_nodes(nodes)}@{template}")

    def delete_member(self, number: int) -> None:
        self.add_node(number)  # one that was let go to be made anew is there again first
        self.documents[number].terminating = True

    def restart_pod(self, number: int) -> None:
        node, old = self.gluster.nodes[number], self.pods[number]
        self.pods[number] = self._pod(number, int(old.name.rsplit("-", 1)[1]) + 1)
        if node.powered:
            self.gluster.start(node)

    def notice(self, number: int) -> None:
        """Kubernetes learns that a machine is silent."""
        if not self.gluster.nodes[number].powered or not self.gluster.nodes[number].api:
            self.pods[number] = replace(self.pods[number], ready=False)

    # -- a sidecar's turn

    def look(self, number: int) -> Cluster:
        node, gluster = self.gluster.nodes[number], self.gluster
        shared = node.shared
        peers, there = gluster.peers(node), gluster.there(node)
        volume = node.volume
        running = (node.serves and not node.lost) if node.own_bricks else None
        cluster = Cluster(
            at=gluster.now,
            me=number,
            namespace=NAMESPACE,
            pods=tuple(self.pods.values()),
            members={n: d.member() for n, d in sorted(self.documents.items())},
            plan=self.plan,
            notes=self.notes,
            pool=Pool(f"uuid-{number}", peers, volume, running) if node.glusterd else None,
            holds_lease=self.lease == number,
            own=Own(
                lost=node.lost,
                writable=True,
                restarted=node.restarted,
                ending=node.ending,
            ),
        )
        cluster = replace(cluster, own=replace(cluster.own, **self._evidence(node, cluster)))
        if planner.acts(cluster) and self.chance() >= 0.03:
            cluster = replace(cluster, controllers=dict(self.guarded), claims=dict(self.guarded))
        if (
            not cluster.pool
            or volume is None
            or not volume.started
            or not planner.acts(cluster)
            or self.chance() < 0.03
        ):
            return cluster
        seen = self._details(cluster, shared, volume, there)
        return replace(cluster, pool=replace(cluster.pool, volume=seen))

    def _evidence(self, node: Node, cluster: Cluster) -> dict[str, Any]:
        """The processes and the blames of `Own`, as its daemon tells them."""
        shared, mine = self.gluster.main, node.own_bricks
        if not mine or not node.serves or node.lost or shared is not node.shared or node.stranded:
            return {}
        assert node.volume
        index, one = next((i, one) for i, one in enumerate(node.volume.sets) if mine[0] in one)
        found = {
            other.id: Blame(
                member.process if (member := cluster.holder(other)) and member.brick == other.id else "",
                blamed=self.gluster.blames(index, mine[0], other),
            )
            for other in one
            if other != mine[0]
        }
        return {"processes": {mine[0].path: f"{node.number}.{node.starts}"}, "blames": found}

    def _details(self, cluster: Cluster, shared: Shared, volume: Volume, there: set[int]) -> Volume:
        gluster = self.gluster
        online = [gluster.up(b) is not None and node_of(b) in there for b in volume.bricks]
        bricks = tuple(replace(b, online=up) for b, up in zip(volume.bricks, online, strict=True))
        seen = replace(
            volume,
            bricks=bricks,
            detailed=True,
            clients={},
            removal=_judged(volume.removal, shared.left),
            rebalance=_judged(volume.rebalance, 1 if self.chance() < 0.2 else 0),
        )
        cluster = replace(cluster, pool=replace(cluster.pool, volume=seen))  # type: ignore[type-var]
        if not planner.needs_heals(cluster) or self.chance() < 0.05:
            return seen
        pending = {
            b.id: gluster.pending(index, plain) if b.online else None
            for index, one in enumerate(volume.sets)
            for plain, b in zip(one, seen.sets[index], strict=True)
        }
        return replace(seen, pending=pending, split_brain=0)

    def turn(self, number: int, happens: Callable[[], None] = lambda: None) -> bool:
        """One cycle of a node's sidecar; True if it did anything."""
        node = self.gluster.nodes[number]
        if not node.powered or not node.api:
            return False
        self._contend(number)
        cluster = node.memory.added_to(self.look(number))
        self._report(node, cluster)
        happens()
        if not node.powered:
            return False
        # As `Loop`: what it did for itself ends the cycle.
        own, decision = planner.plan_own(cluster, self.settings), planner.plan(cluster, self.settings)
        return self._carry_out(node, own) or self._carry_out(node, decision)

    def _contend(self, number: int) -> None:
        """Handed over at once to an older node that is fit; taken from one that does not renew it."""
        server1 = self.look(number).server1
        holder = self.gluster.nodes.get(self.lease or 0)
        if self.lease == number and server1 != number:
            self.lease = None
        elif server1 == number and (holder is None or not holder.powered or not holder.api):
            self.lease = number

    def _report(self, node: Node, cluster: Cluster) -> None:
        pool = self.gluster.main
        behind = pending = None
        volume = node.volume if node.glusterd else None
        if volume and volume.started and pool is node.shared and (mine := node.own_bricks):
            index = next(i for i, one in enumerate(volume.sets) if mine[0] in one)
            if mine[0].path in node.folders:
                pending = self.gluster.pending(index, mine[0])
            if cluster.pool:
                behind = entries_missing(cluster, mine[0])
            proven = mine[0].id not in cluster.notes.unproven
            node.caught_up = proven and node.serves and (node.caught_up if behind is None else behind == 0)
            behind = 0 if node.caught_up else behind
        ready = report.readiness(cluster, behind)
        self.pods[node.number] = replace(self.pods[node.number], ready=ready.ready)
        if (document := self.documents.get(node.number)) is not None:
            usage = Usage(1 << 30, 9 << 30)
            leaves = node.number in cluster.leaving and node.number not in cluster.notes.peers
            left = self.gluster.left(node) if leaves and cluster.pool and not node.serves else None
            document.data |= report.own_member(
                *(cluster, ready, self.pods, pending, node.place, usage), caught_up=node.caught_up, left=left
            )
        if planner.acts(cluster):
            said, _ = documents.notes(
                {"data": report.status_document(cluster, planner.Decision(""), self.settings)}
            )
            peers, watch = said.peers or self.notes.peers, said.watch or self.notes.watch
            self.notes = replace(self.notes, peers=peers, watch=watch)

    def _carry_out(self, node: Node, decision: planner.Decision) -> bool:
        self.said[node.number] = decision
        done = False
        for step in decision.steps:
            if isinstance(step, do.Wait):
                continue
            if self.chance() < 0.05:
                return True  # the actor dies here
            try:
                self._apply(node, step)
            except Refused as refusal:
                self.log.append(f"node {node.number} {decision.rule} {step} REFUSED {refusal}")
                node.memory.refused(step, self.gluster.now)
                return True
            self.log.append(f"node {node.number} {decision.rule} {step}")
            node.memory.done(step, self.gluster.now)
            done = True
        return done

    def _apply(self, node: Node, step: do.Action) -> None:
        match step:
            case (
                do.NoteHealth()
                | do.NoteUnproven()
                | do.NoteRebalance()
                | do.NoteBalanced()
                | do.NoteReplaced()
                | do.NoteOptions()
            ):
                self.notes = noted(self.notes, step)
            case do.HoldData(number, bricks):
                self.guarded[number] = replace(self.guarded[number], bricks=bricks)
            case do.ReleaseData(number, plan, _):
                if plan != (self.plan.named if self.plan else None):
                    raise Refused("the plan changed")
                self.guarded[number] = replace(self.guarded[number], bricks=frozenset())
            case do.ProbePeer():
                before = node.shared
                self.gluster.apply(node, step)
                if node.shared is not before and node.shared.volume is not None:
                    self._let_in_halfway(node)
            case do.GrantStart(number, asked):
                self.documents[number].data[str(MemberKey.START_GRANTED)] = asked
            case do.ReplaceBrick(_, _, new) if self.chance() < 0.2:
                self.gluster.apply(node, step)
                self.gluster.unmark(new)
                raise Refused("commit failed on the node of the new brick")
            case do.DeletePod(name, uid):
                for number, pod in self.pods.items():
                    if (pod.name, pod.uid) == (name, uid):
                        self.restart_pod(number)
                        return
                raise Refused("another pod stands there by now")
            case do.LiftFinalizer(number, plan, _):
                if plan != (self.plan.named if self.plan else None):
                    raise Refused("the plan changed")
                self._let_go(number)
            case do.HoldMember(number):
                self.documents[number].held = True
            case do.RemakeMember(number, leaves):
                self.add_node(number, spare=bool(self.plan and number in self.plan.spares))
                self.documents[number].terminating = leaves
            case _:
                self.gluster.apply(node, step)

    def _let_in_halfway(self, new: Node) -> None:
        """Some of those who knew it do not see its return to the end (seen on 11.1)."""
        for other in self.gluster.connected(new):
            if other is not new and self.whim() < 0.3:
                other.halfway.add(new.number)

    def _let_go(self, number: int) -> None:
        """The stack takes controller and disk of a node that is not wanted."""
        document = self.documents.get(number)
        if document is None or not document.terminating:
            return
        del self.documents[number]
        if self.plan is None or number not in self.plan.nodes | self.plan.spares:
            assert not self.guarded[number].bricks, "Pulumi would meet the guard"
            del self.gluster.nodes[number], self.pods[number], self.guarded[number]


def _judged(task: Task | None, failures: int) -> Task | None:
    return replace(task, failures=failures) if task and task.state is TaskState.DONE else task

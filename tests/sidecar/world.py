"""A storage cluster that obeys: what each action does to the pool when nothing goes wrong.

Enough of glusterd to carry a plan to its end: peers, one volume, bricks, removal and rebalance.
What it does not imitate: refusals, delays, data. It asserts what glusterd would refuse.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.contract import MemberState, format_nodes, host_name
from gluster_sidecar.model import (
    Blame,
    Brick,
    Cluster,
    Guarded,
    Member,
    Notes,
    Own,
    Peer,
    Plan,
    Pod,
    Pool,
    Task,
    TaskState,
    Volume,
)
from gluster_sidecar.settings import Settings

from tests.sidecar.notes import noted

NAMESPACE = "default"
WATCH = "1@now"
START = datetime(2026, 1, 1, tzinfo=UTC)


def host(node: int) -> str:
    return host_name(node, NAMESPACE)


def process(node: int) -> str:
    """Of its brick, which nobody ever restarts here."""
    return f"7{node}.1"


def brick(node: int) -> str:
    return f"{host(node)}:/data/brick"


@dataclass
class World:
    """Mutable on purpose: it stands for the world outside of the planner."""

    settings: Settings = field(default_factory=Settings)
    pods: dict[int, Pod] = field(default_factory=dict)
    living: set[int] = field(default_factory=set)
    terminating: set[int] = field(default_factory=set)
    unheld: set[int] = field(default_factory=set)
    controllers: dict[int, Guarded] = field(default_factory=dict)
    claims: dict[int, Guarded] = field(default_factory=dict)
    left: dict[int, dict[str, tuple[int, tuple[str, ...]]] | None] = field(default_factory=dict)
    """What walks found on the disks of nodes that leave, where it is not nothing."""
    plan: Plan | None = None
    notes: Notes = field(default_factory=Notes)
    peers: set[int] = field(default_factory=set)
    """Nodes in the pool, the actor included, once anything was probed."""
    volume: Volume | None = None
    heals: int | None = 0
    clients: dict[str, dict[str, int]] | None = field(default_factory=dict)
    """As `Volume.clients`."""
    late_since: datetime | None = None
    down: set[int] = field(default_factory=set)
    """Nodes whose brick does not run."""
    away: set[int] = field(default_factory=set)
    """Nodes whose glusterd does not answer either."""
    spares: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    """Nodes whose bricks are not on their disks."""
    words: dict[int, int | None] = field(default_factory=dict)
    """What nodes said last that others of their set lack."""
    blames: dict[int, dict[str, Blame]] = field(default_factory=dict)
    """What nodes reported last of the other bricks of their sets."""
    overrides: dict[int, str] = field(default_factory=dict)
    """What an operator wrote on their objects."""
    caught_up: dict[int, str] = field(default_factory=dict)
    """In which watch they said last that they have caught up, where it is not the actor's own."""
    places: dict[int, str] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    free: dict[int, int] = field(default_factory=dict)
    grace: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    template: str = ""
    now: datetime = START
    done: list[do.Step] = field(default_factory=list)
    tasks: int = 0

    def add_nodes(self, *nodes: int, seconds: int = 0) -> None:
        for node in nodes:
            self.pods[node] = Pod(
                node=node,
                name=f"gluster-{node}-x",
                created=START + timedelta(seconds=seconds),
                address=f"10.0.0.{node}",
                running=True,
                ready=True,
                terminating=False,
                template=self.template,
            )
            self.living.add(node)
            self.controllers[node] = Guarded(template=self.template)
            self.claims[node] = Guarded()

    def retemplate(self, template: str) -> None:
        """As `pulumi up`: the controllers change before the plan does, and keep their pods."""
        self.template = template
        self.controllers = {n: replace(c, template=template) for n, c in self.controllers.items()}

    def want(self, *nodes: int) -> None:
        """As `pulumi up`: new members first, then the plan, then the deletions."""
        self.plan = Plan(
            frozenset(nodes),
            spares=frozenset(self.spares),
            template=self.template,
            options=self.options,
            grace_seconds=self.grace,
            mark=f"{format_nodes(nodes)}@x",
        )
        gone = self.living - set(nodes) - self.spares
        self.living -= gone
        self.terminating |= gone

    def cluster(self, me: int, *, holds_lease: bool = True) -> Cluster:
        in_pool = self.peers if me in self.peers else set()
        peers = {
            host(n): Peer(host(n), f"uuid-{n}", connected=n not in self.away, in_cluster=True)
            for n in sorted(in_pool - {me})
        }
        bricks = self.volume.bricks if self.volume else ()
        with_bricks = {b.node for b in bricks}
        members = {}
        for node in sorted(self.living | self.terminating):
            state = MemberState.WAITING if node not in self.peers else MemberState.PEER
            members[node] = Member(
                node=node,
                terminating=node in self.terminating,
                held=node not in self.unheld,
                joined=node in with_bricks and bool(self.volume and self.volume.started),
                state=MemberState.JOINED if node in with_bricks else state,
                uuid=f"uuid-{node}",
                brick=next((b.id for b in bricks if b.node == node), ""),
                process="" if node in self.down or node not in with_bricks else process(node),
                blames=self.blames.get(node, {}),
                override=self.overrides.get(node, ""),
                place=self.places.get(node, "/data/brick"),
                knows=frozenset(self.pods),
                spare=node in self.spares,
                lost=frozenset(b.id for b in bricks if b.node == node and node in self.lost),
                heals=self.words.get(node, 0),
                caught_up=self.caught_up.get(node, WATCH),
                used=self.used.get(node, 1 << 30),
                free=self.free.get(node, 9 << 30),
                left=None if node in with_bricks else self.left.get(node, {}),
            )
        volume = self.volume if me in self.peers or len(self.peers) == 0 else None
        if volume is not None and volume.started:
            volume = replace(
                volume,
                detailed=True,
                clients=self.clients,
                pending={b.id: None if b.node in self.down else self.heals for b in volume.bricks},
                bricks=tuple(replace(b, online=b.node not in self.down) for b in volume.bricks),
            )
        cluster = Cluster(
            at=self.now,
            me=me,
            namespace=NAMESPACE,
            pods=tuple(self.pods.values()),
            members=members,
            plan=self.plan,
            notes=self.notes,
            pool=Pool(f"uuid-{me}", peers, volume, True),
            holds_lease=holds_lease,
            own=Own(watch=WATCH, clients_late_since=self.late_since),
            controllers=dict(self.controllers),
            claims=dict(self.claims),
        )
        if planner.needs_heals(cluster) or volume is None:
            return cluster
        unasked = replace(volume, pending={})
        return replace(cluster, pool=replace(cluster.pool or Pool("", {}, None), volume=unasked))

    def decide(self) -> planner.Decision:
        """What the node that acts would do now, once it has written down what it saw."""
        anyone = next(iter(self.pods))
        actor = self.cluster(anyone).server1
        assert actor is not None
        self.actor = actor
        decision = planner.plan(self.cluster(actor), self.settings)
        if decision.rule == "note_health":
            for step in decision.steps:
                self.apply(step)
            return planner.plan(self.cluster(actor), self.settings)
        return decision

    def run(self, cycles: int = 60, *, cut_after: int | None = None) -> str:
        """Cycles until nothing changes; the last rule. `cut_after`: steps carried out of each plan."""
        for _ in range(cycles):
            decision = self.decide()
            steps = [s for s in decision.steps if not isinstance(s, do.Wait)]
            for step in steps[:cut_after]:
                self.apply(step)
            moved = self.pass_time()
            if not steps and not moved:
                return decision.rule + (f": {decision.waits_for}" if decision.waits_for else "")
        raise AssertionError(f"did not come to rest; last: {decision}")

    def pass_time(self) -> bool:
        """What glusterd's own daemons do meanwhile."""
        moved = False
        if self.volume:
            for name in ("rebalance", "removal"):
                task = getattr(self.volume, name)
                if task and task.state is TaskState.RUNNING:
                    self.volume = replace(
                        self.volume, **{name: replace(task, state=TaskState.DONE, failures=0)}
                    )
                    moved = True
        return moved

    def _task(self, bricks: tuple[str, ...] = ()) -> Task:
        self.tasks += 1
        return Task(f"task-{self.tasks}", TaskState.RUNNING, bricks, None)

    def apply(self, step: do.Step) -> None:
        self.done.append(step)
        volume = self.volume
        match step:
            case do.ProbePeer(name):
                assert name not in {host(n) for n in self.peers}
                self.peers |= {self.actor, *(n for n in self.pods if host(n) == name)}
            case do.DetachPeer(name, _):
                assert volume is None or name not in {b.host for b in volume.bricks}
                self.peers -= {n for n in self.pods if host(n) == name}
            case do.CreateVolume(name, replica, bricks, arbiter):
                assert volume is None
                assert len(bricks) % replica == 0
                self.peers |= {self.actor}
                self.volume = Volume(name, False, replica, tuple(self._brick(b) for b in bricks), arbiter)
            case _:
                self._apply_to_objects(step) if volume is None else self._apply_to_volume(step, volume)

    def _brick(self, text: str) -> Brick:
        name, _, path = text.partition(":")
        node = next(n for n in self.peers if host(n) == name)
        assert path in self.controllers[node].bricks & self.claims[node].bricks, "made before it is guarded"
        return Brick(name, path)

    def _apply_to_volume(self, step: do.Step, volume: Volume) -> None:
        match step:
            case do.SetOption(_, key, value):
                self.volume = replace(volume, options={**volume.options, key: value})
            case do.ResetOption(_, key):
                kept = {name: value for name, value in volume.options.items() if name != key}
                self.volume = replace(volume, options=kept)
            case do.StartVolume():
                self.volume = replace(volume, started=True)
            case do.AddBricks(_, bricks):
                assert not (volume.rebalance and volume.rebalance.state is TaskState.RUNNING)
                assert volume.removal is None
                assert len(bricks) % volume.replica == 0
                self.volume = replace(volume, bricks=volume.bricks + tuple(self._brick(b) for b in bricks))
            case do.ReplaceBrick(_, old, new):
                assert volume.removal is None
                self.volume = replace(
                    volume, bricks=tuple(self._brick(new) if b.id == old else b for b in volume.bricks)
                )
                self.lost -= {n for n in self.lost if old.startswith(f"{host(n)}:")}
            case do.StopRebalance():
                assert volume.rebalance
                self.volume = replace(volume, rebalance=replace(volume.rebalance, state=TaskState.STOPPED))
            case do.LaunchHeal():
                pass
            case do.StartRebalance():
                assert volume.removal is None
                self.volume = replace(volume, rebalance=self._task())
            case do.StartRemoval(_, bricks):
                assert len(bricks) < len(volume.bricks)
                self.volume = replace(volume, removal=self._task(bricks))
            case do.StopRemoval():
                self.volume = replace(volume, removal=None)
            case do.CommitRemoval(_, bricks):
                assert volume.removal is not None
                assert volume.removal.state is TaskState.DONE
                left = tuple(b for b in volume.bricks if b.id not in bricks)
                self.volume = replace(volume, bricks=left, removal=None)
            case _:
                self._apply_to_objects(step)

    def _apply_to_objects(self, step: do.Step) -> None:
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
            case do.DeletePod(name, _):
                (old,) = [p for p in self.pods.values() if p.name == name]
                template = self.controllers[old.node].template
                self.pods[old.node] = replace(old, name=f"{name}y", created=self.now, template=template)
            case do.HoldData(node, bricks):
                self._guard(node, bricks)
            case do.FreeVolume(node):
                self.claims[node] = replace(self.claims[node], released=False)
            case do.ReleaseData(node, plan, _):
                assert plan == (self.plan.named if self.plan else None)
                self._guard(node, frozenset())
            case do.LiftFinalizer(node, plan, _):
                assert plan == (self.plan.named if self.plan else None)
                assert node in self.terminating
                self.terminating.discard(node)
            case do.RemakeMember(node, leaves):
                (self.terminating if leaves else self.living).add(node)
            case do.ForgetMember(node):
                assert node not in self.controllers.keys() | self.claims.keys()
                self.living.discard(node)
                self.terminating.add(node)
            case do.HoldMember(node):
                self.unheld.discard(node)
            case _:
                raise AssertionError(f"{step} at the wrong time")

    def _guard(self, node: int, bricks: frozenset[str]) -> None:
        for objects in (self.controllers, self.claims):
            if node in objects:
                objects[node] = replace(objects[node], bricks=bricks)

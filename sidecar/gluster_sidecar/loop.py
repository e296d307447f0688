"""The loop: look, report, decide, do. Each cycle starts from what is seen, not from what was done."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from . import disk, hosts, metrics, parse, planner, report, rest, trouble
from .actions import Action, Note, Wait
from .contract import PLAN_NAME, SETTLED_NAME, STATUS_NAME, MemberKey, endpoint_slice_name, member_name
from .errors import ActionError, ApiError, Conflict, ObservationError, SidecarError
from .events import Events
from .execute import Executor
from .health import Health
from .kubernetes import Api, Object
from .lease import Keeper, Lease
from .memory import Lasting, Memory
from .model import Cluster
from .observe import Observer, Seen
from .planner.gates import entries_missing
from .run_files import START_FILE, put
from .settings import Settings
from .wording import words

log = logging.getLogger(__name__)

SETTLE_STEP_SECONDS: Final = 0.05
SETTLE_MOST_SECONDS: Final = 0.5
"""The wait before the next look after one that led to nothing grows by a step with every change that comes,
so that a few are seen at once and many of them are few looks."""
WALK_SECONDS: Final = 60.0
"""Between two walks through the bricks of a node that leaves: somebody may have taken away what was left."""
QUIET_SECONDS: Final = 1.0
"""So long without a change, and that wait is one step again."""


@dataclass(slots=True)
class Loop:
    settings: Settings
    observer: Observer
    executor: Executor
    api: Api
    lease: Lease
    health: Health
    events: Events
    start_file: Path = Path(START_FILE)
    wake: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic
    _caught_up: str = ""
    """The process of its brick that has caught up, if any (`Own.processes`)."""
    _memory: Memory = field(default_factory=Memory)
    _rest: rest.Rest | None = None
    _settle: float = SETTLE_STEP_SECONDS
    _said: str = ""
    _troubles: Lasting = field(default_factory=Lasting)
    _versioned: tuple[disk.FileMark | None, str] = None, ""
    """glusterd's operating version, and what its file was like then."""
    _walked: tuple[float, str, dict[str, tuple[int, list[str]]] | None] | None = None
    """When, under which version of the plan, and what it found."""
    _ended: tuple[str, ...] | None = None
    """What the daemon had ended when this sidecar looked last; None before its first look."""
    _observes: bool = True
    """The last cycle did not fail to see the cluster."""
    _failed: str = ""
    """What went wrong with the last step of the cluster; told, never decided on."""

    def run(self) -> None:
        """Until `stop` is set. Errors of the world end a cycle; a bug ends the process."""
        keeper = Keeper(self.lease, self.clock, self._may_keep_lease)
        keeper.start(self.stop)
        while not self.stop.is_set():
            keeper.check()
            self.wake.clear()
            started = self.clock()
            seconds, ended = self._turn()
            self.health.turned_at = time.monotonic()
            took = {"cycle_seconds": self.clock() - started}
            self.health.gauges = {**self.health.gauges, **took}
            self.health.tally["cycles_total"] += 1
            if seconds:
                self._pause(seconds, ended)
        try:
            self.lease.release(self.clock())
        except ApiError as error:
            log.warning("the lease was not released: %s", error)

    def _may_keep_lease(self) -> bool:
        return self._observes and self.health.is_fresh()

    def _turn(self) -> tuple[float, threading.Event]:
        """One cycle; the seconds until the next, and what ends them early."""
        try:
            acted = self.cycle()
            self._observes = True
            if acted:
                return 0, self.wake  # what came of it is what to look at
        except Conflict as conflict:
            log.info("somebody else wrote first, looks again: %s", conflict)
            self._settle = SETTLE_STEP_SECONDS
        except SidecarError as error:
            log.warning("cycle failed: %s", error)
            self.health.tally["cycles_failed_total"] += 1
            self._observes = isinstance(error, ActionError)
            if isinstance(error, ObservationError):
                self.health.readiness = report.Readiness(False, str(error))
            # A command that was refused may have left traces that are reported, and would wake this at once.
            return self.settings.unhealthy_seconds, self.stop if isinstance(error, ActionError) else self.wake
        return self.settings.sleep_seconds, self.wake

    def _pause(self, seconds: float, ended: threading.Event) -> None:
        self.stop.wait(self._settle)
        since = self.clock()
        ended.wait(seconds)
        quiet = self.clock() - since >= QUIET_SECONDS
        self._settle = min((0 if quiet else self._settle) + SETTLE_STEP_SECONDS, SETTLE_MOST_SECONDS)

    def request_stop(self) -> None:
        self.stop.set()
        self.wake.set()

    def cycle(self) -> bool:
        """One look and what follows from it; True if something was done, so looking again pays."""
        known, self._rest = self._rest, None  # an error ends a rest, too: it is to be told when it is over
        began, mark = self.clock(), self.observer.mark()
        if known and known.lasts(began, mark) and self._hold(known.rank) == known.acts:
            self._rest = known
            return False
        seen = self.observer.look(self.lease.held(self.clock()))
        if self._hold(seen.cluster.rank) != seen.cluster.holds_lease:
            seen = self.observer.look(self.lease.held(self.clock()))
        seen = replace(seen, cluster=self._memory.added_to(seen.cluster))
        cluster = seen.cluster
        own, decision = planner.plan_own(cluster, self.settings), planner.plan(cluster, self.settings)
        done = self._follow(seen, own, decision)
        if mark is not None and rest.is_calm(cluster, (own, decision)) and self._troubles.all_told:
            self._rest = rest.Rest(began, mark, planner.acts(cluster), cluster.rank)
        return done

    def _follow(self, seen: Seen, own: planner.Decision, decision: planner.Decision) -> bool:
        """Reports what was seen and does what was decided; True if something was done."""
        cluster = seen.cluster
        known = report.addresses(cluster)
        if hosts.write(known, cluster.namespace):
            log.info("hosts file: %s", ", ".join(f"{n}={a}" for n, a in sorted(known.items())))
        self._let_glusterd_start(cluster, cluster.me in known)
        ready, pending = self._report_own(seen)
        self._say_ended(seen)
        acted = False
        for step in own.steps:
            if not isinstance(step, Wait):
                self._announce(seen, cluster.me, own.rule, words(step))
                self._apply(step)
                acted = True
        self._say(seen, decision)
        self.health.gauges = metrics.of(cluster, (own, decision), ready, pending)
        if planner.acts(cluster):
            self._report_cluster(seen, decision)
            self._say_troubles(seen)
        # What it did for itself may be what the decision relies on: its own glusterd is about to end.
        return acted or self._carry_out(seen, decision)

    def _hold(self, rank: int | None) -> bool:
        """Whether this node has the lease, once it has done about it what is right for its rank."""
        if rank == 0:
            return self.lease.contend(self.clock())
        self.lease.release(self.clock())  # an older node is fit again
        if rank == 1:
            self.lease.watch(self.clock())
        return False

    def _let_glusterd_start(self, cluster: Cluster, addressed: bool) -> None:
        if self.start_file.exists() or not addressed:
            return
        member = cluster.members.get(cluster.me)
        uuid, version = (member.uuid, member.op_version) if member else (None, None)
        put(self.start_file, json.dumps({MemberKey.UUID: uuid, MemberKey.OP_VERSION: version}))

    def _report_own(self, seen: Seen) -> tuple[report.Readiness, int | None]:
        cluster = seen.cluster
        ready = report.readiness(cluster, self._behind(cluster))
        self.health.readiness = ready
        brick = report.own_brick(cluster)
        pending = disk.pending_heals(brick.path) if brick else None
        name = member_name(cluster.me)
        if name in seen.documents:
            place = disk.next_brick(self.settings.disk, {brick.path} if brick else ())
            usage = disk.usage(self.settings.disk)
            known = report.addresses(cluster).keys()
            version = self._op_version() if cluster.pool else ""
            caught_up = bool(self._caught_up)
            data = report.own_member(
                *(cluster, ready, known, pending, place, usage),
                caught_up=caught_up,
                op_version=version,
                left=self._walk(cluster),
            )
            self._write(seen.documents[name], data)
        return ready, pending

    def _walk(self, cluster: Cluster) -> dict[str, tuple[int, list[str]]] | None:
        """What is left in the bricks of this node when it leaves; None while that is not to be known."""
        present = disk.file_system_at(self.observer.mountinfo.read_text(), self.settings.disk)
        pool, version = cluster.pool, cluster.plan.version if cluster.plan else ""
        leaves = cluster.me in cluster.leaving and cluster.me not in cluster.notes.peers
        # An outcast's brick may run, but nobody writes to it: the volume's clients know another one.
        serves = pool is None or (pool.brick_running and not cluster.outcast)
        if not leaves or serves or cluster.own.problem or not present:
            self._walked = None
        elif not self._walked or version != self._walked[1] or self.clock() - self._walked[0] > WALK_SECONDS:
            self._walked = self.clock(), version, disk.walk(self.settings.disk)
        return self._walked[2] if self._walked else None

    def _op_version(self) -> str:
        """Of this node's glusterd, asked again when the file that keeps it has changed; empty if it does
        not say."""
        mark = disk.mark(f"{self.settings.disk}/glusterd/glusterd.info")
        if mark != self._versioned[0]:
            try:
                answer = self.executor.gluster.ask("volume", "get", "all", "cluster.op-version")
                self._versioned = mark, parse.op_version(answer)
            except (ActionError, ObservationError) as error:
                log.info("the operating version is not known yet: %s", error)
                return ""
        return self._versioned[1]

    def _behind(self, cluster: Cluster) -> int | None:
        """Entries that this node's brick lacks; None: not known.

        What it has it keeps while nobody says otherwise: also while its glusterd does not answer, and when
        whoever could say it is gone.
        """
        pool, processes = cluster.pool, cluster.own.processes
        if self._caught_up not in processes.values():
            self._caught_up = ""
        if pool is None:
            return None
        brick = report.own_brick(cluster)
        if brick is None or not pool.brick_running or brick.id in cluster.notes.unproven:
            self._caught_up = ""
            return None
        behind = entries_missing(cluster, brick)
        if behind is None:
            return 0 if self._caught_up else None
        self._caught_up = "" if behind else processes.get(brick.path, "")
        return behind

    def _report_cluster(self, seen: Seen, decision: planner.Decision) -> None:
        cluster = seen.cluster
        for name, data in (
            (SETTLED_NAME, report.settled_document(cluster, decision, self._failed)),
            (STATUS_NAME, report.status_document(cluster, decision, self.settings)),
            *(
                (member_name(node), report.member_order(cluster, decision, node))
                for node in sorted(cluster.members)
                if node != cluster.me  # its own object may have been written in this very cycle
            ),
        ):
            if data and name in seen.documents:
                self._write(seen.documents[name], data)
        self._write_endpoints(cluster)

    def _write(self, document: Object, data: dict[str, str]) -> None:
        """Merges what differs, as a compare-and-swap: never over what was not seen."""
        held = document.get("data") or {}
        changed = {key: value for key, value in data.items() if held.get(key) != value}
        if changed:
            meta = document["metadata"]
            path = f"/api/v1/namespaces/{self.settings.namespace}/configmaps/{meta['name']}"
            body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "data": changed}
            self.api.merge(path, body)

    def _write_endpoints(self, cluster: Cluster) -> None:
        path = (
            f"/apis/discovery.k8s.io/v1/namespaces/{self.settings.namespace}/endpointslices/"
            f"{endpoint_slice_name(self.settings.cluster_name)}"
        )
        try:
            document = self.api.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return  # the stack has not made it yet, or took it away
        wanted = report.endpoints(cluster)
        now = [
            {"addresses": e["addresses"], "conditions": {"ready": (e.get("conditions") or {}).get("ready")}}
            for e in document.get("endpoints") or ()
        ]
        if now != wanted:
            self.api.merge(path, {"endpoints": wanted})

    def _carry_out(self, seen: Seen, decision: planner.Decision) -> bool:
        done = False
        for step in decision.steps:
            if isinstance(step, Wait):
                continue
            if not self.lease.held(self.clock()):
                raise ActionError(f"the lease ran out before this: {words(step)}")
            try:
                self._apply(step)
            except ActionError as error:
                self._failed = str(error)
                self._memory.refused(step, seen.cluster.at)
                self._announce(seen, None, decision.rule, self._failed, warning=True)
                raise
            self._failed = ""
            self._memory.done(step, seen.cluster.at)
            if not isinstance(step, Note):
                self._announce(seen, None, decision.rule, words(step))
            done = True
            # A long command must not let the lease run out under the ones that follow.
            self.lease.contend(self.clock())
        return done

    def _apply(self, step: Action) -> None:
        self.health.tally["steps_total"] += 1
        self.executor.apply(step)

    def _say(self, seen: Seen, decision: planner.Decision) -> None:
        line = f"{decision.rule}: {decision.waits_for}" if decision.waits_for else decision.rule
        if line == self._said:
            return
        log.info("rule %s", line)
        self._said = line
        if decision.waits_for and planner.acts(seen.cluster):
            self._announce(seen, None, decision.rule, decision.waits_for)

    def _say_ended(self, seen: Seen) -> None:
        ended = seen.cluster.own.service.ended
        before = ended if self._ended is None else self._ended
        for line in ended:
            if line not in before:
                self._announce(seen, seen.cluster.me, "hung", line, warning=True)
        self._ended = ended

    def _say_troubles(self, seen: Seen) -> None:
        for line in self._troubles.news(trouble.troubles(seen.cluster), self.clock()):
            log.warning("needs an operator: %s", line)
            self._announce(seen, None, "trouble", line, warning=True)

    def _announce(
        self, seen: Seen, node: int | None, rule: str, message: str, *, warning: bool = False
    ) -> None:
        """An event on a node's membership object, or on the plan: what people `describe` first.

        The plan comes last in a first `up`: until then it is the status that has them.
        """
        names = (PLAN_NAME, STATUS_NAME) if node is None else (member_name(node),)
        about = next((seen.documents[name] for name in names if name in seen.documents), None)
        if about is not None:
            self.events.post(about, rule, message, warning=warning)

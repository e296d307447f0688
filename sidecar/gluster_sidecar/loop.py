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

from . import disk, hosts, metrics, parse, planner, report, rest
from .actions import Action, NoteBalanced, NoteHealth, NoteRebalance, Wait
from .contract import PLAN_NAME, START_FILE, STATUS_NAME, endpoint_slice_name, member_name
from .errors import ActionError, ApiError, Conflict, ObservationError, SidecarError
from .events import Events
from .execute import Executor
from .health import Health
from .kubernetes import Api, Object
from .lease import Lease
from .memory import Lasting, Memory
from .model import Cluster
from .observe import Observer, Seen
from .settings import Settings

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 0.5
"""Between two cycles that did nothing at least, so that a burst of changes in Kubernetes is one look."""


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
    _caught_up: bool = False
    _memory: Memory = field(default_factory=Memory)
    _kept: rest.Kept | None = None
    _mark: rest.Mark | None = None
    """As it was before the last look."""
    _said: str = ""
    _troubles: Lasting = field(default_factory=Lasting)
    _failed: str = ""
    """What went wrong with the last step of the cluster; told, never decided on."""

    def run(self) -> None:
        """Until `stop` is set. Errors of the world end a cycle; a bug ends the process."""
        while not self.stop.is_set():
            self.wake.clear()
            started = self.clock()
            refused = False
            try:
                pause: float = 0 if self.cycle() else self.settings.sleep_seconds
            except Conflict as conflict:
                log.info("somebody else wrote first, looks again: %s", conflict)
                pause = SETTLE_SECONDS  # the watch tells soon what was written
            except SidecarError as error:
                log.warning("cycle failed: %s", error)
                self.health.tally["cycles_failed_total"] += 1
                if isinstance(error, ObservationError):
                    self.health.readiness = report.Readiness(False, str(error))
                pause, refused = self.settings.unhealthy_seconds, isinstance(error, ActionError)
            self.health.turned_at = time.monotonic()
            took = {"cycle_seconds": self.clock() - started}
            self.health.gauges = {**self.health.gauges, **took}
            self.health.tally["cycles_total"] += 1
            if pause:  # else something was done, and what comes of it is what to look at
                self.stop.wait(SETTLE_SECONDS)
            # A command that was refused may have left traces that are reported, and would wake this at once.
            (self.stop if refused else self.wake).wait(pause)
        try:
            self.lease.release(self.clock())
        except ApiError as error:
            log.warning("the lease was not released: %s", error)

    def request_stop(self) -> None:
        self.stop.set()
        self.wake.set()

    def cycle(self) -> bool:
        """One look and what follows from it; True if something was done, so looking again pays."""
        seen, kept = self._look()
        if self._contend(seen.cluster) != seen.cluster.holds_lease:
            seen, kept = self._look()
        seen = replace(seen, cluster=self._memory.added_to(seen.cluster, kept=kept))
        decided = self._decide(seen)
        if kept and any(not isinstance(step, Wait) for one in decided for step in one.steps):
            self._kept = None  # nothing is done on an old look
            return True
        return self._follow(seen, *decided)

    def _look(self) -> tuple[Seen, bool]:
        """The world, and whether what glusterd says of it is of an earlier look."""
        held, mark = self.lease.held(self.clock()), self.observer.mark()
        if mark is not None and self._kept is not None:
            seen = self.observer.look(held, self._kept.pool)
            if rest.stands(self._kept, mark, seen.cluster.at, planner.acts(seen.cluster)):
                return seen, True
        self._kept, self._mark = None, mark
        return self.observer.look(held), False

    def _decide(self, seen: Seen) -> tuple[planner.Decision, planner.Decision]:
        return planner.plan_own(seen.cluster, self.settings), planner.plan(seen.cluster, self.settings)

    def _follow(self, seen: Seen, own: planner.Decision, decision: planner.Decision) -> bool:
        """Reports what was seen and does what was decided; True if something was done."""
        cluster = seen.cluster
        known = report.addresses(cluster)
        if hosts.write(known, cluster.namespace):
            log.info("hosts file: %s", ", ".join(f"{n}={a}" for n, a in sorted(known.items())))
        self._let_glusterd_start(cluster, cluster.me in known)
        ready, pending = self._report_own(seen)
        for step in own.steps:
            if not isinstance(step, Wait):
                self._announce(seen, cluster.me, own.rule, str(step))
                self._apply(step)
        self._say(seen, decision)
        self.health.gauges = metrics.of(cluster, (own, decision), ready, pending)
        if planner.acts(cluster):
            self._report_cluster(seen, decision)
            self._say_troubles(seen)
        done = self._carry_out(seen, decision)
        if self._kept is None and self._mark is not None and rest.is_calm(cluster, (own, decision)):
            assert cluster.pool is not None
            self._kept = rest.Kept(cluster.at, cluster.pool, self._mark, planner.acts(cluster))
        return done

    def _contend(self, cluster: Cluster) -> bool:
        if cluster.me not in cluster.seniority:
            self.lease.release(self.clock())
            return False
        rank = cluster.seniority.index(cluster.me)
        if rank > 0 and self.lease.held(self.clock()):
            self.lease.release(self.clock())  # an older node is fit again
            return False
        return self.lease.contend(self.clock(), rank)

    def _let_glusterd_start(self, cluster: Cluster, addressed: bool) -> None:
        if self.start_file.exists() or not addressed:
            return
        member = cluster.members.get(cluster.me)
        self.start_file.parent.mkdir(exist_ok=True)
        draft = self.start_file.with_suffix(".new")
        draft.write_text(json.dumps({"uuid": member.uuid if member else None}))
        draft.rename(self.start_file)

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
            data = report.own_member(cluster, ready, known, pending, place, usage, caught_up=self._caught_up)
            self._write(seen.documents[name], data)
        return ready, pending

    def _behind(self, cluster: Cluster) -> int | None:
        """Entries this node's set waits to heal; asked only from a brick's start until it is whole."""
        pool = cluster.pool
        brick = report.own_brick(cluster)
        if pool is None or pool.volume is None or brick is None or not pool.brick_running:
            self._caught_up = False
            return None
        if self._caught_up:
            return 0
        own_set = next(one for one in pool.volume.sets if brick in one)
        try:
            words = ("volume", "heal", pool.volume.name, "info", "summary")
            counts = parse.heals(self.executor.gluster.ask(*words, seconds=60))
        except (ActionError, ObservationError) as error:
            log.info("heals are not known yet: %s", error)
            return None
        behind = report.behind(own_set, brick, counts)
        self._caught_up = behind == 0
        return behind

    def _report_cluster(self, seen: Seen, decision: planner.Decision) -> None:
        cluster = seen.cluster
        for name, data in (
            (PLAN_NAME, report.plan_document(cluster, decision, self._failed)),
            (STATUS_NAME, report.status_document(cluster, decision, self.settings)),
            *(
                (member_name(node), report.member_order(cluster, decision, node))
                for node in sorted(cluster.members)
                if node != cluster.me  # its own object may have been written in this very cycle
            ),
        ):
            if data and name in seen.documents:
                self._write(seen.documents[name], data)
        if self._kept is None:  # else what they follow from is as it was
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
                raise ActionError(f"the lease ran out before {step}: looks again")
            try:
                self._apply(step)
            except ActionError as error:
                self._failed = str(error)
                self._announce(seen, None, decision.rule, self._failed, warning=True)
                raise
            self._failed = ""
            if not isinstance(step, NoteHealth | NoteRebalance | NoteBalanced):
                self._announce(seen, None, decision.rule, str(step))
            done = True
            # A long command must not let the lease run out under the ones that follow.
            self.lease.contend(self.clock(), 0)
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

    def _say_troubles(self, seen: Seen) -> None:
        for trouble in self._troubles.news(report.troubles(seen.cluster), self.clock()):
            log.warning("for a person: %s", trouble)
            self._announce(seen, None, "trouble", trouble, warning=True)

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

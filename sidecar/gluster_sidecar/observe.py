"""Looks at Kubernetes and glusterd once and makes one frozen `Cluster` of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from . import disk, documents, evidence, parse, planner, rest, service
from .contract import PLAN_NAME, RUN_DIRECTORY, STATUS_NAME, host_name, volume_name
from .errors import ActionError, ObservationError
from .gluster import READ_SECONDS, Gluster
from .kubernetes import Mirror, Object
from .model import Cluster, Guarded, Own, Pool, Service, TaskState, Volume
from .planner.spread import awaits_spread, judges_rebalance
from .run_files import BLAMES_FILE, BRICKS_FILE, END_FILE, PROBLEM_FILE, RESTART_FILE, SERVICE_FILE
from .settings import Identity, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """The cluster, and the raw objects that reports are compared with before they are written."""

    cluster: Cluster
    documents: Mapping[str, Object]
    """Our ConfigMaps by name."""


@dataclass(frozen=True, slots=True)
class Observer:
    settings: Settings
    identity: Identity
    gluster: Gluster
    pods: Callable[[], list[Object]]
    documents: Callable[[], list[Object]]
    run_directory: Path = Path(RUN_DIRECTORY)
    mountinfo: Path = Path("/proc/self/mountinfo")
    controllers: Mirror | None = None
    claims: Mirror | None = None
    """Of the nodes. Followed from the first observation on in which this sidecar leads: nobody else reads
    them."""

    volume: Callable[[str], Object | None] = lambda name: None
    """A PersistentVolume by name; asked for only while a claim waits for it. None if it cannot be had."""
    blames: evidence.Blames = field(default_factory=evidence.Blames)

    def mark(self) -> rest.Mark | None:
        """What can be seen without a command; None if not even that. Raises ApiError."""
        on_disk = disk.marks(self.settings.disk)
        if on_disk is None:
            return None
        led = [mirror for mirror in (self.controllers, self.claims) if mirror and mirror.started]
        guarded = [item for mirror in led for item in mirror.known() or ()]
        metas = [item["metadata"] for item in (*self.pods(), *guarded)]
        objects = sorted((meta["name"], meta["resourceVersion"]) for meta in metas)
        documents = sorted(self.documents(), key=lambda item: str(item["metadata"]["name"]))
        notes = [daemon_note(self.run_directory, name) for name in (BRICKS_FILE, SERVICE_FILE, PROBLEM_FILE)]
        told = self._told()
        since = disk.mark(f"{self.run_directory}/glusterd.socket")  # made anew by each start of glusterd
        return (
            on_disk,
            self.mountinfo.read_text(),
            since,
            told and told.blamed,
            *notes,
            *objects,
            *map(rest.coordination, documents),
        )

    def look(self, holds_lease: bool) -> Seen:
        """Raises ApiError if Kubernetes is not known; a glusterd that does not answer is a value."""
        maps = {item["metadata"]["name"]: item for item in self.documents()}
        members, unreadable = documents.members(maps.values())
        try:
            plan = documents.plan(maps.get(PLAN_NAME))
        except documents.Unreadable as error:
            plan = documents.as_it_is(members)
            unreadable.insert(0, str(error))  # what `up` waits for is said first
        notes, wrong = documents.notes(maps.get(STATUS_NAME))
        cluster = Cluster(
            at=datetime.now(UTC),  # noqa: TID251
            me=self.identity.node,
            namespace=self.settings.namespace,
            pods=tuple(p for item in self.pods() if (p := documents.pod(item)) is not None),
            members=members,
            plan=plan,
            notes=notes,
            pool=None,
            holds_lease=holds_lease,
            unreadable=(*unreadable, *wrong),
        )
        # Before glusterd is asked: an answer after it is then one of the glusterd that was started.
        ending = self._restart_note().exists()
        # One that hangs would hold each question for as long as it may take.
        served = self._service()
        cluster = replace(cluster, pool=None if served.glusterd_silent else self._pool())
        cluster = replace(cluster, own=replace(self._own(cluster, served), ending=ending))
        told = self._told()
        blames = self.blames.of(cluster, told, self.gluster.volfile)
        unhealed = tuple(name for names in told.unhealed.values() for name in names) if told else ()
        cluster = replace(cluster, own=replace(cluster.own, blames=blames, unhealed=unhealed))
        if planner.acts(cluster):
            controllers, claims = _guarded(self.controllers), _guarded(self.claims)
            claims = claims and {n: self._bound(n, claim) for n, claim in claims.items()}
            cluster = self._with_details(replace(cluster, controllers=controllers, claims=claims))
        return Seen(cluster, maps)

    def _bound(self, node: int, claim: Guarded) -> Guarded:
        """With what its volume says, if it has yet to get one."""
        if not claim.released:
            return claim
        volume = self.volume(volume_name(node, self.settings.namespace)) or {}
        return replace(claim, released=(volume.get("status") or {}).get("phase") == "Released")

    def _pool(self) -> Pool | None:
        """What every sidecar asks of its own glusterd: local answers only, no lock in the pool."""
        try:
            answer = self.gluster.ask("pool", "list")
            uuid, peers = parse.own_uuid(answer), parse.peers(answer)
            volume = parse.volume(self.gluster.ask("volume", "info", "all"), self.settings.volume_name)
        except (ActionError, ObservationError) as error:
            log.warning("glusterd: %s", error)
            return None
        return Pool(uuid, peers, volume, self._own_brick_running(volume))

    def _own(self, cluster: Cluster, served: Service) -> Own:
        usage = disk.usage(self.settings.disk)
        problem = daemon_note(self.run_directory, PROBLEM_FILE)
        # The disk is visible only if it is mounted where it is expected; else nothing can be lost.
        present = problem is None and usage is not None
        return Own(
            problem=problem or "",
            lost=_lost(cluster) if present else frozenset(),
            processes=self._processes() or {},
            service=served,
            end_asked=daemon_note(self.run_directory, END_FILE) or "",
            writable=disk.writable(self.settings.disk, self.mountinfo.read_text()),
            restarted=self._restarted(),
        )

    def _service(self) -> Service:
        return service.parse_service(daemon_note(self.run_directory, SERVICE_FILE) or "")

    def _told(self) -> evidence.Told | None:
        return evidence.parse_told(daemon_note(self.run_directory, BLAMES_FILE) or "")

    def _restarted(self) -> datetime | None:
        asked = self._restart_note()
        times = [f.stat().st_mtime for f in (asked, asked.with_suffix(".done")) if f.exists()]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def _restart_note(self) -> Path:
        return self.run_directory / Path(RESTART_FILE).relative_to(RUN_DIRECTORY)

    def _own_brick_running(self, volume: Volume | None) -> bool | None:
        mine = volume.bricks_of(host_name(self.identity.node, self.settings.namespace)) if volume else ()
        running = self._processes()
        if not mine or running is None:
            return None
        return all(brick.path in running for brick in mine)

    def _processes(self) -> dict[str, str] | None:
        """As `Own.processes`; None if the daemon has not said yet."""
        said = daemon_note(self.run_directory, BRICKS_FILE)
        if said is None:
            return None
        lines = (line.partition(" ") for line in said.splitlines())
        return {path: process for process, _, path in lines if path}

    def _with_details(self, cluster: Cluster) -> Cluster:
        """What only the actor asks, for it takes the pool's lock: bricks, tasks, pending heals."""
        if cluster.pool is None or cluster.pool.volume is None or not cluster.pool.volume.started:
            return cluster
        volume = cluster.pool.volume
        try:
            status = self.gluster.ask("volume", "status", volume.name)
            volume = parse.with_status(volume, status)
            if volume.removal is not None and volume.removal.state is TaskState.DONE:
                words = ("volume", "remove-brick", volume.name, *volume.removal.bricks, "status")
                hosts = {brick.host for brick in volume.bricks if brick.id in volume.removal.bricks}
                state, failures = parse.removal_result(
                    self.gluster.ask(*words), hosts, cluster.host(cluster.me)
                )
                volume = replace(volume, removal=replace(volume.removal, state=state, failures=failures))
        except (ActionError, ObservationError) as error:
            log.warning("volume %s: %s", volume.name, error)
            return cluster
        volume = self._with_clients(cluster, self._with_failures(cluster, volume))
        cluster = replace(cluster, pool=replace(cluster.pool, volume=volume))
        if planner.needs_heals(cluster):
            volume = self._with_heals(volume)
            cluster = replace(cluster, pool=replace(cluster.pool or Pool("", {}, None), volume=volume))
        return cluster

    def _with_failures(self, cluster: Cluster, volume: Volume) -> Volume:
        """What came of the last rebalance, where that matters.

        Not known if glusterd does not say, which hides nothing else: a node may have forgotten its part
        ("Rebalance not started", seen on 11.1 soon after it joined), and the rebalance is begun again.
        """
        if volume.rebalance is None or not judges_rebalance(cluster, volume):
            return volume
        try:
            answer = self.gluster.ask("volume", "rebalance", volume.name, "status")
            hosts = {brick.host for brick in volume.bricks}
            state, failures = parse.rebalance_result(answer, hosts, cluster.host(cluster.me))
        except (ActionError, ObservationError) as error:
            log.warning("rebalance: %s", error)
            return volume
        return replace(volume, rebalance=replace(volume.rebalance, state=state, failures=failures))

    def _with_clients(self, cluster: Cluster, volume: Volume) -> Volume:
        """Unchanged, that is not known, if glusterd does not say."""
        if not awaits_spread(cluster, volume):
            return volume
        try:
            answer = self.gluster.ask("volume", "status", volume.name, "clients")
        except ActionError as error:
            log.warning("clients: %s", error)
            return volume
        return replace(volume, clients=parse.clients(answer))

    def _with_heals(self, volume: Volume) -> Volume:
        """Unchanged, that is not known, if glusterd does not say."""
        words = ("volume", "heal", volume.name, "info", "summary")
        try:
            answer = self.gluster.ask(*words, seconds=3 * READ_SECONDS)
        except (ActionError, ObservationError) as error:
            log.warning("heals: %s", error)
            return volume
        return replace(volume, pending=parse.heals(answer), split_brain=parse.split_brain(answer))


def _lost(cluster: Cluster) -> frozenset[str]:
    """As `Own.lost`; of what is noted in Kubernetes, while this node's glusterd does not know the volume."""
    mine = f"{cluster.host(cluster.me)}:"
    if cluster.pool and cluster.pool.volume:
        names = frozenset(brick.id for brick in cluster.pool.volume.bricks)
    else:
        names = cluster.notes.whole | cluster.notes.balanced
    return frozenset(n for n in names if n.startswith(mine) and disk.is_there(n.removeprefix(mine)) is False)


def daemon_note(run_directory: Path, name: str) -> str | None:
    """What the daemon left under that name of `contract`; None if nothing."""
    try:
        return (run_directory / Path(name).relative_to(RUN_DIRECTORY)).read_text().strip()
    except OSError:
        return None


def _guarded(mirror: Mirror | None) -> dict[int, Guarded] | None:
    items = mirror.known() if mirror else None
    return None if items is None else dict(filter(None, map(documents.guarded, items)))

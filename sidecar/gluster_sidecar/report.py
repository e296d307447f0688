"""What is said of a look: the data of our documents, the clients' addresses, readiness. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .actions import SetOption, trial
from .contract import MemberKey, MemberState, SettledKey, StatusKey, format_left, format_nodes, node_of_host
from .disk import Usage
from .documents import format_blames
from .model import Brick, Cluster, Plan, Pool, Volume
from .planner import Decision, guard
from .planner.gates import in_sync
from .planner.growth import taken_back
from .planner.look import in_a_pool, is_well, remember_a_volume
from .planner.own import start_asked
from .settings import Settings
from .trouble import troubles

NO_WATCH = "before any watch"
_ONLINE = {True: "online", False: "offline", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Readiness:
    ready: bool
    why: str


def shown(name: str) -> str:
    """A name as people see it, on one line: what cannot be printed is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def own_brick(cluster: Cluster) -> Brick | None:
    """None also for one in the volume as an outcast remembers it."""
    volume = cluster.pool.volume if cluster.pool and not cluster.outcast else None
    return next(iter(volume.bricks_of(cluster.host(cluster.me))), None) if volume else None


def readiness(cluster: Cluster, behind: int | None) -> Readiness:
    """Ready means: the machine may be taken away only if another copy is whole.

    `behind`: entries that its brick lacks; None: not known, which is not Ready either (law 4). Clients are
    sent to it all the same (`endpoints`). Nothing here depends on nodes that have no brick yet, or a first
    `pulumi up` would wait for itself.
    """
    if cluster.own.problem:
        return Readiness(False, cluster.own.problem)
    if cluster.own.writable is False:
        return Readiness(False, "its disk is read-only: see the machine's log")
    if cluster.own.service.disk:
        return Readiness(False, cluster.own.service.disk)
    if cluster.pool is None:
        return Readiness(False, "glusterd does not answer")
    if cluster.pool.blank and cluster.me in cluster.notes.peers and in_a_pool(cluster):
        return Readiness(False, "its disk is blank, but the pool knows it: it joins again")
    brick, volume = own_brick(cluster), cluster.pool.volume
    if cluster.outcast:
        return Readiness(True, "the one that acts does not have it as a peer: waits to be invited")
    if brick is None or volume is None or not volume.started:
        return Readiness(True, "waits to be invited" if brick is None else "waits for the volume to start")
    if cluster.own.lost:
        return Readiness(False, f"its brick {brick.id} is not on its disk: it waits for a new one")
    if brick.id in cluster.notes.unproven:
        return Readiness(False, f"its brick {brick.id} is in the volume in part only: it waits for a new one")
    if not cluster.pool.brick_running:
        return Readiness(False, f"its brick {brick.id} is not running")
    if brick.path in cluster.own.service.silent:
        return Readiness(False, f"its brick {brick.id} does not answer")
    if behind is None:
        return Readiness(False, f"nobody has told yet what its brick {brick.id} lacks")
    if behind:
        return Readiness(False, f"{behind} entries wait to be healed")
    return Readiness(True, f"serves {brick.id}")


def own_member(
    cluster: Cluster,
    ready: Readiness,
    known: Collection[int],
    pending: int | None,
    place: str | None,
    usage: Usage | None = None,
    *,
    caught_up: bool = False,
    op_version: str = "",
    left: Mapping[str, tuple[int, Sequence[str]]] | None = None,
) -> dict[str, str]:
    """The data this node writes into its own membership object. `left`: as `Member.left`.

    While glusterd does not answer, what it last said stands: unknown is not "gone" (law 4).
    """
    said = {
        MemberKey.WHY: ready.why,
        MemberKey.KNOWS: format_nodes(known),
        MemberKey.CAUGHT_UP: (cluster.notes.watch or NO_WATCH) if caught_up else "",
        MemberKey.UNHEALED: "\n".join(map(shown, cluster.own.unhealed)),
        MemberKey.PLACE: place or "",
        MemberKey.DISK: cluster.own.service.disk,
        MemberKey.LOST: " ".join(sorted(cluster.own.lost)),
        MemberKey.USED: str(usage.used) if usage else "",
        MemberKey.FREE: str(usage.free) if usage else "",
        MemberKey.INODES_USED: str(usage.inodes_used) if usage else "",
        MemberKey.INODES_FREE: str(usage.inodes_free) if usage else "",
        MemberKey.LEFT: "" if left is None else format_left(left),
        MemberKey.LEFT_PLAN: "" if left is None or cluster.plan is None else cluster.plan.version,
    }
    pool, brick = cluster.pool, own_brick(cluster)
    if brick is not None and not cluster.own.lost:
        said[MemberKey.PROCESS] = cluster.own.processes.get(brick.path, "")
        if cluster.own.blames is not None:
            said[MemberKey.BLAMES] = format_blames(cluster.own.blames)
    if pending is not None:
        said[MemberKey.HEALS] = str(pending)
    elif brick is not None and not cluster.own.lost:
        said[MemberKey.HEALS] = ""  # of a brick whose disk was lost, its last word stands
    if cluster.own.problem:
        said |= {MemberKey.STATE: MemberState.BLOCKED, MemberKey.JOINED: ready.why}
    if pool is None:
        member = cluster.members.get(cluster.me)
        if member and not member.joined:
            said[MemberKey.JOINED] = ready.why
        return {str(key): value for key, value in said.items()}
    serves = bool(brick and pool.volume and pool.volume.started and pool.brick_running)
    said |= {
        MemberKey.UUID: pool.uuid,
        MemberKey.BRICK: brick.id if brick else "",
        MemberKey.JOINED: "true" if serves else ready.why,
        MemberKey.STATE: _state(cluster, pool, brick),
    }
    if not cluster.own.ending:
        said[MemberKey.START_ASKED] = start_asked(cluster)
    if op_version:
        said[MemberKey.OP_VERSION] = op_version
    return {str(key): value for key, value in said.items()}


def _state(cluster: Cluster, pool: Pool, brick: Brick | None) -> MemberState:
    if brick is not None:
        return MemberState.DRAINING if cluster.me in cluster.leaving else MemberState.JOINED
    return MemberState.WAITING if pool.blank or cluster.outcast else MemberState.PEER


def settled_document(cluster: Cluster, decision: Decision, failed: str = "") -> dict[str, str]:
    """What the leader writes into the settled object: the plan's mark once the volume is as it asks, else
    why not yet. `failed`: what went wrong with the last step, if anything."""
    plan = cluster.plan
    if plan is None:
        return {}
    missing = "; ".join(_missing(cluster, plan))
    if not missing:
        return {str(SettledKey.PLAN): plan.mark, str(SettledKey.SETTLED): plan.mark}
    reasons = (missing, decision.waits_for, f"the last step failed: {failed}" if failed else "")
    return {str(SettledKey.PLAN): "", str(SettledKey.SETTLED): "; ".join(filter(None, reasons))}


def _missing(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """What the plan asks for and is not so yet, for a person."""
    if not plan.is_read:
        yield next(iter(cluster.unreadable), "the plan cannot be read")
    held = {n for n, m in cluster.members.items() if m.held}
    if lacking := plan.named - held:
        yield f"nodes {format_nodes(lacking)} have no membership object"
    volume = cluster.pool.volume if cluster.pool else None
    holders = {brick.node for brick in volume.bricks} if volume else set()
    if leaving := [node for node in sorted(cluster.unnamed) if why_stays(cluster, node)]:
        yield f"nodes {format_nodes(leaving)} leave: {why_stays(cluster, leaving[0])}"
    serving = {n for n in holders if n is not None and n in held and cluster.members[n].joined}
    if len(serving) < len(plan.nodes):
        idle = sorted(plan.nodes - serving)
        why = [f"node {n} {m.waits}" for n in idle if (m := cluster.members.get(n)) and m.waits]
        yield f"{len(serving)} of {len(plan.nodes)} bricks serve, nodes {format_nodes(idle)} do not" + (
            f": {why[0]}" if why else ""
        )
    if blank := [n for n in sorted(plan.spares & held) if cluster.members[n].uuid is None]:
        yield f"spares {format_nodes(blank)} have no glusterd yet"
    if volume and (other := [k for k, v in plan.options.items() if volume.options.get(k) != v]):
        tried = (SetOption(volume.name, key, plan.options[key]) for key in sorted(other))
        refused = [step.key for step in tried if trial(step) in cluster.own.resting]
        yield f"options {', '.join(sorted(other))} are not set yet" + (
            f", glusterd refuses {', '.join(refused)}" if refused else ""
        )
    # A machine that stays away holds no `up` once a spare has taken its place.
    stood_in_for = plan.nodes - holders if len(serving) >= len(plan.nodes) else frozenset[int]()
    if volume and (kept := taken_back(cluster, volume)):
        yield f"options {', '.join(kept)} were taken back and are not reset yet"
    yield from _pods_missing(cluster, plan, stood_in_for)


def _pods_missing(cluster: Cluster, plan: Plan, stood_in_for: Collection[int]) -> Iterator[str]:
    controllers, claims = cluster.controllers, cluster.claims
    if controllers is None or claims is None:
        yield "the controllers and claims of the nodes are not known yet"
        return
    for kind, there in (("controllers", controllers), ("claims", claims)):
        if gone := [node for node in sorted(plan.named) if node not in there or there[node].terminating]:
            yield f"{kind} of nodes {format_nodes(gone)} are not there: `pulumi up` creates them"
    marks = {node: controllers[node].template for node in sorted(plan.named & controllers.keys())}
    if plan.template and (late := [node for node, mark in marks.items() if mark != plan.template]):
        yield f"controllers of nodes {format_nodes(late)} do not have the plan's template yet"
    pods = {node: cluster.pod(node) for node in sorted(plan.named)}
    for node in stood_in_for:
        if (pod := pods[node]) is None or not pod.ready:
            del pods[node]
    if old := [node for node, pod in pods.items() if pod is None or cluster.outdated(pod)]:
        yield f"pods of nodes {format_nodes(old)} are of an older template"
    elif unready := [n for n, pod in pods.items() if pod is None or not pod.ready]:
        yield f"pods of nodes {format_nodes(unready)} are not ready"


def why_stays(cluster: Cluster, node: int) -> str:
    """Why a node that leaves may not go yet; empty if it may."""
    pool = cluster.pool
    if pool is None:
        return "glusterd on the leader's node does not answer"
    if pool.volume and any(brick.node == node for brick in pool.volume.bricks):
        return f"node {node} holds a brick of the volume"
    if cluster.host(node) in pool.peers:
        return f"node {node} is in the pool"
    kept = guard.why_kept(cluster, node, in_sync=in_sync(cluster))
    # Who waits for the mark deletes next, and is refused what is still guarded.
    return kept or ("its guard is about to be lifted" if cluster.may_hold(node) else "")


def member_order(cluster: Cluster, decision: Decision, node: int) -> dict[str, str]:
    """What the leader writes into a node's object: why what the stack asks of it is not done yet."""
    said = ""
    if node in cluster.leaving and (why := why_stays(cluster, node)):
        said = "; ".join(filter(None, (why, decision.waits_for)))
    elif cluster.members[node].terminating and cluster.plan and node in cluster.plan.named:
        said = "its deletion is pending, and the plan names it: it stays until a plan does not"
    return {str(MemberKey.ORDER): said}


def status_document(cluster: Cluster, decision: Decision, settings: Settings) -> dict[str, str]:
    """The whole cluster in one document, written by the actor."""
    volume = cluster.pool.volume if cluster.pool else None
    described = "none yet"
    if volume is not None:
        word = "started" if volume.started else "stopped"
        described = f"{word}, {len(volume.sets)} sets of {volume.replica}"
        if volume.replica != settings.replication:
            described += f" (replication {settings.replication} is set, but a volume keeps its kind)"
    bricks = "\n".join(
        f"{number} {brick.id} {_ONLINE[brick.online]}"
        for number, one in enumerate(volume.sets if volume else (), start=1)
        for brick in one
    )
    doing = decision.rule + (f": {decision.waits_for}" if decision.waits_for else "")
    return {
        str(StatusKey.ACTOR): str(cluster.me),
        str(StatusKey.VOLUME): f"{settings.volume_name}: {described}",
        str(StatusKey.BRICKS): bricks,
        str(StatusKey.DOING): doing,
        str(StatusKey.TROUBLE): "\n".join(troubles(cluster)),
        str(StatusKey.SPLIT_BRAIN): _split_brain(volume),
        **({str(StatusKey.WATCH): cluster.own.watch} if cluster.own.watch else {}),
        **_peers(cluster),
    }


def _split_brain(volume: Volume | None) -> str:
    return "" if volume is None or volume.split_brain is None else str(volume.split_brain)


def _peers(cluster: Cluster) -> dict[str, str]:
    """Left as it was while this glusterd does not answer or knows nobody: unknown is not "gone".

    Nor by one that knows no volume while others held one: it may have lost its disk and met another such.

    Without those that are about to be detached: written before that is done, or they would take
    themselves for nodes that lost their disks, and let each other into a pool of their own.
    """
    if cluster.pool is None or not cluster.pool.peers:
        return {}
    if cluster.pool.volume is None and remember_a_volume(cluster):
        return {}
    nodes = {node for host in cluster.pool.peers if (node := node_of_host(host)) is not None}
    volume = cluster.pool.volume
    holders = {brick.node for brick in volume.bricks} if volume else set()
    return {str(StatusKey.PEERS): format_nodes((nodes | {cluster.me}) - (cluster.leaving - holders))}


def endpoints(cluster: Cluster) -> list[dict[str, Any]]:
    """Where clients may fetch the volume file: members with a running brick only, whatever it lacks. The last
    copy of two is not Ready after a restart, and it serves."""
    pool = cluster.pool
    there = (
        {cluster.host(cluster.me), *(host for host, p in pool.peers.items() if is_well(p))} if pool else ()
    )
    bricks = pool.volume.bricks if pool and pool.volume else ()
    online = {brick.node for brick in bricks if brick.online and brick.host in there}
    found: list[dict[str, Any]] = []
    for node, member in sorted(cluster.members.items()):
        pod = cluster.pod(node)
        serves = member.joined and pod is not None and (pod.ready or node in online)
        if serves and pod is not None and pod.address:
            found.append({"addresses": [pod.address], "conditions": {"ready": True}})
    return found


def addresses(cluster: Cluster) -> Mapping[int, str]:
    """Node numbers and the addresses of their machines."""
    found = {}
    for node in sorted({pod.node for pod in cluster.pods}):
        pod = cluster.pod(node)
        if pod is not None and pod.address:
            found[node] = pod.address
    return found

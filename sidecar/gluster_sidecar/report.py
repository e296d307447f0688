"""What is said of a look: the data of our documents, the clients' addresses, readiness. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .contract import MemberKey, MemberState, PlanKey, StatusKey, format_nodes, node_of_host
from .disk import Usage
from .model import Brick, Cluster, Member, Plan, Pool, Volume
from .planner import Decision, in_a_pool, remember_a_volume, start_asked
from .settings import Settings

NO_WATCH = "before any watch"
_ONLINE = {True: "online", False: "offline", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Readiness:
    ready: bool
    why: str


def own_brick(cluster: Cluster) -> Brick | None:
    """None also for one in the volume as an outcast remembers it."""
    volume = cluster.pool.volume if cluster.pool and not cluster.outcast else None
    return next(iter(volume.bricks_of(cluster.host(cluster.me))), None) if volume else None


def behind(one: Iterable[Brick], brick: Brick, counts: Mapping[str, int | None]) -> int | None:
    """Entries that `brick` may lack, by the words of all others of its set; None unless all of them answer,
    for those that do would count what the silent one lacks as well."""
    found = [counts.get(other.id) for other in one if other != brick]
    known = [count for count in found if count is not None]
    return sum(known) if len(known) == len(found) else None


def readiness(cluster: Cluster, behind: int | None) -> Readiness:
    """Ready means: the machine may be taken away only if another copy is whole.

    `behind`: as above; while another copy is away, that one's pod is not ready, which protects this one.
    Never depends on quorum or on another node's arrival, or a first `pulumi up` would wait for itself.
    """
    if cluster.own.problem:
        return Readiness(False, cluster.own.problem)
    if cluster.own.writable is False:
        return Readiness(False, "its disk is read-only: see the machine's log")
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
) -> dict[str, str]:
    """The data this node writes into its own membership object.

    While glusterd does not answer, what it last said stands: unknown is not "gone" (law 4).
    """
    said = {
        MemberKey.WHY: ready.why,
        MemberKey.KNOWS: format_nodes(known),
        MemberKey.CAUGHT_UP: (cluster.notes.watch or NO_WATCH) if caught_up else "",
        MemberKey.PLACE: place or "",
        MemberKey.LOST: " ".join(sorted(cluster.own.lost)),
        MemberKey.USED: str(usage.used) if usage else "",
        MemberKey.FREE: str(usage.free) if usage else "",
    }
    pool, brick = cluster.pool, own_brick(cluster)
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


def plan_document(cluster: Cluster, decision: Decision, failed: str = "") -> dict[str, str]:
    """What the actor writes into the plan: the mark once the volume is as it asks, else why not yet.

    `failed`: what went wrong with the last step, if anything.
    """
    if cluster.plan is None:
        return {}
    missing = "; ".join(_missing(cluster, cluster.plan))
    reasons = (missing, decision.waits_for, f"the last step failed: {failed}" if failed else "")
    why = "; ".join(filter(None, reasons)) if missing else ""
    return {str(PlanKey.SETTLED): why or cluster.plan.mark, str(PlanKey.WHY): why}


def _missing(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """What the plan asks for and is not so yet, for a person."""
    wanted = plan.nodes | plan.spares
    living = {n for n, m in cluster.members.items() if m.held and not m.terminating}
    if gone := wanted - living:
        yield f"nodes {format_nodes(gone)} have no living membership object"
    volume = cluster.pool.volume if cluster.pool else None
    holders = {brick.node for brick in volume.bricks} if volume else set()
    # Not exactly as many: at a shrink Pulumi waits for the plan first and deletes the members after it.
    serving = {n for n in holders if n is not None and n in living and cluster.members[n].joined}
    if len(serving) < len(plan.nodes):
        idle = sorted(plan.nodes - serving)
        yield f"{len(serving)} of {len(plan.nodes)} bricks serve, nodes {format_nodes(idle)} do not"
    if volume and (other := [k for k, v in plan.options.items() if volume.options.get(k) != v]):
        yield f"options {', '.join(sorted(other))} are not set yet"
    pods = {node: cluster.pod(node) for node in living}
    if old := [node for node, pod in pods.items() if pod is None or cluster.outdated(pod)]:
        yield f"pods of nodes {format_nodes(old)} are of an older template"
    elif plan.template and (unready := [n for n, pod in pods.items() if pod is None or not pod.ready]):
        yield f"pods of nodes {format_nodes(unready)} are not ready"


def member_order(cluster: Cluster, decision: Decision, node: int) -> dict[str, str]:
    """What the actor writes into the object of a node that leaves: why it is not let go yet."""
    return {str(MemberKey.ORDER): decision.waits_for if node in cluster.leaving else ""}


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


def troubles(cluster: Cluster) -> list[str]:
    """What no sidecar may mend by itself, each with the way out (docs/failures.md)."""
    return list(_troubles(cluster))


def _troubles(cluster: Cluster) -> Iterator[str]:
    peers = cluster.pool.peers.values() if cluster.pool else ()
    volume = cluster.pool.volume if cluster.pool else None
    if rejected := sorted(peer.host for peer in peers if peer.connected and peer.rejected):
        yield (
            f"glusterd does not take {', '.join(rejected)} for members of the pool: what they have of it"
            " differs; see `gluster peer status` and the log of glusterd there"
        )
    if volume is not None and volume.split_brain:
        yield (
            f"{volume.split_brain} entries have no copy that is known to be right:"
            f" `gluster volume heal {volume.name} info split-brain`, and decide"
        )
    for node, member in sorted(cluster.members.items()):
        if member.state is MemberState.BLOCKED:
            yield f"node {node} is blocked: see its object"
        elif _is_full(member):
            yield f"the disk of node {node} is full: bigger disks, more nodes, or fewer files"


def _is_full(member: Member) -> bool:
    """The last hundredth of a disk is what glusterfs means to keep (storage.reserve). It was not seen to: on
    11.1 a brick takes writes until its file system refuses them, and its set goes on with the others."""
    return None not in (member.used, member.free) and 100 * (member.free or 0) <= (member.used or 0)


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
    """Where clients may fetch the volume file: members with a running brick only."""
    found: list[dict[str, Any]] = []
    for node, member in sorted(cluster.members.items()):
        pod = cluster.pod(node)
        if member.joined and pod is not None and pod.ready and pod.address:
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

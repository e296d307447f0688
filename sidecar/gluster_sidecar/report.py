"""What is said of a look: the data of our documents, the clients' addresses, readiness. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .contract import MemberKey, MemberState, PlanKey, StatusKey, format_nodes
from .model import Brick, Cluster, Pool
from .planner import Decision
from .settings import Settings

_ONLINE = {True: "online", False: "offline", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Readiness:
    ready: bool
    why: str


def own_brick(cluster: Cluster) -> Brick | None:
    volume = cluster.pool.volume if cluster.pool else None
    host = cluster.host(cluster.me)
    return next((brick for brick in volume.bricks if brick.host == host), None) if volume else None


def readiness(cluster: Cluster, behind: int | None) -> Readiness:
    """Ready means: the machine may be taken away only if another copy is whole.

    `behind`: entries that wait to be healed in this node's set as far as its other bricks answer;
    None when none of them does. Never depends on quorum or on another node's arrival, or a first
    `pulumi up` would wait for itself.
    """
    if cluster.pool is None:
        return Readiness(False, "glusterd does not answer")
    brick, volume = own_brick(cluster), cluster.pool.volume
    if brick is None or volume is None or not volume.started:
        return Readiness(True, "waits to be invited" if brick is None else "waits for the volume to start")
    if not cluster.pool.brick_running:
        return Readiness(False, f"its brick {brick.id} is not running")
    if behind:
        return Readiness(False, f"{behind} entries wait to be healed")
    return Readiness(True, f"serves {brick.id}")


def own_member(
    cluster: Cluster, ready: Readiness, known: Collection[int], pending: int | None, place: str | None
) -> dict[str, str]:
    """The data this node writes into its own membership object.

    While glusterd does not answer, what it last said stands: unknown is not "gone" (law 4).
    """
    said = {
        MemberKey.WHY: ready.why,
        MemberKey.KNOWS: format_nodes(known),
        MemberKey.HEALS: "" if pending is None else str(pending),
        MemberKey.PLACE: place or "",
    }
    pool = cluster.pool
    if pool is None:
        return {str(key): value for key, value in said.items()}
    brick = own_brick(cluster)
    serves = bool(brick and pool.volume and pool.volume.started and pool.brick_running)
    said |= {
        MemberKey.UUID: pool.uuid,
        MemberKey.BRICK: brick.id if brick else "",
        MemberKey.JOINED: "true" if serves else "false",
        MemberKey.STATE: _state(cluster, pool, brick),
    }
    return {str(key): value for key, value in said.items()}


def _state(cluster: Cluster, pool: Pool, brick: Brick | None) -> MemberState:
    if brick is not None:
        return MemberState.DRAINING if cluster.me in cluster.leaving else MemberState.JOINED
    return MemberState.WAITING if pool.blank else MemberState.PEER


def plan_document(cluster: Cluster, decision: Decision) -> dict[str, str]:
    """What the actor writes into the plan: `settled` once all wanted nodes serve, and why not yet."""
    if cluster.plan is None:
        return {}
    missing = sorted(node for node in cluster.plan.nodes if not _settled(cluster, node))
    why = f"nodes {format_nodes(missing)} do not serve yet" if missing else ""
    if missing and decision.waits_for:
        why += f"; {decision.waits_for}"
    return {
        str(PlanKey.SETTLED): "" if missing else cluster.plan.mark,
        str(PlanKey.WHY): why,
    }


def _settled(cluster: Cluster, node: int) -> bool:
    member = cluster.members.get(node)
    volume = cluster.pool.volume if cluster.pool else None
    in_volume = volume is not None and any(brick.node == node for brick in volume.bricks)
    return member is not None and member.joined and member.held and not member.terminating and in_volume


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
    }


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

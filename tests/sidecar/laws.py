"""The laws of design.md section 5 as a judgement over one decision, written from the laws, not the rules."""

from __future__ import annotations

from datetime import timedelta

from gluster_sidecar import actions as do
from gluster_sidecar import planner
from gluster_sidecar.model import Brick, Cluster, TaskState, Volume


def holds(cluster: Cluster, decision: planner.Decision) -> str:
    """The law that the decision breaks, as words; empty if none."""
    deeds = [step for step in decision.steps if not isinstance(step, do.Wait)]
    if deeds and not (cluster.holds_lease and cluster.server1 == cluster.me):
        return "acts without being the actor"
    volume = cluster.pool.volume if cluster.pool else None
    whole = set(cluster.notes.whole)
    for step in deeds:
        if broken := _broken(cluster, volume, whole, step):
            return f"{step}: {broken}"
        if isinstance(step, do.ReplaceBrick):
            whole.discard(step.old)  # what follows in the same plan has one copy less to rely on
    return ""


def _broken(cluster: Cluster, volume: Volume | None, whole: set[str], step: do.Action) -> str:
    match step:
        case do.ReplaceBrick(_, old, new):
            return _replacement(cluster, volume, whole, old, new)
        case do.StartRemoval(_, bricks):
            if not volume or not _all_up(volume):
                return "a brick is not known to be up"
            if volume.heals != 0:
                return "the pending heals are not known to be none"
            return "nothing would be left" if set(bricks) >= {b.id for b in volume.bricks} else _tasks(volume)
        case do.CommitRemoval():
            task = volume.removal if volume else None
            if not volume or not task or task.state is not TaskState.DONE or task.failures != 0:
                return "not all data is known to be moved"
            return "" if _all_up(volume) else "a brick is not known to be up"
        case do.DetachPeer(name, force):
            if volume and any(brick.host == name for brick in volume.bricks):
                return "it holds a brick"
            return "a brick is not known to be up" if force and volume and not _all_up(volume) else ""
        case do.LiftFinalizer(node, plan, _):
            if not cluster.members[node].terminating:
                return "it is not to be deleted"
            if plan is None and cluster.plan is None:
                return ""  # controller and claim stay guarded
            return _release(cluster, volume, node, plan)
        case do.ReleaseData(node, plan, _):
            return _release(cluster, volume, node, plan)
        case do.HoldData(node, bricks):
            kept = cluster.may_hold(node) <= bricks
            return "" if kept and not cluster.torn_down else "it forgets a brick, or guards what is torn down"
        case do.DeletePod(name, _):
            return _roll(cluster, volume, name)
        case do.CreateVolume():
            remembered = any(member.joined for member in cluster.members.values())
            return "a volume is known or remembered" if volume or remembered or cluster.notes.balanced else ""
        case _:
            return ""


def _replacement(cluster: Cluster, volume: Volume | None, whole: set[str], old: str, new: str) -> str:
    one = next((s for s in volume.sets if old in {b.id for b in s}), None) if volume else None
    if volume is None or one is None or cluster.pool is None:
        return "it is no brick"
    others = [brick for brick in one if brick.id != old]
    unproven = cluster.notes.unproven
    if not all(b.online is True and b.id not in unproven for b in others):
        return "another copy is not up, or not known to have been put into the volume to the end"
    if not _evident(cluster, volume, old, [b.id for b in others]):
        others = [b for b in others if not _is_taken(cluster, b)]
        if not all(b.id in whole for b in others):
            return "another copy is not known to be whole"
        words = [cluster.members[b.node or 0].caught_up for b in others if b.node in cluster.members]
        if len(words) < len(others) or not cluster.own.watch or not set(words) <= {cluster.own.watch}:
            return "another copy's node did not say in this watch that it has caught up"
    away = {n for n, since in cluster.notes.away.items() if cluster.at - since >= timedelta(minutes=1)}
    if any(member.starts_anew and node not in away for node, member in cluster.members.items()):
        return "a glusterd is started anew"
    if new in {b.id for b in volume.bricks}:
        return "the new brick is one already"
    if any(b.host == new.split(":")[0] for b in volume.bricks if b.id != old):
        return "two bricks on one node"
    peers = cluster.pool.peers.values()
    if 2 * (1 + sum(p.connected and p.in_cluster for p in peers)) <= 1 + len(peers):
        return "no quorum"
    gone = next(brick for brick in one if brick.id == old)
    leaves = gone.node in cluster.leaving and gone.online is True
    if gone.online is not False and not leaves and (gone.id not in unproven or gone.online is None):
        return "whether it is up is not known"
    return _tasks(volume) or _stays(cluster, gone, new, leaves=leaves)


def _is_taken(cluster: Cluster, brick: Brick) -> bool:
    member = cluster.members.get(brick.node or 0)
    return bool(member and member.process) and member.override == f"{brick.id} {member.process}"  # type: ignore[union-attr]


def _evident(cluster: Cluster, volume: Volume, old: str, others: list[str]) -> bool:
    """Nobody who could have taken a write without one of the others blames it."""
    by_brick = {member.brick: member for member in cluster.members.values() if member.brick}
    if volume.replica == 2:
        gone = by_brick.get(old)
        blame = gone.blames.get(others[0]) if gone and old in gone.lost else None
        return blame is not None and not blame.blamed
    for one in others:
        for other in others:
            if one != other:
                if not {one, other} <= by_brick.keys() or not by_brick[other].process:
                    return False
                blame = by_brick[one].blames.get(other)
                if blame is None or blame.blamed or blame.process != by_brick[other].process:
                    return False
    return volume.options.get("cluster.quorum-type", "auto") == "auto"


def _stays(cluster: Cluster, gone: Brick, new: str, *, leaves: bool) -> str:
    """A brick that is down for a moment is nobody's to replace."""
    member = cluster.members.get(gone.node or 0)
    if new.split(":")[0] == gone.host:
        empty = gone.id in cluster.notes.unproven or (member and gone.id in member.lost)
        return "" if empty else "neither did its node say that this brick is lost, nor is it unproven"
    return "" if leaves or gone.node in cluster.notes.away else "it has not been away"


def _release(cluster: Cluster, volume: Volume | None, node: int, plan: frozenset[int] | None) -> str:
    if plan != (cluster.plan.named if cluster.plan else None):
        return "another plan than the one that was seen"
    if cluster.plan is None:
        # A member without controller and claim is left over from a Pulumi that was killed.
        held = (cluster.controllers or {}).keys() | (cluster.claims or {}).keys()
        known = cluster.controllers is not None and cluster.claims is not None
        lives = [n for n, m in cluster.members.items() if not m.terminating and (n in held or not known)]
        return "a member lives" if lives else ""
    if node in cluster.plan.nodes | cluster.plan.spares:
        return "the plan names it"
    if cluster.pool is None:
        return "the pool is not known"
    if volume is not None and any(brick.node == node for brick in volume.bricks):
        return "it holds a brick"
    if cluster.host(node) in cluster.pool.peers:
        return "it is in the pool"
    return _proven_empty(cluster, volume, node)


def _proven_empty(cluster: Cluster, volume: Volume | None, node: int) -> str:
    if cluster.controllers is None or cluster.claims is None:
        return "what its disk may hold is not known"
    member = cluster.members[node]
    for path in cluster.may_hold(node):
        walked = member.left is not None and member.left.get(path, (0, ()))[0] == 0
        replaced = f"{cluster.host(node)}:{path}" in cluster.notes.replaced
        copied = volume is None or (_all_up(volume) and volume.heals == 0)
        if not (walked or (replaced and copied)):
            return f"its brick {path} is not proven to be empty"
    return ""


def _roll(cluster: Cluster, volume: Volume | None, name: str) -> str:
    pod = next(pod for pod in cluster.pods if pod.name == name)
    controller = (cluster.controllers or {}).get(pod.node)
    if controller is None or controller.template == pod.template:
        return "its controller would create the same"
    serving = [b for b in (volume.bricks if volume else ()) if b.node == pod.node and b.online is not False]
    if not serving or volume is None:
        return ""
    if not _all_up(volume) or volume.heals != 0:
        return "it serves, and not every copy is known to be whole"
    return _tasks(volume)


def _all_up(volume: Volume) -> bool:
    return volume.started and volume.detailed and all(_up(brick) for brick in volume.bricks)


def _up(brick: Brick) -> bool:
    return brick.online is True


def _tasks(volume: Volume) -> str:
    busy = volume.removal is not None or (
        volume.rebalance is not None and volume.rebalance.state is TaskState.RUNNING
    )
    return "a rebalance or a removal is not at its end" if busy else ""

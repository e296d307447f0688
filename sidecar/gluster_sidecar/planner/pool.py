"""Who acts, who is in the pool, and what must be known of both before anything else."""

from __future__ import annotations

from collections.abc import Iterator

from gluster_sidecar.actions import ForgetMember, GrantStart, HoldMember, ProbePeer, RemakeMember, Step, Wait
from gluster_sidecar.contract import MemberState
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from .engine import acts, rests
from .look import in_a_pool, names, nodes_starting, pool_of, remember_a_volume, volume_of


def stand_by(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if not acts(cluster):
        actor = cluster.server1
        who = "no node is fit to act" if actor is None else f"node {actor} acts"
        yield Wait("takes the lease" if actor == cluster.me else who)


def grant_starts(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """One node after the other."""
    asking = [node for node, m in sorted(cluster.members.items()) if m.start_asked and not m.starts_anew]
    if asking and not nodes_starting(cluster):
        yield GrantStart(asking[0], cluster.members[asking[0]].start_asked)


def await_starts(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Of what changes in the volume while it is away a glusterd learns later, and then starts its brick anew,
    be it the last good copy (seen on 11.1)."""
    volume = volume_of(cluster)
    if volume and volume.started and (starting := nodes_starting(cluster)):
        yield Wait(f"glusterd of node {starting[0]} is started anew")


def know_the_pool(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if cluster.own.ending:
        yield Wait("glusterd on this node is started anew")
    elif cluster.pool is None:
        yield Wait("glusterd on this node does not answer")
    elif cluster.pool.volume is None and (joined := remember_a_volume(cluster)):
        yield Wait(
            f"glusterd on this node knows no volume, but nodes {names(joined)} held one: their state is"
            " needed, nothing is created over it"
        )
    elif cluster.pool.blank and (others := in_a_pool(cluster)):
        yield Wait(
            f"glusterd on this node knows nobody, but nodes {names(others)} are in a pool: one of them acts"
        )


def keep_members(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Every node of the plan has a member object, and every living one a finalizer. One that is wanted
    again while its deletion is pending stays as it is (`Cluster.wanted`)."""
    plan = cluster.plan
    for node in sorted(plan.named - cluster.members.keys() if plan else ()):
        yield RemakeMember(node)
    # An interrupted destroy takes members, and not the data; who has none could not be drained after it.
    for node in sorted(cluster.unnamed):
        member = cluster.members.get(node)
        if member is None or (member.leaves and not member.terminating):
            yield RemakeMember(node, leaves=True)
        elif is_leftover(cluster, node) and not rests(cluster, step := ForgetMember(node)):
            yield step
    for node, member in sorted(cluster.members.items()):
        if not member.held and not member.terminating:
            yield HoldMember(node)


def see_the_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """All rules below may rely on what is known of bricks and tasks."""
    volume = volume_of(cluster)
    if volume and volume.started and not volume.detailed:
        yield Wait("the state of the bricks is not known")


def invite(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Probes each waiting member, one after the other, once it would know who calls."""
    pool = pool_of(cluster)
    known = {peer.uuid for peer in pool.peers.values()}
    for node, member in sorted(cluster.members.items()):
        pod = cluster.pod(node)
        if node == cluster.me or node in cluster.leaving or cluster.host(node) in pool.peers:
            continue
        # A peer under another name, as a look-up of its address gave it, gets its own by a probe.
        misnamed = member.uuid is not None and member.uuid in known
        if pod is None or not (misnamed or (pod.ready and member.state is MemberState.WAITING)):
            continue
        # Its glusterd names the caller by a reverse look-up of the address (hosts file first):
        # probed too early, it would keep an address for a name.
        if cluster.me not in member.knows:
            continue
        step = ProbePeer(cluster.host(node))
        if rests(cluster, step):
            yield Wait(f"node {node} was not let into the pool, and is asked again later", alone=True)
        else:
            yield step


def is_leftover(cluster: Cluster, node: int) -> bool:
    """A living member whose node has neither a controller nor a claim, as far as that is known."""
    known = cluster.controllers is not None and cluster.claims is not None
    return known and not cluster.members[node].terminating and not cluster.guarded(node)

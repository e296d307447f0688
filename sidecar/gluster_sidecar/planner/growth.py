"""The volume is created, gets its options, is started, and grows by whole replica sets."""

from __future__ import annotations

from collections.abc import Iterator

from gluster_sidecar import profiles
from gluster_sidecar.actions import (
    AddBricks,
    CreateVolume,
    NoteBalanced,
    NoteOptions,
    NoteUnproven,
    ResetOption,
    SetOption,
    StartVolume,
    Step,
    Wait,
)
from gluster_sidecar.contract import MemberState
from gluster_sidecar.model import Cluster, Volume
from gluster_sidecar.settings import Settings

from . import guard
from .engine import rests
from .gates import why_unsafe
from .look import is_ready, names, pool_of, volume_of
from .sets import bricks_on, nodes_joining, sets_of, waiting_nodes


def create_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    if pool_of(cluster).volume is not None:
        return
    candidates = waiting_nodes(cluster, None)
    used = [n for n in candidates if cluster.members[n].place != f"{settings.disk}/brick"]
    if used:
        yield Wait(
            f"the disks of nodes {names(used)} hold bricks of another life, and no glusterd knows their"
            " volume: nothing is created over them"
        )
    elif coming := _coming(cluster):
        yield Wait(f"nodes {names(coming)} are about to join")
    elif bricks := bricks_on(cluster, sets_of(cluster, candidates, settings.replication)):
        yield from guard.hold(cluster, bricks)
        yield CreateVolume(settings.volume_name, settings.replication, bricks, settings.arbiter)
        yield NoteBalanced(frozenset(bricks))  # nothing is in it that could be spread


def _coming(cluster: Cluster) -> list[int]:
    """Who will be in the pool in a moment: what is made with them now need not be spread over them later."""
    return [
        node
        for node in sorted(cluster.wanted - {cluster.me})
        if is_ready(cluster.pod(node))
        and (member := cluster.members.get(node)) is not None
        and member.state in (MemberState.STARTING, MemberState.WAITING)
        and ((peer := pool_of(cluster).peers.get(cluster.host(node))) is None or peer.halfway)
    ]


def set_options(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Before the start, so that no client ever runs with other values. What was set for the stack and is not
    asked for any more gets its default again; what a person set by hand stays."""
    volume = volume_of(cluster)
    if volume is None or (volume.started and not volume.all_online):
        return
    plan, noted = cluster.plan, cluster.notes.options
    ours = profiles.common(volume.replica, arbiter=volume.arbiter)
    wanted = {**ours, **(plan.options if plan else {})}
    if plan is None or not plan.is_read:  # what it asks for is not known: what was set for it stays
        wanted = {key: value for key, value in wanted.items() if key not in noted}
    gone = taken_back(cluster, volume)
    steps: list[Step] = [
        SetOption(volume.name, key, value)
        for key, value in sorted(wanted.items())
        if volume.options.get(key) != value
    ]
    steps += [ResetOption(volume.name, key) for key in gone]
    due = [step for step in steps if not rests(cluster, step)]
    kept = frozenset({*wanted, *gone}) if plan and plan.is_read else noted | wanted.keys()
    if kept != noted:
        yield NoteOptions(kept)
    yield from due


def taken_back(cluster: Cluster, volume: Volume) -> list[str]:
    """Keys of options that were set for the stack, and that its plan does not ask for any more."""
    plan = cluster.plan
    if plan is None or not plan.is_read:
        return []
    wanted = profiles.common(volume.replica, arbiter=volume.arbiter).keys() | plan.options.keys()
    return sorted((cluster.notes.options - wanted) & volume.options.keys())


def start_volume(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    volume = volume_of(cluster)
    if volume and not volume.started:
        yield StartVolume(volume.name)


def expand(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Full sets of waiting nodes get their bricks together."""
    volume = volume_of(cluster)
    if volume is None or why_unsafe(cluster, volume, heals_matter=False):
        return
    if joining := nodes_joining(cluster, volume, settings):
        bricks = bricks_on(cluster, joining)
        if cluster.notes.unproven & set(bricks):  # of a replacement that was refused
            yield NoteUnproven(cluster.notes.unproven - set(bricks))
        yield from guard.hold(cluster, bricks)
        yield AddBricks(volume.name, bricks)

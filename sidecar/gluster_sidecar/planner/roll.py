"""Pods of an older template are replaced, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from gluster_sidecar.actions import DeletePod, Step, Wait
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from .gates import why_unsafe
from .look import is_ready, volume_of

SUCCESSOR_AFTER: Final = timedelta(seconds=60)
"""How long the roll waits for a new pod that replaces one which did not serve, before it replaces the
next."""


def roll(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """Replaces pods of which the controller would create another today, one at a time, the leader's own last.

    One that serves goes when every pod is ready and all copies are in sync, so a template that does not work
    stops the roll after one pod. One that does not serve costs nothing and goes first, for a bad template may
    be why; the next one after a pause, should the successor not become ready.
    """
    volume = volume_of(cluster)
    serving = {b.node for b in volume.bricks if b.online is not False} if volume else set()
    # Also of a node whose member is yet to come: `up` creates it once the pod is ready.
    there = cluster.members.keys() | (cluster.controllers or {}).keys()
    stay = sorted(there - (cluster.leaving - serving))
    outdated = [pod for pod in map(cluster.pod, stay) if pod and cluster.outdated(pod)]
    idle = [pod for pod in outdated if pod.node not in serving and not pod.ready]
    rest = sorted((pod for pod in outdated if pod not in idle), key=lambda pod: pod.node == cluster.me)
    if not outdated:
        return
    first = (idle or rest)[0]
    if young := _successors(cluster, stay):
        yield Wait(
            f"to replace the pod of node {first.node}: the new pod of node {young[0]} is not ready yet"
        )
    elif idle:
        yield DeletePod(first.name, first.uid)
    elif unready := [n for n in stay if n in cluster.members and not is_ready(cluster.pod(n))]:
        yield Wait(f"to replace the pod of node {first.node}: node {unready[0]} is not ready")
    elif volume and (unsafe := why_unsafe(cluster, volume)):
        yield Wait(f"to replace the pod of node {first.node}: {unsafe}")
    else:
        yield DeletePod(first.name, first.uid)


def _successors(cluster: Cluster, among: list[int]) -> list[int]:
    """Nodes whose pod is being replaced: there is none yet, or it is young, from its controller's template
    of today, and not ready."""
    found = []
    for node in among:
        pod = cluster.pod(node)
        if pod is None:
            young = node in cluster.members and node in (cluster.controllers or {})
        else:
            young = cluster.at - pod.created < SUCCESSOR_AFTER and not (pod.ready or cluster.outdated(pod))
        found += [node] if young else []
    return found

"""Heals are driven: entries that wait while every brick that has them and lacks them is up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from gluster_sidecar.actions import LaunchHeal, Step, Wait
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings

from .engine import rests
from .look import volume_of

PATIENCE: Final = timedelta(seconds=10)
"""How long entries may wait without getting fewer before a heal is launched: those of writes that are under
way come and go."""


def launch_heal(cluster: Cluster, settings: Settings) -> Iterator[Step]:
    """The heal daemons see a brick come back, but not what clients met alone: a client that reached one brick
    later than the other leaves entries that nobody heals for ten minutes (seen on 11.1: a file that was
    written in the second in which a brick was started anew)."""
    volume, since = volume_of(cluster), cluster.own.heals_wait_since
    if volume is None or since is None or cluster.at - since < PATIENCE:
        return
    # Known only of sets of which every brick answers: one that is away is healed when it comes back.
    if not (waiting := sum(volume.heals_of(one) or 0 for one in volume.sets)):
        return
    step = LaunchHeal(volume.name)
    if rests(cluster, step):
        yield Wait(f"{waiting} entries wait to be healed", alone=True)
    else:
        yield step

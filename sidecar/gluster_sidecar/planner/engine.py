"""What a rule and a decision are, and how the first rule with something to say is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gluster_sidecar.actions import Step, Wait, trial
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings
from gluster_sidecar.wording import words


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do in this cycle, and which rule said so."""

    rule: str
    steps: tuple[Step, ...] = ()

    @property
    def waits_for(self) -> str:
        return "; ".join(step.reason for step in self.steps if isinstance(step, Wait))


Rule = Callable[[Cluster, Settings], Iterator[Step]]


def first(rules: tuple[Rule, ...], cluster: Cluster, settings: Settings) -> Decision:
    """By the first rule that has a step to take, or that waits for something that concerns everything.

    What other rules before it wait for is part of the decision. A rule whose step was tried and failed
    rests until it is to be tried again, and those below go on.
    """
    found = Decision("steady")
    for rule in rules:
        steps = tuple(rule(cluster, settings))
        if resting := [s for s in steps if not isinstance(s, Wait) and rests(cluster, s)]:
            steps = (Wait(f"{words(resting[0])}: this was refused, and is tried again later", alone=True),)
        if not steps:
            continue
        takes = any(not isinstance(step, Wait) for step in steps)
        named = takes or not found.steps
        found = Decision(rule.__name__ if named else found.rule, (*found.steps, *steps))
        if takes or not all(isinstance(step, Wait) and step.alone for step in steps):
            break
    return found


def acts(cluster: Cluster) -> bool:
    """Law 1: this sidecar is server1 and holds the Lease."""
    return cluster.server1 == cluster.me and cluster.holds_lease


def rests(cluster: Cluster, step: Step) -> bool:
    """It was tried, and is not to be tried again yet. For rules whose steps do not depend on each other."""
    return trial(step) in cluster.own.resting

"""What a rule and a decision are, and how the first rule with something to say is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gluster_sidecar.actions import Step, Wait
from gluster_sidecar.model import Cluster
from gluster_sidecar.settings import Settings


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
    for rule in rules:
        if steps := tuple(rule(cluster, settings)):
            return Decision(rule.__name__, steps)
    return Decision("steady")


def acts(cluster: Cluster) -> bool:
    """Law 1: this sidecar is server1 and holds the Lease."""
    return cluster.server1 == cluster.me and cluster.holds_lease

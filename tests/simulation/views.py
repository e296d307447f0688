"""Three views of one storage cluster: what Pulumi's state says, what the API says, what is in the volume.

The sidecars' decisions are the product's own, over `tests.sidecar.world.World`; Pulumi is a model of the
engine's order (a refresh, creations and updates, deletions of dependents first) and of what its provider
keeps of an operation that is interrupted (lab/standins/README.md has the table). The law is checked after
every single effect.

What it does not imitate: faults of machines (`tests.simulation.history` has them), two engines at once, which
Pulumi's lock forbids, and protected disks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from gluster_sidecar import actions as do
from gluster_sidecar import planner, report
from gluster_sidecar.contract import format_nodes
from gluster_sidecar.model import Guarded, Plan

from tests.sidecar.world import World

STEADY: Final = planner.Decision("steady")
Key = tuple[str, int]
"""Kind of an object and its node; 0 for those of the cluster."""
CHAIN: Final = ("disk", "volume", "claim", "controller", "member")
"""Of a node, each after what it depends on."""


class Refused(Exception):
    """The API server or Pulumi refuses."""


class Hangs(Exception):
    """Waits for what will not come while nothing changes: a person ends it by Ctrl-C."""


@dataclass(frozen=True)
class Program:
    """What the settings ask for."""

    count: int
    template: str = "a"

    @property
    def nodes(self) -> range:
        return range(1, self.count + 1)

    @property
    def mark(self) -> str:
        return f"{format_nodes(self.nodes)}@{self.template}"

    def wanted(self, key: Key) -> str | None:
        """Inputs of a resource; None if the program does not declare it."""
        kind, node = key
        if node > self.count:
            return None
        return {"controller": self.template, "plan": self.mark, "settled": self.mark}.get(kind, "")

    @property
    def keys(self) -> list[Key]:
        """In the order of creation."""
        return [*((kind, node) for kind in CHAIN for node in self.nodes), ("plan", 0), ("settled", 0)]


@dataclass
class Cloud(World):
    """The API and the volume, with what Kubernetes' own controllers do."""

    disks: set[int] = field(default_factory=set)
    volumes: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    """Volumes that name a claim which has gone."""
    settled: dict[str, str] | None = None
    """Data of the settled object; None if there is none."""
    destroyed: bool = False
    """A destroy of the whole stack was asked for: from then on data may go."""

    def check(self) -> None:
        """The law. Raises AssertionError."""
        if self.destroyed:
            return
        for brick in self.volume.bricks if self.volume else ():
            assert brick.node in self.disks, (
                f"the disk of node {brick.node} is gone, and the volume has {brick.id}"
            )

    def live(self, key: Key) -> str | None:
        """What a read of the object finds, as a program's inputs; None if it is not there."""
        kind, node = key
        there: dict[str, str | None] = {
            "disk": "" if node in self.disks else None,
            "volume": "" if node in self.volumes else None,
            "claim": "" if node in self.claims else None,
            "controller": self.controllers[node].template if node in self.controllers else None,
            "member": "" if node in self.living | self.terminating else None,
            "plan": self.plan.mark if self.plan else None,
            "settled": None if self.settled is None else self.settled["plan"],
        }
        return there[kind]

    def apply_key(self, key: Key, inputs: str) -> None:
        """Creates the object, or changes it in place."""
        kind, node = key
        match kind:
            case "disk":
                self.disks.add(node)
            case "volume":
                self.volumes.add(node)
            case "claim":
                self.claims.setdefault(node, Guarded(released=node in self.released))
            case "controller":
                self.controllers[node] = replace(self.controllers.get(node, Guarded()), template=inputs)
            case "member":
                self.living |= {node} - self.terminating
            case "plan":
                nodes, _, template = inputs.partition("@")
                numbers = frozenset(int(n) for n in nodes.split(","))
                self.plan = Plan(numbers, template=template, mark=inputs)
            case "settled":
                self.settled = {**(self.settled or {"settled": ""}), "plan": inputs}
        self.controllers_of_kubernetes()

    def delete_key(self, key: Key) -> None:
        """Asks for the deletion. Raises Refused."""
        kind, node = key
        if kind in ("claim", "controller") and self.cluster_guard(kind).get(node, Guarded()).bricks:
            raise Refused(f"the disk of node {node} may hold data")
        match kind:
            case "disk":
                self.disks.discard(node)
            case "volume" if node not in self.claims:  # else Kubernetes holds it until the claim has gone
                self.volumes.discard(node)
                self.released.discard(node)
            case "claim":
                self.claims.pop(node, None)
                self.released |= {node} & self.volumes
            case "controller":
                self.controllers.pop(node, None)
            case "member" if node in self.living:
                self.living.discard(node)
                self.terminating.add(node)
            case "plan":
                self.plan = None
            case "settled":
                self.settled = None
        self.controllers_of_kubernetes()
        self.check()

    def cluster_guard(self, kind: str) -> dict[int, Guarded]:
        return self.claims if kind == "claim" else self.controllers

    def controllers_of_kubernetes(self) -> None:
        """Pods follow their controllers; one without a disk or claim does not start."""
        for node in sorted(self.controllers.keys() - self.pods.keys()):
            if node in self.disks and node in self.claims and not self.claims[node].released:
                kept = self.controllers[node], self.claims[node], node in self.living
                self.add_nodes(node)
                self.controllers[node], self.claims[node] = kept[:2]
                self.pods[node] = replace(self.pods[node], template=kept[0].template)
                self.living -= set() if kept[2] else {node}
        for node in sorted(self.pods.keys() - self.controllers.keys()):
            del self.pods[node]
        absent = {n for n in self.living | self.terminating | self.peers if n not in self.pods}
        self.down = self.away = absent

    def sidecars(self, ended: Callable[[], bool] = lambda: False) -> None:
        """Cycles of all sidecars until nothing changes, or it has `ended` after one of them."""
        for _ in range(200):
            if ended():
                return
            moved = self._lead()
            moved = self.pass_time() or moved
            self.check()
            if not moved:
                return
        raise AssertionError(f"the sidecars do not come to rest: {self.done[-5:]}")

    def _lead(self) -> bool:
        members = self.living | self.terminating
        running = self.pods.keys() & members if self.plan or members else self.pods.keys()
        leader = self.cluster(min(running)).server1 if running else None
        if leader is None or leader not in running:
            return False
        before = self.settled and dict(self.settled)
        self.actor = leader
        cluster = self.cluster(leader)
        decision = planner.plan(cluster, self.settings)
        if self.settled is not None:
            self.settled |= report.settled_document(cluster, decision)
        steps = [step for step in decision.steps if not isinstance(step, do.Wait)]
        for step in steps:
            self.apply(step)
            if isinstance(step, do.FreeVolume):
                self.released.discard(step.node)
            if isinstance(step, do.DeletePod | do.FreeVolume):
                self.controllers_of_kubernetes()
            self.check()
        return bool(steps) or before != self.settled

    def reached(self, key: Key) -> bool:
        """Whether what `up` waits for, once it has written the object, holds."""
        kind, node = key
        if kind == "controller":
            return node in self.pods
        if kind == "claim":
            return not self.claims[node].released
        return kind != "settled" or (self.settled or {}).get("settled") == (self.settled or {}).get("asked")


@dataclass
class Engine:
    """Pulumi with its state. Its operations are generators: they yield wherever they may be interrupted,
    and what has been recorded by then is what is kept."""

    cloud: Cloud
    state: dict[Key, str] = field(default_factory=dict)
    upserts: bool = False
    """PULUMI_K8S_UPSERT_EXISTING_OBJECTS, as docs/operations.md says for an object that a killed Pulumi
    made."""

    def up(self, program: Program, *, refresh: bool) -> Iterator[str]:
        """Of an update whose wait is interrupted the old inputs are kept, of a creation the new ones.
        Raises Refused and Hangs."""
        if refresh:
            self.refresh()
        # At once what does not depend on each other: a member waits for nodes that are created beside it.
        for _, keys in itertools.groupby(program.keys, key=lambda key: key[0]):
            changes = {
                key: program.wanted(key) or "" for key in keys if self.state.get(key) != program.wanted(key)
            }
            created = changes.keys() - self.state.keys()
            for key, wanted in changes.items():
                yield from self._write(key, wanted)
                if key in created:
                    self.state[key] = wanted
            for key, wanted in changes.items():
                yield from self._wait(key, wanted)
                self.state[key] = wanted
        yield from self._delete([key for key in self.state if program.wanted(key) is None])

    def destroy(self) -> Iterator[str]:
        self.cloud.destroyed = True
        yield from self._delete(list(self.state))

    def refresh(self) -> None:
        for key in list(self.state):
            if (found := self.cloud.live(key)) is None:
                del self.state[key]
            else:
                self.state[key] = found

    def _write(self, key: Key, wanted: str) -> Iterator[str]:
        created = key not in self.state
        yield f"before {key}"
        live = self.cloud.live(key)
        if created and live is not None and key[0] != "disk" and not self.upserts:
            raise Refused(f"{key} already exists")
        if not created and live is None:
            raise Refused(f"{key} is not there")
        self.cloud.apply_key(key, wanted)
        self.cloud.check()
        yield f"killed after {key}"

    def _wait(self, key: Key, wanted: str) -> Iterator[str]:
        if key[0] == "settled" and self.cloud.settled is not None:
            self.cloud.settled["asked"] = wanted
        yield f"waiting for {key}"
        # Whoever waits goes on as soon as it holds: what the sidecars would do next is not done yet.
        self.cloud.sidecars(lambda: self.cloud.reached(key))
        if not self.cloud.reached(key):
            raise Hangs(f"{key}: {self.cloud.settled}")

    def _is_gone(self, key: Key) -> bool:
        return self.cloud.live(key) is None

    def _delete(self, keys: list[Key]) -> Iterator[str]:
        """Level by level, as the engine does: of all nodes the members, then the controllers..."""
        for kind in ("settled", "plan", *reversed(CHAIN)):
            for key in [key for key in keys if key[0] == kind]:
                yield f"before the deletion of {key}"
                self.cloud.delete_key(key)
                yield f"killed after the deletion of {key}"
                if self.cloud.live(key) is not None:
                    yield f"waiting for the end of {key}"
                    self.cloud.sidecars(partial(self._is_gone, key))
                if self.cloud.live(key) is not None:
                    raise Hangs(f"{key} does not end")
                self.cloud.check()
                del self.state[key]

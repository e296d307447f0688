"""The simulation's pool and a real one, given the same commands; what is seen of both must agree.

No sidecar and no Kubernetes: `execute.Executor` gives the planner's actions to the real glusterd, and
`simulation.pool` does to its model what it believes that glusterd does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from gluster_sidecar import actions as do
from gluster_sidecar import parse
from gluster_sidecar.errors import ActionError
from gluster_sidecar.execute import Executor
from gluster_sidecar.kubernetes import Api
from gluster_sidecar.model import Peer, TaskState, Volume
from gluster_sidecar.settings import Settings

from tests.integration.bare import KNOWN_FILE, NodeGluster, power_on
from tests.integration.pool import Pool, wait_for
from tests.integration.seen import MOUNT, answers
from tests.simulation.pool import GlusterPool, Node, Refused, node_of


@dataclass(frozen=True)
class Seen:
    """What a sidecar would decide on."""

    peers: frozenset[tuple[str, bool, bool]]
    """Name, connected, in the cluster."""
    bricks: tuple[tuple[str, bool], ...]
    """Name and whether it is online, in order."""
    started: bool
    rebalance: TaskState | None
    removal: TaskState | None
    heals: tuple[tuple[str, bool], ...]
    """By brick that answers: whether entries wait on it."""


def seen(peers: dict[str, Peer], volume: Volume | None) -> Seen:
    told = frozenset((p.host, p.connected, p.connected and p.in_cluster) for p in peers.values())
    if volume is None:
        return Seen(told, (), False, None, None, ())
    return Seen(
        told,
        tuple((brick.id, brick.online is True) for brick in volume.bricks),
        volume.started,
        volume.rebalance.state if volume.rebalance else None,
        volume.removal.state if volume.removal else None,
        tuple((name, count > 0) for name, count in sorted(volume.pending.items()) if count is not None),
    )


def may_be_asked(volume: Volume) -> bool:
    """For its heals: files that move meanwhile are counted too."""
    return not (volume.removal or (volume.rebalance and volume.rebalance.state is TaskState.RUNNING))


@dataclass
class Twin:
    real: Pool
    model: GlusterPool = field(default_factory=GlusterPool)
    files: int = 0
    known: dict[int, dict[str, str]] = field(default_factory=dict)
    """What the object of a node would say of its glusterd."""

    def add(self, *numbers: int) -> None:
        for number in numbers:
            self.model.add(number)
        power_on(self.real, *numbers)
        for number in numbers:
            gluster = NodeGluster(self.real, number)
            version = parse.op_version(gluster.ask("volume", "get", "all", "cluster.op-version"))
            uuid = parse.own_uuid(gluster.ask("pool", "list"))
            self.known[number] = {"uuid": uuid, "opVersion": version}

    # -- the same thing to both

    def does(self, number: int, step: do.Action) -> str:
        """Whether both took the command: `taken`, `refused`; raises AssertionError if they differ.

        What the model takes glusterd may refuse for a while, as until a peer is let in all the way, or has
        noticed that another is back; the sidecar asks again, and so does this.
        """
        try:
            self.model.apply(self.node(number), step)
            while self.model.follow_orders(self.node(number)):  # the real one is waited for, too
                pass
            model, why = "taken", ""
        except Refused as error:
            model, why = "refused", str(error)
        answer = "not answered"

        def same() -> bool:
            nonlocal answer
            answer = self._tell(number, step)
            return (answer == "") is (model == "taken")

        try:
            wait_for("the same", same, 60 if model == "taken" else 0)
        except AssertionError as error:
            raise AssertionError(f"{step} by node {number}: model {why!r}, glusterd {answer!r}") from error
        return model

    def _tell(self, number: int, step: do.Action) -> str:
        """Why glusterd refused it; empty if it did not."""
        try:
            if isinstance(step, do.RestartGlusterd):
                self._restart(number)
            else:
                Executor(Settings(), NodeGluster(self.real, number), cast(Api, None)).apply(step)
        except ActionError as error:
            return str(error)
        return ""

    def _restart(self, number: int) -> None:
        old = self.real.shell(number, "pidof glusterd")
        self.real.shell(number, "touch /run/gluster-sidecar/restart")

        def anew() -> bool:
            now = self.real.shell(number, "pidof glusterd || true")
            return now not in ("", old) and answers(self.real, number)

        wait_for("a new glusterd", anew)

    def off(self, number: int) -> None:
        self.model.power_off(self.node(number))
        self.real.power_off(number)

    def on(self, number: int) -> None:
        self.model.start(self.node(number))
        power_on(self.real, number)

    def cut(self, number: int) -> None:
        """From all others; it stays on."""
        self.node(number).side = number
        self.real.cut(number)

    def mend(self, number: int) -> None:
        self.node(number).side = 0
        self.real.mend(number)

    def lose_disk(self, number: int) -> None:
        """Of a node that is off; it gets back who it is, as by its sidecar."""
        self.model.lose_disk(self.node(number))
        self.real.lose_disk(number)
        etc = self.real.folder / f"n{number}/upper/etc"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / Path(KNOWN_FILE).name).write_text(json.dumps(self.known[number]))

    def write(self, count: int) -> None:
        """So many files, by a client beside node 1's bricks that every set takes some of."""
        for index in range(count):
            assert self.model.write(index, 0), "the model does not take a write"
        names = " ".join(f"w{self.files + n}" for n in range(count))
        self.real.shell(1, MOUNT + f"cd /run/t; for f in {names}; do echo $f > $f || exit 1; done")
        self.files += count

    def agree(self, number: int = 1) -> Seen:
        """Waits until what is seen from the node is the same; raises AssertionError with both."""
        self.settle_model()
        modelled = self.modelled(number)
        last: list[object] = []

        def same() -> bool:
            last[:] = [self.observed(number)]
            return last == [modelled]

        try:
            wait_for("the same", same, 90)
        except AssertionError as error:
            raise AssertionError(f"node {number}\nmodel    {modelled}\nglusterd {last[0]}") from error
        self.readable()
        return modelled

    def readable(self) -> None:
        assert self.model.lost_writes() == set()
        read = f"cd /run/t; for i in $(seq 0 {self.files - 1}); do test $(cat w$i) = w$i || echo w$i; done"
        assert self.files == 0 or self.real.shell(1, MOUNT + read) == ""

    def settle_model(self) -> None:
        """Daemons of glusterd work at once here: what is compared is where they come to."""
        while self.model.heal(1000):
            pass
        self.model.move(1000)
        self.model.end_tasks()

    # -- what is seen of each

    def node(self, number: int) -> Node:
        return self.model.nodes[number]

    def modelled(self, number: int) -> Seen:
        node, model = self.node(number), self.model
        peers, there = model.peers(node), model.there(node)
        volume = node.volume
        if volume is not None and volume.started:
            online = [model.up(b) is not None and node_of(b) in there for b in volume.bricks]
            bricks = tuple(replace(b, online=up) for b, up in zip(volume.bricks, online, strict=True))
            pending: dict[str, int | None] = {
                bricks[i].id: model.pending(i // volume.replica, volume.bricks[i])
                for i in range(len(bricks))
                if bricks[i].online and may_be_asked(volume)
            }
            volume = replace(volume, bricks=bricks, pending=pending)
        return seen(peers, volume)

    def observed(self, number: int) -> Seen | str:
        gluster = NodeGluster(self.real, number)
        try:
            peers = parse.peers(gluster.ask("pool", "list"))
            volume = parse.volume(gluster.ask("volume", "info", "all"), "data")
            if volume is not None and volume.started:
                volume = parse.with_status(volume, gluster.ask("volume", "status", "data"))
                if may_be_asked(volume):
                    answer = gluster.ask("volume", "heal", "data", "info", "summary", seconds=60)
                    up = {brick.id for brick in volume.bricks if brick.online}
                    heals = {name: count for name, count in parse.heals(answer).items() if name in up}
                    volume = replace(volume, pending=heals)
        except ActionError as error:
            return str(error)
        return seen(peers, volume)

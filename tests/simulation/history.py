"""A random life of a cluster, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable

from gluster_sidecar.settings import Settings

from tests.simulation.cluster import SimulatedCluster
from tests.simulation.pool import Node


class History:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.replication = self.random.choice((2, 2, 3))
        arbiter = self.replication == 3 and self.random.random() < 0.3
        settings = Settings(replication=self.replication, arbiter=arbiter)
        self.calm = False
        self.disks_lost = 0
        luck = self.random.random
        self.cluster = SimulatedCluster(settings, lambda: 1 if self.calm else luck(), luck)
        self.gluster = self.cluster.gluster
        self.spares = frozenset(range(90, 90 + self.random.choice((0, 0, 1))))
        self.wanted = frozenset(range(1, self.replication * self.random.choice((1, 2)) + 1))
        self.template = ""
        self.todo: list[Callable[[], None]] = []
        self.ask()

    # -- the person

    def ask(self) -> None:
        """`pulumi up`: new members, then the plan, then the deletions; it may be interrupted between."""
        wanted, spares, template = self.wanted, self.spares, self.template
        cluster = self.cluster

        def add() -> None:
            cluster.retemplate(template)
            for number in sorted(wanted | spares):
                cluster.add_node(number, spare=number in spares)
                if number in cluster.documents and number not in spares:
                    cluster.documents[number].data.pop("spare", None)

        def delete() -> None:
            for number in sorted(self.gluster.nodes.keys() - wanted - spares):
                cluster.delete_member(number)

        self.todo = [add, lambda: cluster.want(wanted, spares, template), delete]

    def change_of_mind(self) -> None:
        sets = self.random.choice((1, 2, 2, 3))
        self.wanted = frozenset(range(1, self.replication * sets + 1))
        if self.random.random() < 0.3:
            self.template = self.random.choice("abc")
        self.ask()

    # -- what happens

    def some(self) -> Node | None:
        numbers = sorted(self.gluster.nodes)
        return self.gluster.nodes[self.random.choice(numbers)] if numbers else None

    def fault(self) -> None:
        """One thing that happens to one machine, the network, or Kubernetes."""
        node = self.some()
        if node is None:
            return
        what = self.random.choice(("off", "off", "on", "brick", "cut", "mend", "api", "pod", "notice"))
        self.cluster.log.append(f"-- {what} {node.number}")
        match what:
            case "off":
                self.gluster.power_off(node)
            case "on" if not node.powered:
                self.gluster.start(node)
            case "brick":
                node.serves = False
            case "cut":
                node.side = 1
            case "mend":
                for other in self.gluster.nodes.values():
                    other.side = 0
            case "api":
                node.api = not node.api
            case "pod":
                self.cluster.restart_pod(node.number)
            case "notice":
                self.cluster.notice(node.number)

    def follow_orders(self) -> None:
        for node in self.gluster.nodes.values():
            self.gluster.follow_orders(node)

    def lose_disk(self) -> None:
        node = self.some()
        if node is not None and not node.powered and self.gluster.may_lose_disk(node):
            self.cluster.log.append(f"-- disk {node.number}")
            self.gluster.lose_disk(node)
            self.disks_lost += 1
            if self.random.random() < 0.5:
                self.gluster.start(node)

    def step(self) -> None:
        draw = self.random.random()
        if draw < 0.45:
            node = self.some()
            happens = self.random.choice((self.fault, self.follow_orders, *20 * [lambda: None]))
            if node is not None:
                self.turn(node.number, happens)
        elif draw < 0.60:
            if self.gluster.write(self.random.randrange(9), self.random.choice((0, 0, 1))):
                self.cluster.log.append(f"-- write {self.gluster.writes}")
        elif draw < 0.68:
            self.gluster.heal(self.random.choice((1, 1, 100)))
        elif draw < 0.74:
            self.gluster.move(self.random.choice((1, 100)))
        elif draw < 0.78:
            self.gluster.end_tasks()
        elif draw < 0.86:
            self.fault()
            self.everybody()
        elif draw < 0.90:
            self.lose_disk()
        elif draw < 0.93:
            self.change_of_mind()
        elif draw < 0.95:
            self.follow_orders()
        else:
            self.gluster.pass_time(self.random.choice((5, 60, 700)))
            self.gluster.heal(self.random.choice((1, 100)))
            self.everybody()
        if self.todo and self.random.random() < 0.3:
            self.todo.pop(0)()

    def everybody(self) -> None:
        """Sidecars turn every five seconds: whatever stays for longer is seen."""
        for number in sorted(self.gluster.nodes):
            self.turn(number)

    def turn(self, number: int, happens: Callable[[], None] = lambda: None) -> bool:
        if number not in self.gluster.nodes:
            return False
        done = self.cluster.turn(number, happens)
        self.check(f"after a turn of node {number}")
        return done

    def check(self, when: str) -> None:
        lost = self.gluster.lost_writes()
        assert not lost, f"{when}: writes {sorted(lost)} are lost\n" + self.story()

    def story(self) -> str:
        return "\n".join(self.cluster.log[-60:])

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
            self.check("after an event")

    def settle(self, cycles: int = 400) -> None:
        """No faults any more; all machines, networks and sidecars work until nothing moves."""
        self.calm = True
        while self.todo:
            self.todo.pop(0)()
        for node in list(self.gluster.nodes.values()):
            node.side, node.api = 0, True
            if not node.powered:
                self.gluster.start(node)
        quiet = 0
        for _ in range(cycles):
            moved = False
            for number in sorted(self.gluster.nodes):
                moved = self.turn(number) or moved
            moved = bool(self.gluster.heal(1000)) or moved
            self.gluster.move(1000)
            moved = self.gluster.end_tasks() or moved
            self.gluster.pass_time(61)
            later = any(node.memory.rests(self.gluster.now) for node in self.gluster.nodes.values())
            quiet = 0 if moved or later else quiet + 1
            if quiet == 5:
                return
        raise AssertionError("does not come to rest\n" + self.story())

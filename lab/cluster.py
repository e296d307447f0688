"""A lab as one object: start it, end it, do to it what life does. Tests use this, and so do the commands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import disk_driver, down, environment, faults, machine, network, objects, pki, supply
from lab.api import Api
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.lock import locked
from lab.network import Network
from lab.node import Node
from lab.paths import Paths
from lab.process import Registry
from lab.run import run
from lab.settings import Record, Settings, boot_id
from lab.supply import Supply
from lab.waiting import wait_for

Say = Callable[[str], None]


class Lab:
    """The lab of one state directory. Errors are `LabError`s of one line."""

    def __init__(self, state: Path, settings: Settings | None = None) -> None:
        self.paths = Paths.of(state)
        self._settings = settings

    @staticmethod
    def from_environment() -> Lab:
        """The lab of `LAB_STATE`, by default the checkout's."""
        return Lab(Paths.from_environment().state)

    @property
    def disks(self) -> Path:
        """Where the cloud's disks are."""
        return self.paths.disks

    @property
    def registry(self) -> Registry:
        return Registry(self.paths.processes, self.paths.logs, self.paths.id)

    @property
    def record(self) -> Record:
        """Raises LabError if no lab was made here."""
        record = Record.read(self.paths.record)
        if record is None:
            raise LabError(f"there is no lab in {self.paths.state}: `make up` starts one")
        return record

    def up(self, say: Say = print) -> Mapping[str, str]:
        """Starts what does not run and leaves alone what does; returns when every machine is Ready.

        Says for each part of Pulumi whether it is real or stands in.
        """
        phases = Phases(say)
        machine.ensure(say)
        ready = supply.ensure(say)
        phases.done("tools and images")
        with locked(self.paths.lock):
            record = self._prepare(say)
            Start(self, record, ready, phases).run()
            return supply.install_plugins(self.paths, ready)

    def down(self) -> None:
        """Ends and removes everything but caches. Raises LabError with what it could not remove."""
        with locked(self.paths.lock):
            down.down(self.paths)

    def _prepare(self, say: Say) -> Record:
        record = Record.read(self.paths.record)
        if record is not None and record.boot != boot_id():
            say("the machine was started anew since: what the old lab left goes first")
            down.down(self.paths)
            record = None
        elif record is None and (left := down.leftovers(self.paths)):
            say(f"an earlier lab left {'; '.join(left)}: this goes first")
            down.down(self.paths)
        wanted = self._settings or Settings.from_environment()
        self.paths.make()
        if record is None:
            record = Record(wanted, network.choose_link(self.paths.id), boot_id())
            record.write(self.paths.record)
        elif record.settings != wanted:
            say(f"the lab runs with {record.settings}; `make down` first for other settings")
        return record

    def node(self, number: int) -> Node:
        """Raises LabError for a number that is none of a machine."""
        record = self.record
        if not 1 <= number <= record.settings.nodes:
            raise LabError(f"there is no machine {number}: they are 1 to {record.settings.nodes}")
        return Node(
            number, self.paths, record.settings, Network(self.paths, record.settings.nodes), self.registry
        )

    def nodes(self) -> list[Node]:
        return [self.node(n) for n in range(1, self.record.settings.nodes + 1)]

    def ready(self) -> list[int]:
        """Numbers of the machines that are Ready in this run of theirs."""
        booted = Api(self.paths, self.record.link.hub).nodes_ready()
        return [n.number for n in self.nodes() if (boot := n.boot_id()) and booted.get(n.name) == boot]

    def power_off(self, number: int) -> None:
        """Cuts a machine's power. See `lab.node` for how this differs from a real power cut."""
        faults.power_off(self.node(number))

    def power_on(self, number: int) -> None:
        """Returns at once; `ready` tells when the machine is back."""
        faults.power_on(self.node(number))

    def cut(self, number: int) -> None:
        """Pulls a machine's network cable."""
        faults.cut(self.node(number))

    def mend(self, number: int) -> None:
        faults.mend(self.node(number))

    def lose_disk(self, gluster_node: int) -> Path:
        """Replaces the disk of a gluster node by a blank one. Raises LabError while a machine has it."""
        return faults.lose_disk(self.paths, gluster_node, self.holder(gluster_node))

    def holder(self, gluster_node: int) -> int | None:
        """Number of the machine that has the disk of a gluster node attached; None if none has."""
        disk = faults.find_disk(self.paths, gluster_node)
        return next((node.number for node in self.nodes() if faults.holds(node, disk)), None)

    def pause_api(self) -> None:
        faults.ApiServer(self.registry).pause()

    def resume_api(self) -> None:
        faults.ApiServer(self.registry).resume()

    def node_exec(self, number: int, argv: Sequence[str]) -> str:
        """Output of a command run on a machine, as root and outside of any pod."""
        return run([*self.node(number).entry(), *argv])

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Its output, as the cluster's administrator."""
        command = [str(self.paths.bin / "kubectl"), *words]
        return run(command, stdin=stdin, env={**os.environ, **self.environment()}, timeout=600)

    def environment(self) -> dict[str, str]:
        """Variables for programs that work with this lab, PATH among them."""
        return environment.environment(self.paths)


@dataclass
class Phases:
    """Says how long each part of a start took, in seconds."""

    say: Say
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def done(self, what: str) -> None:
        now = time.monotonic()
        self.say(f"{now - self.began:6.1f} s  {what} ({now - self.last:.1f} s)")
        self.last = now


@dataclass(frozen=True)
class Start:
    """One run of `up`."""

    lab: Lab
    record: Record
    supply: Supply
    phases: Phases

    def run(self) -> None:
        paths, link, settings = self.lab.paths, self.record.link, self.record.settings
        net = Network(paths, settings.nodes)
        net.ensure_hub(link)
        if pki.ensure(paths, link, settings.nodes):
            self.phases.done("network and certificates")
        api = Api(paths, link.hub)
        plane = ControlPlane(paths, settings, self.supply, self.lab.registry, api)
        self._write_access()
        if faults.ApiServer(self.lab.registry).paused():
            self.phases.say("the API server was paused: it goes on")
            self.lab.resume_api()
        plane.start_store(self.phases.say)
        nodes = self.lab.nodes()
        for node in nodes:
            node.prepare(self.supply)
        self.phases.done("machines prepared")
        plane.wait_ready()
        self.phases.done("API server ready")
        plane.start_others(self.phases.say)
        disk_driver.DiskDriver(paths, self.supply, self.lab.registry).start(self.phases.say)
        self.lab.kubectl("apply", "--server-side", "-f", "-", stdin=objects.all_objects(settings))
        self._power_on(nodes)
        wait_for("all machines are Ready", self._all_ready, 180, self._not_ready)
        if any([node.load_image(self.supply) for node in nodes]):
            self.phases.done("the image had changed: loaded into the machines")
        # Without it the first pod would be refused.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_for("the default service account exists", lambda: api.get(account) is not None, 30)
        self.lab.registry.check(n for n in self.lab.registry.names() if n not in {m.name for m in nodes})
        self.phases.done(f"{settings.nodes} machines Ready")

    def _write_access(self) -> None:
        paths = self.lab.paths
        config = (paths.pki / "machine.kubeconfig").read_bytes()
        if not paths.kubeconfig.exists() or paths.kubeconfig.read_bytes() != config:
            paths.kubeconfig.touch(mode=0o600)
            paths.kubeconfig.write_bytes(config)
        environment.install_commands(paths, self.supply)

    def _power_on(self, nodes: list[Node]) -> None:
        for node in nodes:
            known, running = self.lab.registry.known(node.name), node.init() is not None
            mended = node.network.ensure_node(node.number)
            if not running:
                faults.power_on(node)
                if known:
                    self.phases.say(f"{node.name} had no power: switched on")
            elif mended:
                self.phases.say(f"{node.name} had lost its network: mended")

    def _all_ready(self) -> bool:
        return len(self.lab.ready()) == self.record.settings.nodes

    def _not_ready(self) -> str:
        ready = self.lab.ready()
        return "; ".join(
            f"{node.name}: {self.lab.registry.last_words(f'{node.name}-kubelet')}"
            for node in self.lab.nodes()
            if node.number not in ready
        )

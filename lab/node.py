"""One machine of the lab: a network namespace, a folder, and a process that is its PID 1.

Power is the life of PID 1: killing it ends all that runs on the machine at once, in the middle of
whatever it does. Two things differ from a real power cut: what was written to the page cache is not
lost, and starting takes a second instead of a minute.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab import cgroups, disk_driver, images, node_config
from lab.addresses import node_address, node_name, pod_range
from lab.errors import LabError
from lab.network import Network
from lab.paths import CHECKOUT, Paths
from lab.process import Process, Registry, alive, kill, look
from lab.run import run
from lab.settings import Settings
from lab.supply import Supply
from lab.waiting import wait_for

COVERED: Final = ("/var", "/mnt", "/tmp", "/run")
"""Folders that a machine has of its own: what it needs of the real ones must be shown to it."""
SYSTEM_FOLDERS: Final = ("var/lib", "var/log/pods", "var/log/containers", "var/tmp", "var/cache", "etc")


@dataclass(frozen=True)
class Node:
    number: int
    paths: Paths
    settings: Settings
    network: Network
    registry: Registry

    @property
    def name(self) -> str:
        return node_name(self.number)

    @property
    def folder(self) -> Path:
        return self.paths.node(self.number)

    def prepare(self, supply: Supply) -> None:
        """Makes the machine's folder, with images, once; writes its configuration each time."""
        for name in ("mnt", "tmp", *SYSTEM_FOLDERS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for link, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
            if not (self.folder / link).is_symlink():
                (self.folder / link).symlink_to(target)
        root = self.folder / "var/lib/containerd"
        if not root.exists():
            images.clone(supply.template, root)
            self._note_image(supply)
        self._configure(self.folder / "etc", supply)

    def load_image(self, supply: Supply) -> bool:
        """Gives the running machine the product's image as it is now; False if it has it.

        Pods that are there go on with the one they were started from.
        """
        if self._image_note.exists() and self._image_note.read_text() == supply.image_archive.parent.name:
            return False
        import_ = ("ctr", "--namespace", images.NAMESPACE, "images", "import", str(supply.image_archive))
        run([*self.entry(), *import_], timeout=300)
        self._note_image(supply)
        return True

    @property
    def _image_note(self) -> Path:
        return self.folder / "etc/image"

    def _note_image(self, supply: Supply) -> None:
        self._image_note.write_text(supply.image_archive.parent.name)

    def start(self) -> None:
        """Switches the power on. Returns when PID 1 has taken over; the kubelet needs a moment more."""
        groups = cgroups.ensure(self.paths.id, self.number)
        cgroups.remove(groups, keep=True)  # left by a power cut; each would cost the kubelet seconds
        process = self.registry.start(
            self.name,
            [
                *("unshare", "--mount", "--uts", "--ipc", "--cgroup", "--pid", "--fork", "--kill-child"),
                *("--propagation", "slave", "--", sys.executable, "-I", "-S"),
                *(str(CHECKOUT / "lab/node_init.py"), str(self.folder / "etc/init.json")),
            ],
            netns=self.paths.netns(self.number),
            cgroups=groups,
        )
        wait_for(
            f"{self.name} has a PID 1",
            lambda: self.init() is not None or not alive(process),
            10,
            lambda: self.registry.last_words(self.name),
        )
        if cgroups.PURE:
            (groups[0] / "init").mkdir(exist_ok=True)
            (groups[0] / "init/cgroup.procs").write_text(str(process.pid))

    def boot_id(self) -> str:
        """What tells this run of the machine from the one before; empty while the power is off."""
        init = self.init()
        try:
            return Path(f"/proc/{init.pid}/root/run/boot_id").read_text().strip() if init else ""
        except OSError:
            return ""

    def init(self) -> Process | None:
        """The machine's PID 1; None while the power is off."""
        process = self.registry.get(self.name)
        if process is None:
            return None
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        except OSError:
            return None
        return look(int(children[0])) if children else None

    def stop(self) -> None:
        """Pulls the plug. The cable goes first, so that no dying process can say farewell."""
        self.network.plug(self.number, False)
        process, init = self.registry.get(self.name), self.init()
        for one in (init, process):
            if one is not None:
                kill(one)
        groups = cgroups.of_node(self.paths.id, self.number)
        wait_for(f"nothing runs on {self.name}", lambda: not any(cgroups.pids(group) for group in groups), 20)
        cgroups.remove(groups, keep=True)

    def entry(self) -> list[str]:
        """What to put before a command to run it on this machine. Raises LabError if it is off."""
        init = self.init()
        if init is None:
            raise LabError(f"{self.name} has no power: `python -m lab power-on {self.number}` gives it back")
        return [
            *("nsenter", "-t", str(init.pid)),
            *("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"),
        ]

    def _configure(self, etc: Path, supply: Supply) -> None:
        pki = str(self.paths.pki)
        registries = etc / "registries/_default"
        registries.mkdir(parents=True, exist_ok=True)
        (registries / "hosts.toml").write_text(node_config.NO_REGISTRY)
        config = node_config.kubelet(self.number, pki, self.settings.node_grace)
        for name, text in {
            "hosts": node_config.hosts(self.settings.nodes),
            "resolv.conf": node_config.resolv_conf(),
            "containerd.toml": node_config.containerd(supply.pause_image, str(registries.parent)),
            "podnet.conflist": node_config.pod_network(self.number),
            "kubelet.json": json.dumps(config, indent=2),
            "kube-proxy.json": json.dumps(node_config.kube_proxy(pki), indent=2),
            "init.json": json.dumps(self._machine(etc, supply), indent=2),
        }.items():
            (etc / name).write_text(text)

    def _machine(self, etc: Path, supply: Supply) -> dict[str, Any]:
        needed = (self.paths.state, supply.cache, CHECKOUT, Path(sys.prefix))
        keep = sorted({str(p) for p in needed if str(p).startswith(tuple(f"{c}/" for c in COVERED))})
        return {
            "name": self.name,
            "machine": str(self.folder),
            "logs": str(self.paths.logs),
            "keep": keep,
            "cgroups": [
                [tree.path.name if tree.options else "", tree.options] for tree in cgroups.hierarchies()
            ],
            "services": self._services(etc, supply),
        }

    def _services(self, etc: Path, supply: Supply) -> list[dict[str, Any]]:
        kube, pki = str(supply.kube), self.paths.pki
        containerd = ["containerd", "--config", str(etc / "containerd.toml"), "--log-level", "warn"]
        labels = f"topology.kubernetes.io/zone={self.settings.zone(self.number)}"
        kubelet = [
            *(kube, "kubelet", f"--config={etc / 'kubelet.json'}"),
            f"--kubeconfig={pki / self.name}.kubeconfig",
            f"--hostname-override={self.name}",
            f"--node-ip={node_address(self.number)}",
            f"--node-labels={labels}",
            "--root-dir=/var/lib/kubelet",
            "--v=1",
        ]
        proxy = [
            *(kube, "kube-proxy", f"--config={etc / 'kube-proxy.json'}", f"--hostname-override={self.name}")
        ]
        services: list[dict[str, Any]] = [
            {"name": "containerd", "argv": containerd},
            {"name": "kubelet", "argv": kubelet, "needs": node_config.CONTAINERD_SOCKET},
            {"name": "kube-proxy", "argv": proxy},
            disk_driver.node_service(self.paths, self.settings, self.number),
        ]
        return [{**service, "log": f"{self.name}-{service['name']}"} for service in services]


def manifest(number: int, zone: str) -> dict[str, Any]:
    """The machine's Node object, made before its kubelet, so that its pod range is known."""
    labels = {
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": zone.rpartition("-")[0],
        "kubernetes.io/hostname": node_name(number),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node_name(number), "labels": labels},
        "spec": {"podCIDR": pod_range(number), "podCIDRs": [pod_range(number)]},
    }

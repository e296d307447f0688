"""The driver of the cloud's disks: Google's parts stand in, Kubernetes' own parts are real.

The stand-in controller and the real external-attacher and external-resizer run in the hub, as on GKE
they run beside the control plane; the stand-in node driver is a service of each machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.addresses import node_name
from lab.paths import CHECKOUT, Paths
from lab.process import Registry
from lab.settings import Settings
from lab.standins.pd_csi.names import DISKS
from lab.supply import Supply
from lab.tools import stubs

CONTROLLER = "pd-csi-controller"


@dataclass(frozen=True)
class DiskDriver:
    paths: Paths
    supply: Supply
    registry: Registry

    def start(self, say: Callable[[str], None]) -> None:
        """Starts the hub's parts where they do not run."""
        environment = {**program_environment(self.paths), "KUBECONFIG": str(self._config)}
        for name, argv in self.commands().items():
            self.registry.ensure(name, argv, self.paths.hub, environment, say)

    def commands(self) -> dict[str, list[str]]:
        """What runs in the hub, in the order of starting."""
        address = f"--csi-address={self.paths.sockets / 'csi.sock'}"
        to_cluster = [address, f"--kubeconfig={self._config}"]
        return {
            CONTROLLER: [sys.executable, "-m", "lab.standins.pd_csi.controller", address],
            "csi-attacher": [str(self.supply.attacher), *to_cluster],
            "csi-resizer": [str(self.supply.resizer), *to_cluster],
        }

    @property
    def _config(self) -> Path:
        return self.paths.pki / "hub.kubeconfig"


def program_environment(paths: Paths) -> dict[str, str]:
    return {"PYTHONPATH": f"{CHECKOUT}:{stubs.folder()}", DISKS: str(paths.disks)}


def node_service(paths: Paths, settings: Settings, node: int) -> dict[str, Any]:
    """What a machine's PID 1 keeps running for the disks."""
    argv = [sys.executable, "-m", "lab.standins.pd_csi.node", "--node", node_name(node)]
    zone = ["--zone", settings.zone(node)]
    return {"name": "pd-csi", "argv": [*argv, *zone], "env": program_environment(paths)}

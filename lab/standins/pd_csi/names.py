"""What the driver is called, and where its parts meet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DRIVER: Final = "pd.csi.storage.gke.io"
VERSION: Final = "lab"
ZONE_LABEL: Final = "topology.gke.io/zone"
DISKS: Final = "GLUSTER_LAB_DISKS"
"""Environment variable with the root folder of the disks."""
MACHINES_PROJECT: Final = "gluster-lab"
MAX_VOLUMES: Final = 15
"""Of a machine: what Google allows the smallest ones."""
PLUGIN_FOLDER: Final = f"/var/lib/kubelet/plugins/{DRIVER}"
REGISTRY_FOLDER: Final = "/var/lib/kubelet/plugins_registry"


@dataclass(frozen=True)
class Instance:
    """A machine as Google's driver names it to Kubernetes."""

    zone: str
    name: str

    def __str__(self) -> str:
        return f"projects/{MACHINES_PROJECT}/zones/{self.zone}/instances/{self.name}"

    @staticmethod
    def parse(text: str) -> Instance | None:
        """None if it is no machine's name.

        >>> str(Instance.parse("projects/p/zones/us-central1-b/instances/kn1"))
        'projects/gluster-lab/zones/us-central1-b/instances/kn1'
        >>> Instance.parse("kn1") is None
        True
        """
        match = re.fullmatch(r"projects/[^/]+/zones/([^/]+)/instances/([^/]+)", text)
        return Instance(match[1], match[2]) if match else None

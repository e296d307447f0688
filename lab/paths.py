"""Where a lab keeps its things."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.addresses import lab_id, node_name

CHECKOUT: Final = Path(__file__).resolve().parents[1]
RUN_ROOT: Final = Path("/run/gluster-lab")
SHARED_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True)
class Paths:
    """The files of one lab. `state` is absolute and without symlinks: the id is made from it."""

    state: Path

    @staticmethod
    def of(state: Path) -> Paths:
        return Paths(state.resolve())

    @staticmethod
    def from_environment() -> Paths:
        return Paths.of(Path(os.environ.get("LAB_STATE") or CHECKOUT / ".lab"))

    @property
    def id(self) -> str:
        return lab_id(str(self.state))

    @property
    def record(self) -> Path:
        """What was decided when the lab was made: settings, link, the machine's boot."""
        return self.state / "lab.json"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def processes(self) -> Path:
        """One record a process."""
        return self.state / "run"

    @property
    def bin(self) -> Path:
        return self.state / "bin"

    @property
    def config(self) -> Path:
        """Rendered configuration of the hub's programs."""
        return self.state / "config"

    @property
    def disks(self) -> Path:
        return self.state / "disks"

    @property
    def pulumi_home(self) -> Path:
        return self.state / "pulumi" / "home"

    @property
    def pulumi_state(self) -> Path:
        return self.state / "pulumi" / "state"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def kube_cache(self) -> Path:
        """What kubectl remembers of the API: another lab may have the same address tomorrow."""
        return self.state / "kube-cache"

    @property
    def nodes(self) -> Path:
        return self.state / "nodes"

    def node(self, node: int) -> Path:
        return self.nodes / node_name(node)

    @property
    def sockets(self) -> Path:
        """Unix sockets: their paths may have 107 bytes, a state directory may have more."""
        return RUN_ROOT / self.id

    @property
    def lock(self) -> Path:
        return RUN_ROOT / f"{self.id}.lock"

    @property
    def memory(self) -> Path:
        """etcd's data: in memory, because it syncs every write and a lab needs none of that."""
        return SHARED_MEMORY / f"gluster-lab-{self.id}"

    @property
    def hub(self) -> str:
        """Name of the hub's network namespace."""
        return f"{self.id}-hub"

    def netns(self, node: int) -> str:
        return f"{self.id}-{node_name(node)}"

    def make(self) -> None:
        for path in (
            *(self.logs, self.processes, self.bin, self.config, self.disks),
            *(self.pulumi_home, self.pulumi_state, self.nodes, self.sockets, self.memory),
        ):
            path.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Removes the lab's own files, and the state directory if nothing else is in it."""
        for path in (
            *(self.pki, self.logs, self.processes, self.bin, self.config, self.disks, self.nodes),
            *(
                self.state / "pulumi",
                self.kube_cache,
                self.sockets,
                self.memory,
                self.pki.with_suffix(".new"),
            ),
        ):
            shutil.rmtree(path, ignore_errors=True)
        for file in (self.kubeconfig, self.record, self.record.with_suffix(".new")):
            file.unlink(missing_ok=True)
        for folder in (self.state, RUN_ROOT):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

"""The files of the disks: the only place that knows their layout.

`<root>/<project>/<zone>/<name>` with a suffix: `.img`, the content, sparse; `.json`, the description that
the stand-in of the Pulumi provider keeps; `.attached`, JSON `{"node": ...}` while a machine has the disk.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.standins.pd_csi.errors import invalid, not_found

GIB: Final = 1 << 30
UNSPECIFIED: Final = "UNSPECIFIED"
"""Project and zone in the handle that Kubernetes makes of an inline `gcePersistentDisk`."""
_HANDLE: Final = re.compile(r"projects/([a-zA-Z0-9:.-]+)/zones/([a-zA-Z0-9-]+)/disks/([a-z0-9-]+)")


@dataclass(frozen=True)
class Disk:
    """One disk, there or not."""

    root: Path
    project: str
    zone: str
    name: str

    def __str__(self) -> str:
        return f"projects/{self.project}/zones/{self.zone}/disks/{self.name}"

    def _file(self, suffix: str) -> Path:
        return self.root / self.project / self.zone / f"{self.name}.{suffix}"

    @property
    def image(self) -> Path:
        return self._file("img")

    def exists(self) -> bool:
        return self.image.exists()

    def size(self) -> int:
        """Bytes."""
        return self.image.stat().st_size

    def holder(self) -> str | None:
        """The machine that has it."""
        try:
            text = self._file("attached").read_text()
        except FileNotFoundError:
            return None
        return str(json.loads(text)["node"])

    def attach(self, node: str) -> str:
        """Gives it to the machine unless another has it; the machine that has it now.

        The file appears whole or not at all, and only one of two that want it gets it.
        """
        file = self._file("attached")
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{self.name}.") as new:
            new.write(json.dumps({"node": node}) + "\n")
            new.flush()
            while True:
                try:
                    os.link(new.name, file)
                    return node
                except FileExistsError:
                    if (holder := self.holder()) is not None:
                        return holder

    def detach(self) -> None:
        self._file("attached").unlink(missing_ok=True)

    def grow(self, size: int) -> int:
        """Makes it at least `size` bytes, in full GiB as Google's are; its size now. Never shrinks."""
        wanted = -(-size // GIB) * GIB
        if self.size() < wanted:
            os.truncate(self.image, wanted)
        self._describe({"size": self.size() // GIB})
        return self.size()

    def _describe(self, change: dict[str, Any]) -> None:
        """Keeps the description true where there is one."""
        file = self._file("json")
        if not file.exists():
            return
        old = json.loads(file.read_text())
        if {**old, **change} != old:
            new = file.with_suffix(".json.resized")
            new.write_text(json.dumps({**old, **change}, indent=1, sort_keys=True) + "\n")
            new.replace(file)


@dataclass(frozen=True)
class Disks:
    root: Path

    def find(self, handle: str) -> Disk:
        """The disk of a volume, which is there. Raises Refusal."""
        disk = self.parse(handle)
        if not disk.exists():
            raise not_found(f"googleapi: Error 404: The resource '{disk}' was not found, notFound")
        return disk

    def parse(self, handle: str) -> Disk:
        """The disk of a volume, there or not. Raises Refusal for what no disk can be called."""
        match = _HANDLE.fullmatch(handle)
        if match is None or set(match[1]) <= {"."}:
            raise invalid(f"volume ID {handle!r} is no projects/PROJECT/zones/ZONE/disks/NAME")
        project, zone, name = match.groups()
        if UNSPECIFIED in (project, zone):
            found = sorted(self.root.glob(f"*/*/{name}.img"))
            if len(found) == 1:
                project, zone = found[0].parts[-3:-1]
        return Disk(self.root, project, zone, name)

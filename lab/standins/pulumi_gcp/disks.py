"""Google's disks as sparse files: `<root>/<project>/<zone>/<name>.img`, described in `.json` beside it.

`<name>.attached` holds the name of the machine that has the disk; the CSI stand-in writes it.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.standins.pulumi_plugin.errors import ProviderError
from lab.standins.pulumi_plugin.values import Object

GIB: Final = 1 << 30
DETACH_SECONDS: Final = 60.0
"""How long a disk that is being deleted may stay in use, until it is taken away from its machine."""
_LOOK: Final = 0.2


@dataclass(frozen=True)
class DiskId:
    project: str
    zone: str
    name: str

    def __str__(self) -> str:
        return f"projects/{self.project}/zones/{self.zone}/disks/{self.name}"

    @staticmethod
    def parse(text: str) -> DiskId:
        """Raises ProviderError."""
        parts = text.split("/")
        if len(parts) != 6 or parts[::2] != ["projects", "zones", "disks"]:
            raise ProviderError(f"{text!r} is no disk: write projects/PROJECT/zones/ZONE/disks/NAME")
        return DiskId(*parts[1::2])


@dataclass(frozen=True)
class Disks:
    root: Path

    def _file(self, disk: DiskId, suffix: str) -> Path:
        return self.root / disk.project / disk.zone / f"{disk.name}.{suffix}"

    def image(self, disk: DiskId) -> Path:
        return self._file(disk, "img")

    def exists(self, disk: DiskId) -> bool:
        return self.image(disk).exists()

    def create(self, disk: DiskId, size: int, description: Object) -> None:
        """A blank disk of `size` GiB, there as a whole or not at all. Raises ProviderError."""
        image = self.image(disk)
        image.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=image.parent, prefix=f".{disk.name}.") as blank:
            os.truncate(blank.name, size * GIB)
            try:
                os.link(blank.name, image)
            except FileExistsError:
                what = f"googleapi: Error 409: The resource '{disk}' already exists, alreadyExists"
                raise ProviderError(f"Error creating Disk: {what}") from None
        self.describe(disk, description)

    def describe(self, disk: DiskId, description: Object) -> None:
        file = self._file(disk, "json")
        new = file.with_suffix(".json.new")
        new.write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")
        new.replace(file)

    def description(self, disk: DiskId) -> Object:
        """With the size that the disk has, in GiB."""
        file = self._file(disk, "json")
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return {**found, "size": self.image(disk).stat().st_size // GIB}

    def grow(self, disk: DiskId, size: int) -> None:
        """In place, while it is in use. Never shrinks."""
        image = self.image(disk)
        if image.stat().st_size < size * GIB:
            os.truncate(image, size * GIB)

    def user(self, disk: DiskId) -> str:
        """The machine that has it; empty where it is free."""
        file = self._file(disk, "attached")
        return (file.read_text().strip() or "unknown") if file.exists() else ""

    def delete(self, disk: DiskId, cancelled: threading.Event) -> None:
        """Waits while a machine has it, then takes it away, as the provider does before it deletes.

        Raises ProviderError where Google would refuse: the wait was cut short.
        """
        deadline = time.monotonic() + DETACH_SECONDS
        while (user := self.user(disk)) and time.monotonic() < deadline:
            if cancelled.wait(_LOOK):
                what = f"The disk resource '{disk}' is already being used by '{user}'"
                raise ProviderError(f"googleapi: Error 400: {what}, resourceInUseByAnotherResource")
        for suffix in ("attached", "img", "json"):
            self._file(disk, suffix).unlink(missing_ok=True)

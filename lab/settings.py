"""Settings of a lab, and the record that keeps them while it lives."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.addresses import MAX_NODES, Link
from lab.errors import LabError


@dataclass(frozen=True)
class Settings:
    """Each field is read from `LAB_<FIELD>`; the times are shorter than Google's to spare testers."""

    nodes: int = 6
    node_grace: int = 20
    """Seconds without a sign of life after which a machine is NotReady (Google: 40 or more)."""
    toleration: int = 30
    """Seconds that a pod stays bound to a machine that is NotReady (Kubernetes: 300)."""
    zones: tuple[str, ...] = ("us-central1-b",)
    """Zones of the machines, in turn."""

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """Raises LabError with all that is wrong."""
        env = os.environ if environment is None else environment
        default, wrong = Settings(), list[str]()

        def number(field: str, least: int, most: int) -> int:
            text = env.get(f"LAB_{field.upper()}", "")
            value = getattr(default, field) if not text else int(text) if text.isdecimal() else -1
            if not least <= value <= most:
                wrong.append(f"LAB_{field.upper()}={text} is not a number from {least} to {most}")
            return int(value)

        zones = tuple(z.strip() for z in env.get("LAB_ZONES", "").split(",") if z.strip())
        found = Settings(
            nodes=number("nodes", 1, MAX_NODES),
            node_grace=number("node_grace", 8, 3600),
            toleration=number("toleration", 1, 3600),
            zones=zones or default.zones,
        )
        if wrong:
            raise LabError("; ".join(wrong))
        return found

    def zone(self, node: int) -> str:
        return self.zones[(node - 1) % len(self.zones)]


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Record:
    """What was decided when the lab was made."""

    settings: Settings
    link: Link
    boot: str

    def write(self, path: Path) -> None:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=2) + "\n")
        new.replace(path)

    @staticmethod
    def read(path: Path) -> Record | None:
        """None where no lab was made. Raises LabError for a file that is none of ours."""
        if not path.exists():
            return None
        try:
            data = json.loads(path.read_text())
            settings = {**data["settings"], "zones": tuple(data["settings"]["zones"])}
            return Record(Settings(**settings), Link(**data["link"]), data["boot"])
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"{path} is not a lab's record ({error}): `make down` removes it") from error

"""How a lab is, as lines for a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lab import network
from lab.cluster import Lab
from lab.faults import ApiServer
from lab.process import of_lab, state


def lines(lab: Lab) -> Iterator[str]:
    """Raises LabError if no lab was made."""
    record, registry = lab.record, lab.registry
    yield f"lab {lab.paths.id} in {lab.paths.state}"
    yield f"API server {record.link.hub}:6443" + (", paused" if ApiServer(registry).paused() else "")
    machines = {node.name: node for node in lab.nodes()}
    for name in registry.names():
        if name not in machines:
            process = registry.get(name)
            yield f"  {name:24} {f'pid {process.pid}' if process else 'ended: ' + registry.last_words(name)}"
    ready = lab.ready()
    for name, node in machines.items():
        power = "on" if node.init() else "off"
        cable = ", cable cut" if node.init() and not node.network.plugged(node.number) else ""
        zone = record.settings.zone(node.number)
        yield f"  {name:6} {zone}  power {power}{cable}, {'' if node.number in ready else 'not '}Ready"
    processes = of_lab(lab.paths.id, network.inodes(lab.paths.id))
    memory = sum(_memory(p.pid) for p in processes) / 1024
    yield f"{len(processes)} processes, {memory:.0f} MB, load of the whole machine {os.getloadavg()[0]:.1f}"


def _memory(pid: int) -> int:
    """Its share of memory in KiB: a page that several processes use counts once in all."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return (
        sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        if state(pid)
        else 0
    )

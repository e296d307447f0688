"""What /metrics says, in Prometheus' text format. Pure.

Gauges are of the last look; counters are since the process began and are counted where things happen,
in one `Tally` that all parts of a sidecar share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from . import planner
from .model import Cluster
from .report import Readiness
from .trouble import troubles

Tally = Counter[str]
"""Samples of counters: a name of `HELP`, with its labels as they are printed."""

PREFIX: Final = "gluster_sidecar_"
HELP: Final[Mapping[str, str]] = {
    "ready": "1 if its brick serves and has nothing to catch up on",
    "actor": "1 on the one sidecar that changes the cluster",
    "rule": "1 for the rule that spoke in the last cycle",
    "waits": "1 if that rule waits for something",
    "glusterd_up": "1 if this node's glusterd answers",
    "disk_takes_writes": "0 while the disk refuses synced writes or hangs in one",
    "bricks_silent": "bricks of this node whose process lives and answers nobody",
    "healer_up": "1 if this node's heal daemon runs; absent while not known",
    "peers": "other nodes in the pool",
    "peers_connected": "those of them that are connected and in the cluster",
    "bricks": "bricks of the volume",
    "bricks_up": "those of them that run, as the actor sees it; absent elsewhere and while not known",
    "bricks_whole": "those of them that are known to have every write; of the actor only",
    "pending_heals": "entries that another brick lacks, by this node's; absent while not known",
    "volume_pending_heals": "the same of the whole volume, where the actor asked; absent while not known",
    "split_brain_entries": "entries of which no copy is known to be right; absent while not known",
    "troubles": "what waits for a person, as in the status object",
    "cycle_seconds": "how long the last cycle took",
    "cycles_total": "cycles since the start",
    "cycles_failed_total": "those of them that ended in an error",
    "steps_total": "steps carried out since the start",
    "gluster_commands_total": "commands given to glusterd since the start",
    "api_requests_total": "requests to Kubernetes since the start; a watch is one for its whole life",
}


def of(
    cluster: Cluster, rules: Collection[planner.Decision], ready: Readiness, pending: int | None
) -> dict[str, float]:
    """The gauges of one look. What is not known is left out: it is neither 0 nor any other number (law 4)."""
    pool = cluster.pool
    found: dict[str, float | None] = {
        "ready": ready.ready,
        "actor": planner.acts(cluster),
        "glusterd_up": pool is not None,
        "disk_takes_writes": not cluster.own.service.disk,
        "bricks_silent": len(cluster.own.service.silent),
        "healer_up": cluster.own.service.healer,
        "pending_heals": pending,
        "waits": any(decision.waits_for for decision in rules),
        "troubles": len(troubles(cluster)),
    }
    found |= {f'rule{{rule="{decision.rule}"}}': 1 for decision in rules}
    if pool is not None:
        found["peers"] = len(pool.peers)
        found["peers_connected"] = sum(p.connected and p.in_cluster for p in pool.peers.values())
    if pool is not None and (volume := pool.volume) is not None:
        found["bricks"] = len(volume.bricks)
        if planner.acts(cluster) and volume.detailed:
            found["bricks_up"] = sum(brick.online is True for brick in volume.bricks)
            found["bricks_whole"] = len(cluster.notes.whole & {brick.id for brick in volume.bricks})
            found["volume_pending_heals"] = volume.heals
            found["split_brain_entries"] = volume.split_brain
    return {name: float(value) for name, value in found.items() if value is not None}


def text(samples: Mapping[str, float]) -> str:
    """The exposition of gauges and counters together; a name without a line in `HELP` is a KeyError."""
    lines, said = [], ""
    for sample, value in sorted(samples.items()):
        name = sample.partition("{")[0]
        if name != said:
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP {PREFIX}{name} {HELP[name]}", f"# TYPE {PREFIX}{name} {kind}"]
            said = name
        lines.append(f"{PREFIX}{sample} {value:.15g}")
    return "\n".join(lines) + "\n"

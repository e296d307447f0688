"""A preview of a large storage cluster against as many plain resources, on the real Pulumi engine.

No cluster is reached: a preview that finds none asks its own state alone. What the figures compare is
what the program and its components cost beyond the resources themselves.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab.standins.install import install
from lab.tools import engine
from tests.standins.workbench import ROOT, Bench

LOOK_SECONDS: Final = 0.5
FILES: Final = ("__main__.py", "Pulumi.yaml")
FOLDERS: Final = ("gluster_stack", "sidecar")

PLAIN: Final = """\
import pulumi, pulumi_kubernetes as k8s

for n in range({count}):
    k8s.core.v1.ConfigMap(f"plain-{{n}}", metadata={{"name": f"plain-{{n}}"}}, data={{"n": str(n)}})
"""


@dataclass(frozen=True, slots=True)
class Cost:
    resources: int
    seconds: float
    cpu_seconds: float
    """Of all processes together: what other work on the machine does not change."""
    megabytes: float
    """The most that all processes of `pulumi` had in memory together."""


def compare(nodes: int) -> tuple[Cost, Cost]:
    """Of a preview of `nodes` nodes, and of as many plain ConfigMaps as that has resources."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        home, bin_ = folder / "home", folder / "bin"
        bin_.mkdir()
        pulumi = engine.ensure(print)
        (bin_ / "pulumi").symlink_to(pulumi.program)
        install(home, bin_, ROOT / ".venv/bin/python", pulumi.language_exec)
        stack = _measured(_product(folder / "product", home, bin_, nodes))
        plain = Bench(folder / "plain", home, bin_)
        (plain.folder / "__main__.py").write_text(PLAIN.format(count=stack.resources))
        return stack, _measured(plain)


def _product(folder: Path, home: Path, bin_: Path, nodes: int) -> Bench:
    bench = Bench(folder, home, bin_)
    for name in FILES:
        shutil.copy2(ROOT / name, folder / name)
    for name in (*FOLDERS, ".venv"):
        (folder / name).symlink_to(ROOT / name)
    bench.run("stack", "init", "large").ok()
    config = {"gcp:project": "gluster-lab", "gcp:zone": "us-central1-b", "gluster-stack:nodeCount": nodes}
    (folder / "Pulumi.large.yaml").write_text(yaml.safe_dump({"config": config}))
    return bench


def _measured(bench: Bench) -> Cost:
    started, before, peak = time.monotonic(), _cpu_seconds(), 0
    with bench.start("preview", "--json") as process:
        done = threading.Event()

        def look() -> None:
            nonlocal peak
            while not done.wait(LOOK_SECONDS):
                peak = max(peak, _resident(process.pid))

        watcher = threading.Thread(target=look)
        watcher.start()
        text, _ = process.communicate()
        done.set()
        watcher.join()
    seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(text)
    steps: list[Any] = json.loads(text[text.index("{") :])["steps"]
    return Cost(len(steps), seconds, _cpu_seconds() - before, peak / 1024)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident(root: int) -> int:
    """KiB of a process and all below it. Pages that they share count in each."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)
    children, size = defaultdict[int, list[int]](list), dict[int, int]()
    for pid, parent, resident in (map(int, line.split()) for line in listed.stdout.splitlines()):
        children[parent].append(pid)
        size[pid] = resident
    total, ahead = 0, [root]
    while ahead:
        pid = ahead.pop()
        total += size.get(pid, 0)
        ahead += children[pid]
    return total

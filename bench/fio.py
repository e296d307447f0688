"""Large I/O by fio, on a folder that this machine's programs can reach."""

from __future__ import annotations

import json
import shutil
from typing import Final

from bench.pool import run

SIZE: Final = "256M"
JOBS: Final = {
    "sequential write": ("--rw=write", "--bs=1M", "--end_fsync=1"),
    "sequential read": ("--rw=read", "--bs=1M"),
    "random write 64 KiB": ("--rw=randwrite", "--bs=64k", "--io_size=128M", "--end_fsync=1"),
    "random read 64 KiB": ("--rw=randread", "--bs=64k", "--io_size=128M"),
}
"""In this order: the first makes the file that the others use. fio drops what the kernel holds of it."""


def missing() -> str:
    """Why it cannot be run here; empty if it can."""
    return "" if shutil.which("fio") else "fio is not on the PATH: `apt-get install fio`"


def measure(folder: str) -> dict[str, float]:
    """Bytes a second, by job."""
    found = {}
    for name, words in JOBS.items():
        common = (f"--directory={folder}", f"--size={SIZE}", "--filename=fio", "--name=x", "--ioengine=psync")
        (job,) = json.loads(run("fio", "--output-format=json", *common, *words))["jobs"]
        kind = "write" if "write" in name else "read"
        found[name] = float(job[kind]["bw_bytes"])
        if kind == "write":
            # With the time that the last byte took to reach the disks.
            found[name] = job[kind]["io_bytes"] / (job["job_runtime"] / 1000)
    return found

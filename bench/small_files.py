"""Rates of a small-file workload, by operation: a program of its own that needs nothing but Python.

    python3 small_files.py FOLDER ELSEWHERE COUNT

FOLDER is a folder of the volume through one client; ELSEWHERE the same folder through another, which
has seen nothing of it. Prints JSON: operations a second.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable

SIZE = 4096
FOLDERS = 10
EXPIRY_SECONDS = 4
"""After this long, what the kernel and stock GlusterFS keep of names and attributes (1 s) is old."""


def rate(operation: Callable[[str], object], names: Iterable[str]) -> float:
    wanted = list(names)
    began = time.perf_counter()
    for name in wanted:
        operation(name)
    return len(wanted) / (time.perf_counter() - began)


def write(name: str) -> None:
    with open(name, "xb") as file:
        file.write(b"x" * SIZE)


def append(name: str) -> None:
    with open(name, "ab") as file:
        file.write(b"x" * SIZE)


def read(name: str) -> None:
    with open(name, "rb") as file:
        assert len(file.read()) >= SIZE


def missing(name: str) -> None:
    assert not os.path.exists(f"{name}.none")


def listing(folder: str) -> float:
    """Entries a second, each with its attributes, as `ls -l` and backups do."""
    began, seen = time.perf_counter(), 0
    for part in range(FOLDERS):
        for entry in os.scandir(f"{folder}/{part}"):
            entry.stat()
            seen += 1
    return seen / (time.perf_counter() - began)


def measure(here: str, elsewhere: str, count: int) -> dict[str, float]:
    names = [f"{i % FOLDERS}/{i}" for i in range(count)]
    mine, others = [f"{here}/{n}" for n in names], [f"{elsewhere}/{n}" for n in names]
    for part in range(FOLDERS):
        os.makedirs(f"{here}/{part}")
    found = {"create": rate(write, mine)}
    found["stat"] = rate(os.stat, mine)
    time.sleep(EXPIRY_SECONDS)
    found["stat later"] = rate(os.stat, mine)
    found["missing name"] = rate(missing, mine)
    found["missing again"] = rate(missing, mine)
    found["list, cold"] = listing(elsewhere)
    time.sleep(EXPIRY_SECONDS)
    found["list again"] = listing(elsewhere)
    found["read, cold"] = rate(read, others)
    time.sleep(EXPIRY_SECONDS)
    found["read again"] = rate(read, others)
    found["append"] = rate(append, mine)
    found["rename"] = rate(lambda name: os.rename(name, f"{name}.new"), mine)
    found["delete"] = rate(lambda name: os.unlink(f"{name}.new"), mine)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))

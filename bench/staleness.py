"""How late one client sees what another did: a program of its own that needs nothing but Python.

    python3 staleness.py HERE ELSEWHERE TRIALS

Two mounts of one folder. Each trial lets the second client know the old state, changes it through the
first (and closes what was written), and asks the second until it sees the change. Prints JSON: the
longest time in seconds, by kind of change.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Callable

PATIENCE_SECONDS = 20


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def content(path: str) -> str:
    """Empty also where the name still leads to a file that another has taken the place of."""
    try:
        with open(path) as file:
            return file.read()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESTALE):
            raise
        return ""


def delay(path: str, sees: Callable[[str], bool]) -> float:
    began = time.perf_counter()
    while not sees(path):
        if time.perf_counter() - began > PATIENCE_SECONDS:
            break
    return time.perf_counter() - began


def measure(here: str, elsewhere: str, trials: int) -> dict[str, float]:
    longest: dict[str, float] = {}

    def note(kind: str, seconds: float) -> None:
        longest[kind] = max(seconds, longest.get(kind, 0.0))

    for number in range(trials):
        mine, other = f"{here}/{number}", f"{elsewhere}/{number}"
        assert not os.path.exists(other)
        write(mine, "old")
        note("created: exists", delay(other, lambda path: os.path.exists(path)))
        content(other)
        write(mine, "new")
        note("rewritten: content", delay(other, lambda path: content(path) == "new"))
        with open(mine, "a") as file:
            file.write("er")
        note("appended: size", delay(other, lambda path: os.stat(path).st_size == 5))
        note("appended: content", delay(other, lambda path: content(path) == "newer"))
        write(f"{mine}.draft", "other")
        os.rename(f"{mine}.draft", mine)
        note("replaced by rename: content", delay(other, lambda path: content(path) == "other"))
        os.chmod(mine, 0o600)
        note("mode", delay(other, lambda path: os.stat(path).st_mode & 0o777 == 0o600))
        os.unlink(mine)
        note("deleted: gone", delay(other, lambda path: not os.path.exists(path)))
    return longest


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))

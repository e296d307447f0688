"""How long a writer waits when a brick dies and when a machine's power is cut, and whether load alone
makes a client believe that a server is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Final

from bench.pool import CLIENT, SERVERS, Pool, wait_for

WRITER: Final = """
import json, os, sys, time
folder, stop = sys.argv[1:]
worst, count, errors, began = 0.0, 0, [], 0.0
while not os.path.exists(stop):
    began = time.monotonic()
    try:
        with open(f"{folder}/paused-{count % 16}", "w") as file:
            file.write("x"); file.flush(); os.fsync(file.fileno())
    except OSError as error:
        errors.append(str(error))
    count, worst = count + 1, max(worst, time.monotonic() - began)
    with open("/tmp/written", "w") as file:
        file.write(str(count))
print(json.dumps({"worst": worst, "count": count, "errors": errors}))
"""
"""Writes 16 files by turns, so that every brick is written to."""
LOAD_SECONDS: Final = 60
BUSY_PER_CORE: Final = 2
STOP: Final = "/tmp/stop-writing"


def worst(pool: Pool, volume: str, happens: Callable[[], object]) -> tuple[float, list[str]]:
    """Seconds that the slowest write took while `happens` did, and the errors that writes met."""
    with pool.mounted(volume) as folder:
        pool.inside(CLIENT, "rm", "-f", STOP, "/tmp/written")
        enter = ("nsenter", "-t", str(pool.pid(CLIENT)), "--mount", "--net", "--pid", "--root", "--wd=/")
        writer = subprocess.Popen(
            [*enter, "python3", "-c", WRITER, folder, STOP], stdout=subprocess.PIPE, text=True
        )
        written(pool, 50)
        try:
            happens()
            written(pool, 50)
        finally:
            pool.inside(CLIENT, "touch", STOP)
            found = json.loads(writer.communicate(timeout=300)[0])
    return found["worst"], found["errors"]


def count(pool: Pool) -> int:
    return int(pool.inside(CLIENT, "sh", "-c", "cat /tmp/written 2>/dev/null || true").strip() or 0)


def written(pool: Pool, more: int) -> None:
    """Returns when `more` files were written since."""
    before = count(pool)
    wait_for("the writer goes on", lambda: count(pool) >= before + more, 300)


def kill_brick(pool: Pool, number: int) -> None:
    """The pool has one volume."""
    pool.inside(number, "sh", "-c", "kill -9 $(pgrep -x glusterfsd)")


def cut_power(pool: Pool, number: int) -> None:
    """The cable first: no connection is closed in an orderly way."""
    pool.plug(number, False)
    os.kill(pool.pid(number), signal.SIGKILL)


def false_alarms(pool: Pool, volume: str) -> list[str]:
    """What a client says of servers that do not answer while the machine does far more than it can."""
    busy = [
        subprocess.Popen(["sh", "-c", "while :; do :; done"])
        for _ in range(BUSY_PER_CORE * (os.cpu_count() or 1))
    ]
    try:
        with pool.mounted(volume) as folder:
            words = ("--size=8M", "--time_based", f"--runtime={LOAD_SECONDS}", "--numjobs=4", "--bs=64k")
            where = f"--directory={pool.seen_from_here(folder)}"
            subprocess.run(
                ["fio", "--name=load", "--rw=randrw", "--fsync=16", where, *words],
                check=True,
                stdout=subprocess.DEVNULL,
            )
    finally:
        for process in busy:
            process.kill()
            process.wait()
    log = pool.inside(CLIENT, "sh", "-c", "cat /var/log/glusterfs/mnt-*.log")
    return [line for line in log.splitlines() if "has not responded" in line or "disconnected from" in line]


def report(pool: Pool, volume: str, say: Callable[[str], None]) -> None:
    """The last machine stays without power."""
    alarms = false_alarms(pool, volume)
    say(f"{volume}: under overload for {LOAD_SECONDS} s, servers believed dead: {len(alarms)} (wanted: 0)")
    for line in alarms[:3]:
        say(f"    {line}")
    victim = SERVERS[-1]
    for what, happens in (
        ("a brick is killed", lambda: kill_brick(pool, victim)),
        ("a machine's power is cut", lambda: cut_power(pool, SERVERS[1])),
    ):
        seconds, errors = worst(pool, volume, happens)
        said = f"errors: {sorted(set(errors))}" if errors else "no error"
        say(f"{volume}: {what}: the slowest write took {seconds:.2f} s, {said}")

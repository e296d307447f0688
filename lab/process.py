"""Processes that outlive the command which started them: kept by pid and start time, found by mark.

A pid alone is never trusted: the kernel gives it to another process later. A process that died between
its start and the writing of its record is found by the mark in its environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError

_ENTER: Final = """
ulimit -n "$1"; left=$2; shift 2
while [ "$left" -gt 0 ]; do echo $$ >"$1" || exit 1; shift; left=$((left - 1)); done
exec "$@"
"""
"""Joins the cgroups and becomes the program, so that the pid stays the same.

It has no child, not even for a moment: one would outlive it when it is killed while it starts.
"""

MARK: Final = "GLUSTER_LAB_PROCESS"
"""In the environment of everything a lab leaves running; its value is the lab's id."""


CLEAN: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
"""The environment of what a lab leaves running: a proxy setting of the caller would lead astray."""


@dataclass(frozen=True)
class Process:
    """One life of one pid; `started` in clock ticks since boot."""

    pid: int
    started: int


def look(pid: int) -> Process | None:
    """The process that has this pid now; None if there is none or only its corpse."""
    fields = _stat(pid)
    return Process(pid, int(fields[19])) if fields and fields[0] not in "ZX" else None


def state(pid: int) -> str:
    """The kernel's letter for what the process does: R, S, D, T (stopped); empty if there is none."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def alive(process: Process | None) -> bool:
    return process is not None and look(process.pid) == process


def send(process: Process, number: signal.Signals) -> bool:
    """Sends a signal to this very process; False if it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if look(process.pid) != process:
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def kill(process: Process, seconds: float = 10) -> None:
    """Ends the process without asking and waits until it is gone. Raises LabError if it stays."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if look(process.pid) != process:
            return
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        if not select.select([handle], [], [], seconds)[0]:
            raise LabError(f"process {process.pid} does not end: see /proc/{process.pid}/stack")
        _reap(process.pid)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _reap(pid: int) -> None:
    """Takes the corpse of a child of this very command, which nobody else can take."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _most_files() -> str:
    """How many files a process may have open at most, as ulimit takes it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return "unlimited" if most == resource.RLIM_INFINITY else str(most)


@dataclass(frozen=True)
class Registry:
    """The processes that a lab started by name."""

    folder: Path
    logs: Path
    lab_id: str

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def get(self, name: str) -> Process | None:
        """The living process of that name."""
        try:
            process = Process(**json.loads((self.folder / f"{name}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return process if alive(process) else None

    def known(self, name: str) -> bool:
        """Whether a process of that name was started, dead or alive."""
        return (self.folder / f"{name}.json").exists()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        netns: str | None = None,
        cgroups: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Starts `argv` in its own session, its output appended to the log of that name."""
        enter = ["nsenter", f"--net=/run/netns/{netns}", "--"] if netns else []
        joins = [str(cgroup / "cgroup.procs") for cgroup in cgroups]
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                ["sh", "-c", _ENTER, name, _most_files(), str(len(joins)), *joins, *enter, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**CLEAN, **(env or {}), MARK: self.lab_id},
                start_new_session=True,
            )
        child.returncode = 0  # it outlives us: nobody waits for it, and Popen shall not complain
        process = look(child.pid)
        if process is None:
            raise LabError(f"{name} ended at once: {self.last_words(name)}")
        new = self.folder / f"{name}.new"
        new.write_text(json.dumps(asdict(process)))
        new.replace(self.folder / f"{name}.json")
        return process

    def ensure(
        self, name: str, argv: Sequence[str], netns: str, env: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        """Starts it if it does not run; says so if it ran before."""
        if self.get(name) is None:
            if self.known(name):
                say(f"{name} had ended: starting it again")
            self.start(name, argv, netns=netns, env=env)

    def check(self, names: Iterable[str]) -> None:
        """Raises LabError for one that does not run."""
        for name in names:
            if self.get(name) is None:
                raise LabError(f"{name} ended: {self.last_words(name)}")

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def last_words(self, name: str) -> str:
        """The last line of its log, and where the rest is."""
        try:
            lines = self.log(name).read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1][-300:] if lines else 'it said nothing'}; log: {self.log(name)}"


def processes() -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            yield int(entry)


def of_lab(lab_id: str, namespaces: frozenset[int]) -> list[Process]:
    """Every process of the lab, started by us or by one of those: by mark, cgroup or network.

    `namespaces` are the inodes of the lab's network namespaces.
    """
    mark = f"{MARK}={lab_id}\0".encode()
    found = []
    for pid in processes():
        if pid != os.getpid() and _belongs(pid, mark, f"/{lab_id}/", namespaces):
            process = look(pid)
            if process is not None:
                found.append(process)
    return found


def _belongs(pid: int, mark: bytes, cgroup: str, namespaces: frozenset[int]) -> bool:
    root = Path(f"/proc/{pid}")
    try:
        if mark in (root / "environ").read_bytes() + b"\0":
            return True
        if any(cgroup in line + "/" for line in (root / "cgroup").read_text().splitlines()):
            return True
        return (root / "ns/net").stat().st_ino in namespaces
    except OSError:
        return False

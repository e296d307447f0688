"""Whether what runs on this node serves: the daemon asks it. That a process exists is no evidence (law 11).

glusterd, bricks and heal daemons each listen on a socket of their own for management, and answer there which
programs they know, whoever asks (GF_DUMP in rpc/rpc-lib/src/rpcsvc.c of GlusterFS). The threads that answer
are those that take the requests of clients. Not asked at a brick's port: with `server.ssl on` it answers
nobody who has no certificate. Whether the disk takes writes is another question, for a brick on a disk that
hangs answers all the same (seen on 11.1: for eleven minutes of `fsfreeze`, in which the whole volume hung).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from .disk_probe import DiskProbe
from .model import Service
from .run_files import BRICKS_FILE, END_FILE, SERVICE_FILE, put

log = logging.getLogger(__name__)

TURN_SECONDS: Final = 0.5
ASK_SECONDS: Final = 10.0
"""How long one answer may take. They take milliseconds."""
AGAIN_SECONDS: Final = 5.0
"""Between two questions to a process that answered."""
STALE_SECONDS: Final = 60.0
"""After so long without a turn, what was told last is not to be believed."""
TELL_LAST: Final = 8

_CALL: Final = struct.pack(
    # XID, CALL, version 2 of RPC; program GF_DUMP, version 1, procedure DUMP; no credentials; an id
    ">10IQ",
    *(7, 0, 2),
    *(123451501, 1, 1),
    *(0, 0, 0, 0),
    0,
)
_LAST_FRAGMENT: Final = 0x80000000


class Kind(StrEnum):
    GLUSTERD = "glusterd"
    BRICK = "brick"
    HEALER = "heal daemon"


HUNG_SECONDS: Final = {Kind.BRICK: 60.0, Kind.HEALER: 60.0, Kind.GLUSTERD: 120.0}
"""A process that answers nothing for so long is ended. A glusterd may wait so long for its own commands, and
one that is ended while it writes its store may not read it again."""
STARTING_SECONDS: Final = 900.0
"""One that has not answered yet may look up names that nobody resolves, one after the other."""
TAKE_OUT_SECONDS: Final = 600.0
"""Between two ends of a brick for its disk: one that is slow under heals would be ended again and again."""


@dataclass(frozen=True, slots=True)
class Part:
    kind: Kind
    pid: int
    process: str
    """Another for each start of it: its id, when it started in clock ticks since boot, and which boot."""
    socket: str
    path: str = ""
    """Of a brick."""

    def __str__(self) -> str:
        return f"{self.kind} {self.path}".strip()


class Said(StrEnum):
    ANSWERS = "answers"
    SILENT = "silent"
    ABSENT = "absent"
    """Nobody listens there: it has not got so far yet."""


def ask(path: str, seconds: float = ASK_SECONDS) -> Said:
    """What a process of GlusterFS says at its socket, within so many seconds."""
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(seconds)
            caller.connect(path)
            caller.sendall(struct.pack(">I", _LAST_FRAGMENT | len(_CALL)) + _CALL)
            return Said.ANSWERS if caller.recv(1) else Said.ABSENT
    except (TimeoutError, BlockingIOError):  # or so many wait already that there is no room for one more
        return Said.SILENT
    except OSError:
        return Said.ABSENT


def parts(run: Path = Path("/run"), proc: Path = Path("/proc")) -> list[Part]:
    """Of the processes that glusterd started, by the files in which it notes their ids: those that live."""
    boot = (proc / "sys/kernel/random/boot_id").read_text()[:8]
    found = []
    for kind, pattern in ((Kind.BRICK, "gluster/vols/*/*.pid"), (Kind.HEALER, "gluster/shd/*/*.pid")):
        for file in sorted(run.glob(pattern)):
            # Whatever ends meanwhile is none of them.
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(file.read_text())
                words = (proc / str(pid) / "cmdline").read_text().split("\0")
                path = words[words.index("--brick-name") + 1] if kind is Kind.BRICK else ""
                found.append(Part(kind, pid, process_of(pid, boot, proc), words[words.index("-S") + 1], path))
    return found


def process_of(pid: int, boot: str, proc: Path = Path("/proc")) -> str:
    """As `Part.process`. Raises OSError if there is none."""
    started = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    return f"{pid}.{started}.{boot}"


def running_bricks(found: Iterable[Part]) -> list[str]:
    """`PROCESS PATH` of each brick among them."""
    return sorted(f"{part.process} {part.path}" for part in found if part.kind is Kind.BRICK)


@dataclass(slots=True)
class Watcher:
    """Asks each part, ends what hangs, and tells the sidecar."""

    parts: Callable[[], list[Part]]
    disk: DiskProbe
    bricks_file: Path = Path(BRICKS_FILE)
    service_file: Path = Path(SERVICE_FILE)
    end_file: Path = Path(END_FILE)
    ask: Callable[[str], Said] = ask
    clock: Callable[[], float] = time.monotonic
    turned_at: float = float("-inf")
    _silent_since: dict[str, float] = field(default_factory=dict)
    _answered_at: dict[str, float] = field(default_factory=dict)
    """By process; none that did not answer when it was asked last."""
    _started: set[str] = field(default_factory=set)
    """Processes that have answered once."""
    _taken_out_at: float = float("-inf")
    _ended: list[str] = field(default_factory=list)
    _told: tuple[str, str] = "", ""
    _stale: bool = False

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.turn()
            stop.wait(TURN_SECONDS)

    def turn(self) -> None:
        found = self.parts()
        for part in found:
            if self.clock() - self._answered_at.get(part.process, float("-inf")) >= AGAIN_SECONDS:
                self._hear(part)
        known = {part.process for part in found}
        self._answered_at = {p: at for p, at in self._answered_at.items() if p in known}
        self._silent_since = {p: at for p, at in self._silent_since.items() if p in known}
        self._started &= known
        self._end_as_asked(found)
        self._tell(found)
        self.turned_at = self.clock()

    def distrust_if_stale(self) -> None:
        """What was told is taken back while the thread that tells it hangs."""
        if self.clock() - self.turned_at > STALE_SECONDS:
            self.take_back()

    def take_back(self) -> None:
        """Without it the sidecar knows of no brick that runs. All of it is told again by the next turn."""
        self._stale = True
        self.bricks_file.unlink(missing_ok=True)
        self.service_file.unlink(missing_ok=True)

    def _hear(self, part: Part) -> None:
        asked, said = self.clock(), self.ask(part.socket)
        if said is Said.ANSWERS:
            self._answered_at[part.process] = self.clock()
            self._started.add(part.process)
        else:
            self._answered_at.pop(part.process, None)
        if said is not Said.SILENT:
            self._silent_since.pop(part.process, None)
            return
        since = self._silent_since.setdefault(part.process, asked)
        most = HUNG_SECONDS[part.kind] if part.process in self._started else STARTING_SECONDS
        # Asked twice at least: a machine that stood still has asked for none of its time.
        long = asked > since and self.clock() - since >= most
        # On a disk that hangs it may not be to blame, and could not be started.
        if long and not self.disk.wrong():
            self._end(part, f"did not answer for {most:.0f} s")

    def _end(self, part: Part, why: str) -> None:
        """By SIGKILL, which also ends what was stopped; never another process with its number."""
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(part.pid)
            try:
                if process_of(part.pid, part.process.rpartition(".")[2]) == part.process:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    log.error("%s %s: it is killed", part, why)
                    now = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251
                    self._ended = [*self._ended, f"{now} {part} {why}: it was killed"][-TELL_LAST:]
            finally:
                os.close(handle)
        self._silent_since.pop(part.process, None)
        self._answered_at.pop(part.process, None)
        self._started.discard(part.process)  # what is left of it, on a disk that hangs, serves nobody

    def _end_as_asked(self, found: Iterable[Part]) -> None:
        try:
            process = self.end_file.read_text().strip()
        except FileNotFoundError:
            return
        for part in found:
            # Unless the disk has come back meanwhile.
            if part.kind is Kind.BRICK and part.process == process and (wrong := self.disk.wrong()):
                self._end(part, f"serves nobody, for {wrong}")
                self._taken_out_at = self.clock()
        self.end_file.unlink(missing_ok=True)

    def _tell(self, found: list[Part]) -> None:
        bricks = [part for part in found if part.kind is Kind.BRICK]
        started = running_bricks(part for part in bricks if part.process in self._started)
        service = Service(
            silent=frozenset(part.path for part in bricks if part.process in self._silent_since),
            glusterd_silent=any(p.kind is Kind.GLUSTERD and p.process in self._silent_since for p in found),
            disk=self.disk.wrong(),
            healer=any(part.kind is Kind.HEALER for part in found),
            may_end=self.clock() - self._taken_out_at >= TAKE_OUT_SECONDS,
            ended=tuple(self._ended),
        )
        if self._stale:
            self._told, self._stale = ("", ""), False
        # Who finds the bricks finds the rest as well.
        told = format_service(service), "\n".join(started) + "\n"
        for file, text, before in zip((self.service_file, self.bricks_file), told, self._told, strict=True):
            if text != before:
                put(file, text)
        self._told = told


def format_service(service: Service) -> str:
    return json.dumps({**asdict(service), "silent": sorted(service.silent)})


def parse_service(text: str) -> Service:
    """Nothing is known if the daemon has not told yet."""
    if not text:
        return Service()
    told = json.loads(text)
    return Service(**{**told, "silent": frozenset(told["silent"]), "ended": tuple(told["ended"])})

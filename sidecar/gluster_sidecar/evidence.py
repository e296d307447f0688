"""Which bricks a brick blames: the evidence of law 3, read where it is written.

AFR marks on each copy of an entry which other copies lack something (`trusted.afr.<client>`: three counters
of 32 bits, of data, metadata and entry operations), and keeps the entry in the brick's own index until all is
healed (doc/developer-guide/afr-self-heal-daemon.md of GlusterFS). To read that costs nobody else anything,
and it survives the restart of whatever reads it. Only the container of glusterd may read the attributes; so
its daemon reads them into a file for the sidecar, which knows which brick a client's name stands for.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .disk import never_ran
from .entries import handle_of, leads_to_a_directory, path_of
from .errors import ActionError
from .model import Blame, Brick, Cluster, Volume
from .run_files import BLAMES_FILE, put

log = logging.getLogger(__name__)

MARK: Final = "trusted.afr."
DIRTY: Final = "trusted.afr.dirty"
"""Of an operation that is under way, or was when power went: it blames nobody."""
GFID: Final = "trusted.gfid"
INDEX: Final = ".glusterfs/indices/xattrop"
DIRTY_INDEX: Final = ".glusterfs/indices/dirty"
REST: Final = 20
"""A scan is followed by a rest so many times as long, so that it takes at most 5 % of a core."""
LEAST_REST: Final = 1.0
MOST_REST: Final = 60.0
"""Seconds. A brick that was restarted waits for the next scan."""
ABANDONED_SECONDS: Final = 15.0
"""An operation marks its entry as dirty first, and takes that back within a second or two of its end. One
that nobody has touched for so long was left by a client that died, and nobody knows which copies have it."""
ANYBODY: Final = "*"
"""Blamed by entries that were left dirty."""

MOST_ENTRIES: Final = 10_000
NAMED: Final = 3
LASTING_SECONDS: Final = 120.0
"""Entries that blame others for so long are named; most are healed within seconds."""

GetAttributes = Callable[[str], Mapping[str, bytes]]
Volfile = Callable[[str], str]
"""The client's volume file of a volume. Raises ActionError."""


def attributes(path: str) -> dict[str, bytes]:
    """AFR's marks on the entry with that handle. Raises OSError.

    The handle of a directory is a link that leads to it. That of a symbolic link is the link itself, which
    leads to wherever its owner likes.
    """
    names = os.listxattr(path, follow_symlinks=False)
    if follow := GFID not in names:
        names = os.listxattr(path)
    marks = [name for name in names if name.startswith(MARK) and name != DIRTY]
    return {name: os.getxattr(path, name, follow_symlinks=follow) for name in marks}


@dataclass(frozen=True, slots=True)
class Scan:
    """What the marks on the entries in a brick's index say."""

    blamed: frozenset[str] = frozenset()
    """Names of the clients (`data-client-1`) that they blame."""
    entries: frozenset[str] = frozenset()
    """Handles of entries that blame anybody, at most `MOST_ENTRIES`."""


def scan(brick: str, read: GetAttributes = attributes) -> Scan | None:
    """None if the index cannot be read to its end."""
    blamed, blaming = set[str](), set[str]()
    try:
        with os.scandir(f"{brick}/{INDEX}") as entries:
            for entry in entries:
                gfid = entry.name
                if gfid.startswith("xattrop-"):  # the file that all entries are links of
                    continue
                try:
                    found = read(handle_of(brick, gfid))
                except OSError as error:
                    if error.errno != errno.ENOENT:
                        return None
                    continue  # deleted since; the heal daemon takes it out of the index
                names = {name.removeprefix(MARK) for name, counters in found.items() if any(counters)}
                blamed |= names
                if names and len(blaming) < MOST_ENTRIES:
                    blaming.add(gfid)
    except FileNotFoundError:
        return Scan() if never_ran(brick) else None
    except OSError:
        return None
    if _left_dirty(brick):
        blamed.add(ANYBODY)
    return Scan(frozenset(blamed), frozenset(blaming))


def _left_dirty(brick: str) -> bool:
    """An entry is marked as dirty, and nobody is at work on it: each operation changes its inode."""
    try:
        names = os.listdir(f"{brick}/{DIRTY_INDEX}")
    except OSError:
        return False  # none was ever dirty
    for gfid in names:
        try:
            if not gfid.startswith("dirty-"):
                handle = handle_of(brick, gfid)
                follow = leads_to_a_directory(handle)
                quiet = time.time() - os.stat(handle, follow_symlinks=follow).st_ctime  # noqa: TID251
                # The index may still name what has been healed.
                if quiet > ABANDONED_SECONDS and any(os.getxattr(handle, DIRTY, follow_symlinks=follow)):
                    return True
        except OSError:
            continue  # deleted since
    return False


def now() -> float:
    """Seconds of a clock that all containers of a machine share, and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon told last."""

    scanned: float
    """When the scan began, in seconds of `now`."""
    blamed: Mapping[str, tuple[str, frozenset[str]]]
    """By the path of a brick that runs and could be scanned: its process, and the clients it blames."""
    unhealed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the same: a few entries by path that have blamed others for `LASTING_SECONDS`."""


@dataclass(slots=True)
class Teller:
    """The daemon's half: scans the bricks that run, and writes what it found."""

    bricks: Callable[[], Iterable[str]]
    """`PROCESS PATH` of each that runs."""
    file: Path = Path(BLAMES_FILE)
    clock: Callable[[], float] = now
    _since: dict[str, dict[str, float]] = field(default_factory=dict)
    """By brick: entries that blame others, and since when each scan has found them."""

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            began = time.thread_time()
            try:
                self.tell()
            except OSError as error:
                log.error("what the bricks blame cannot be told: %s", error)
            stop.wait(min(max(LEAST_REST, REST * (time.thread_time() - began)), MOST_REST))

    def tell(self) -> None:
        """Writes what `Told` holds, of each brick that could be scanned."""
        began, found = self.clock(), dict[str, tuple[str, list[str]]]()
        unhealed = dict[str, list[str]]()
        for line in self.bricks():
            process, _, path = line.partition(" ")
            if (scanned := scan(path)) is not None:
                found[path] = process, sorted(scanned.blamed)
                unhealed[path] = [path_of(path, gfid) for gfid in self._lasting(path, scanned, began)]
        put(self.file, json.dumps({"scanned": began, "blamed": found, "unhealed": unhealed}))

    def _lasting(self, brick: str, scanned: Scan, at: float) -> list[str]:
        before = self._since.get(brick, {})
        self._since[brick] = {gfid: before.get(gfid, at) for gfid in scanned.entries}
        by_age = sorted((since, gfid) for gfid, since in self._since[brick].items())
        return [gfid for since, gfid in by_age[:NAMED] if at - since >= LASTING_SECONDS]


def parse_told(text: str) -> Told | None:
    """None if the daemon has not told yet."""
    if not text:
        return None
    told = json.loads(text)
    return Told(
        told["scanned"],
        {path: (process, frozenset(names)) for path, (process, names) in told["blamed"].items()},
        {path: tuple(names) for path, names in told["unhealed"].items()},
    )


def clients(volfile: str) -> dict[str, str]:
    """Bricks (`host:path`) by the names that clients have for them, of a client's volume file."""
    found, name, options = dict[str, str](), "", dict[str, str]()
    for line in volfile.splitlines():
        match line.split():
            case ["volume", word]:
                name, options = word, {}
            case ["option", key, value]:
                options[key] = value
            case ["end-volume"] if {"remote-host", "remote-subvolume"} <= options.keys():
                found[name] = f"{options['remote-host']}:{options['remote-subvolume']}"
    return found


@dataclass(slots=True)
class Names:
    """The names of clients in the volume as it is; asked again when its bricks are others."""

    _of: tuple[Brick, ...] = ()
    _known: Mapping[str, str] = field(default_factory=dict)

    def of(self, volume: Volume, volfile: Volfile) -> Mapping[str, str]:
        """Bricks by client; empty while glusterd does not say."""
        bricks = tuple(Brick(b.host, b.path) for b in volume.bricks)
        if bricks != self._of:
            try:
                known = clients(volfile(volume.name))
            except ActionError as error:
                log.info("the clients' names are not known yet: %s", error)
                return {}
            if set(known.values()) != {brick.id for brick in bricks}:
                return {}  # changed between the two questions
            self._of, self._known = bricks, known
        return self._known


@dataclass(slots=True)
class Blames:
    """The sidecar's half: what this node's brick says of the others of its set."""

    _names: Names = field(default_factory=Names)
    _met: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Of the other bricks: their process, and when this sidecar first knew of it (`now`)."""

    def of(self, cluster: Cluster, told: Told | None, volfile: Volfile) -> dict[str, Blame] | None:
        """By other brick; none for one of which it is not known, and None while the brick does not run: what
        it said last stands.

        Clear is said only of a scan that began when the other's process was known to run: one that has just
        come back is judged by what is on the disk now, not by what was there when it went.
        """
        volume = cluster.pool.volume if cluster.pool else None
        mine = volume.bricks_of(cluster.host(cluster.me)) if volume and not cluster.outcast else ()
        self._met = {b.id: self._meet(cluster, b) for b in volume.bricks} if volume else {}
        if volume is None or not mine or mine[0].path not in cluster.own.processes:
            return None
        if told is None:
            return {}
        process, blamed = told.blamed.get(mine[0].path, ("", frozenset[str]()))
        if process != cluster.own.processes[mine[0].path]:
            return {}
        me = cluster.members.get(cluster.me)
        before = me.blames if me else {}
        clients = {brick: name for name, brick in self._names.of(volume, volfile).items()}
        found = dict[str, Blame]()
        for other in next(one for one in volume.sets if mine[0] in one):
            its, since = self._met[other.id]
            if other == mine[0] or other.id not in clients:
                continue
            cleared = before.get(other.id) == Blame(its, blamed=False)
            # What a dead client left dirty has reached all that were up; who was started since may lack it.
            if clients[other.id] in blamed or (ANYBODY in blamed and not cleared):
                found[other.id] = Blame(its, blamed=True)
            elif told.scanned > since:
                found[other.id] = Blame(its, blamed=False)
            elif other.id in before:
                found[other.id] = before[other.id]
        return found

    def _meet(self, cluster: Cluster, brick: Brick) -> tuple[str, float]:
        member = cluster.holder(brick)
        process = member.process if member and member.brick == brick.id else ""
        before = self._met.get(brick.id)
        return before if before and before[0] == process else (process, now())

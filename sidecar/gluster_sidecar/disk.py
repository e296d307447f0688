"""What the sidecar reads of its node's disk. It reads only (law 5)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .contract import LEFT_NAMES

_BRICK: Final = re.compile(r"brick(?:-([0-9]+))?")


def next_brick(mount: str, known: Collection[str] = ()) -> str | None:
    """`brick`, or `brick-2`, `brick-3`...: the one after the last that is on the disk or `known`, which are
    paths of the volume's bricks on this node; a blank disk does not have those any more.

    A folder that once was a brick keeps its mark, and glusterd rightly refuses it for a brick of
    another life; so a node that comes back after it was drained gets a new folder beside the old.
    None if the disk cannot be read.
    """
    try:
        names = {entry.name for entry in Path(mount).iterdir()} | {Path(path).name for path in known}
    except OSError:
        return None
    numbers = [int(match[1] or 1) for name in names if (match := _BRICK.fullmatch(name))]
    return str(Path(mount, f"brick-{max(numbers) + 1}" if numbers else "brick"))


def pending_heals(brick: str) -> int | None:
    """Entries in the brick's own index of what other bricks have yet to heal; None if it cannot be
    read. Writes under way stand in another index (seen on 11.1: none in 150 looks during a load)."""
    if never_ran(brick):
        return 0
    try:
        entries = os.listdir(f"{brick}/.glusterfs/indices/xattrop")
    except OSError:
        return None
    return sum(not entry.startswith("xattrop-") for entry in entries)


def never_ran(brick: str) -> bool:
    """glusterd has made it, and it has not run yet: it has nothing that another could lack."""
    try:
        return os.listdir(brick) == [".glusterfs"] and not os.listdir(f"{brick}/.glusterfs")
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Usage:
    """As `df` counts it: bytes in steps of 64 MiB, inodes in steps of 256, or every file would be news for
    Kubernetes."""

    used: int
    free: int
    inodes_used: int = 0
    inodes_free: int = 0

    @property
    def is_full(self) -> bool:
        """The last hundredth is what glusterfs means to keep (storage.reserve). It was not seen to: on 11.1 a
        brick takes writes until its file system refuses them, and its set goes on with the others."""
        return is_full(self.used, self.free) or is_full(self.inodes_used, self.inodes_free)


def is_full(used: int | None, free: int | None) -> bool:
    """As `Usage.is_full`, of bytes or inodes; False if it is not known."""
    return used is not None and free is not None and used + free > 0 and 100 * free <= used


def usage(mount: str) -> Usage | None:
    """Of the disk mounted there; None if it cannot be read."""
    try:
        found = os.statvfs(mount)
    except OSError:
        return None
    used, free = found.f_blocks - found.f_bfree, found.f_bavail
    inodes = found.f_files - found.f_ffree, found.f_favail
    return Usage(
        *(blocks * found.f_frsize >> 26 << 26 for blocks in (used, free)),
        *(count >> 8 << 8 for count in inodes),
    )


def writable(mount: str, mountinfo: str) -> bool | None:
    """Whether the file system there takes writes, by the text of /proc/self/mountinfo; None if nothing is
    mounted there. This container's own mount is read-only in any case, so its options do not tell."""
    found = file_system_at(mountinfo, mount)
    return "ro" not in found[2].split(",") if found else None


def file_system_at(mountinfo: str, directory: str) -> list[str] | None:
    """Kind, source and options of the file system mounted at exactly `directory`, the uppermost of several,
    by the text of /proc/self/mountinfo; None if nothing is mounted there."""
    found = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if left.split()[4] == directory:
            found = right.split()
    return found


FileMark = tuple[str, int, int, int]
"""Name, number, time and size of a file: another once the file is changed or made anew."""


def mark(file: str) -> FileMark | None:
    """None if there is no such file, or it cannot be looked at."""
    try:
        seen = os.stat(file)
    except OSError:
        return None
    return file, seen.st_ino, seen.st_mtime_ns, seen.st_size


def marks(mount: str) -> tuple[object, ...] | None:
    """Of whether the disk is full, of its folders with what their indices have pending, and of the files in
    which glusterd keeps its peers and volumes, for they change with both; None if they cannot be listed.
    glusterd's files are looked at, never into (law 8)."""
    store = f"{mount}/glusterd"
    try:
        folders = sorted(os.listdir(mount))
        peers, volumes = sorted(os.listdir(f"{store}/peers")), sorted(os.listdir(f"{store}/vols"))
    except OSError:
        return None
    pending = ((folder, pending_heals(f"{mount}/{folder}")) for folder in folders)
    files = [
        "glusterd.info",
        *(f"peers/{peer}" for peer in peers),
        *(f"vols/{name}/info" for name in volumes),
    ]
    used = usage(mount)
    return (used and used.is_full, *pending, *(mark(f"{store}/{file}") for file in files))


def is_there(brick: str) -> bool | None:
    """Whether the brick's folder is on the disk; None if that cannot be told."""
    try:
        os.stat(brick)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return True


def walk(mount: str) -> dict[str, tuple[int, list[str]]] | None:
    """By brick folder on the disk: how many files are left in it, and the first few by name. None if the disk
    cannot be read to its end.

    Whatever is no folder counts, but for link files of distribution: they have no content and the mode 01000
    alone (DHT_LINKFILE_MODE in xlators/cluster/dht/src/dht-common.h). Their mark is in an extended attribute
    that this container may not read, so an empty file of exactly that mode is taken for one.
    """
    found: dict[str, tuple[int, list[str]]] = {}
    try:
        for folder in sorted(os.listdir(mount)):
            if _BRICK.fullmatch(folder):
                count, names, brick = 0, list[str](), f"{mount}/{folder}"
                for name in _files(brick, ""):
                    count += 1
                    names += [name] if count <= LEFT_NAMES else []
                found[brick] = count, names
    except OSError:
        return None
    return found


def _files(brick: str, below: str) -> Iterator[str]:
    """Paths relative to the brick. glusterd's own folder is none of its data."""
    with os.scandir(f"{brick}/{below}") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                if path != ".glusterfs":
                    yield from _files(brick, path)
            else:
                seen = entry.stat(follow_symlinks=False)
                if seen.st_size or seen.st_mode != stat.S_IFREG | stat.S_ISVTX:
                    yield path

"""What is mounted where, and mounting, by the kernel's own calls.

`mount` and `umount` look at their target first, and a look at a dead FUSE mount is an error: they
would refuse just what is to be mended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FUSE: Final = "fuse.glusterfs"
FLOOR: Final = "gluster-floor"
"""Source of the empty file system beneath every published mount; by it we know our own."""

_READ_ONLY: Final = 0x1
_NOSUID, _NODEV, _NOEXEC = 0x2, 0x4, 0x8
_REMOUNT: Final = 0x20
_BIND: Final = 0x1000
_PRIVATE: Final = 1 << 18
_DETACH: Final = 0x2
_NOFOLLOW: Final = 0x8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]


@dataclass(frozen=True, slots=True)
class Mount:
    device: str
    """Major and minor number of the file system: another FUSE process, another number."""
    point: str
    read_only: bool
    kind: str
    source: str
    number: int
    parent: int
    """Number of the mount that it lies upon."""
    shared: int
    """Peer group that it hands on to what is laid upon it; 0 for none."""
    follows: int
    """Peer group that it takes over from what is laid upon them; 0 for none."""

    def groups(self) -> set[int]:
        return {self.shared, self.follows} - {0}


def parse(mountinfo: str) -> list[Mount]:
    """The text of /proc/self/mountinfo, each place's lowest mount first."""
    return [_line(line) for line in mountinfo.splitlines()]


def _line(line: str) -> Mount:
    left, _, right = line.partition(" - ")
    words, (kind, source, *_) = left.split(), right.split()
    groups = dict(word.split(":") for word in words[6:] if ":" in word)
    return Mount(
        device=words[2],
        point=_plain(words[4]),
        read_only="ro" in words[5].split(","),
        kind=kind,
        source=_plain(source),
        number=int(words[0]),
        parent=int(words[1]),
        shared=int(groups.get("shared", 0)),
        follows=int(groups.get("master", 0)),
    )


def _plain(text: str) -> str:
    """Without the kernel's octal numbers for blanks."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def at(point: str) -> list[Mount]:
    """All mounts on exactly this path, the lowest first."""
    return [mount for mount in parse(Path("/proc/self/mountinfo").read_text()) if mount.point == point]


def _call(done: int, what: str) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None) -> None:
    words = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    _call(_libc.mount(words[0], words[1], words[2], flags, words[3]), f"mount on {target}")


def lay_floor(target: str) -> None:
    """An empty file system that nobody can write to. Raises OSError."""
    flags = _READ_ONLY | _NOSUID | _NODEV | _NOEXEC
    _mount(FLOOR, target, "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555")


def lay_private(target: str) -> None:
    """A file system in memory, and what is mounted in it is seen nowhere else. Raises OSError."""
    _mount(FLOOR, target, "tmpfs", _NOSUID | _NODEV | _NOEXEC, "size=64k,mode=0700")
    make_private(target)


def make_private(target: str) -> None:
    """What is laid upon the mount reaches no other, and the reverse. Raises OSError."""
    _mount("none", target, None, _PRIVATE, None)


def clone(source: str, target: str) -> None:
    """Lays the uppermost mount at `source` upon `target` as well. Raises OSError."""
    _mount(source, target, None, _BIND, None)


def bind(source: str, target: str, *, read_only: bool, scratch: Path) -> None:
    """Shows `source` at `target`, above whatever is mounted there. Raises OSError.

    A mount becomes read-only by a second call, and what other pods see of it is copied at the first:
    so it is made read-only aside, on `scratch`, and bound from there.
    """
    if not read_only:
        _mount(source, target, None, _BIND, None)
        return
    aside = str(scratch)
    clear(aside)  # of one that was killed in the middle
    scratch.mkdir(parents=True, exist_ok=True)
    _mount(source, aside, None, _BIND, None)
    try:
        _mount("none", aside, None, _REMOUNT | _BIND | _READ_ONLY, None)
        _mount(aside, target, None, _BIND, None)
    finally:
        detach(aside)


def detach(target: str) -> None:
    """Takes the uppermost mount away from the path; never waits for the file system. Raises OSError."""
    _call(_libc.umount2(os.fsencode(target), _DETACH | _NOFOLLOW), f"unmount of {target}")


def clear(target: str) -> None:
    """Takes all mounts away from the path."""
    while at(target):
        detach(target)


def open_directory(root: str, path: str, *, make: bool) -> int:
    """A descriptor of the folder `path` of `root`, to be closed by the caller. Raises OSError.

    Never follows a symbolic link: whoever may write to the volume could lead it out of the volume.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.open(root, flags)
    for part in path.split("/") if path else ():
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=here)
            below = os.open(part, flags, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here

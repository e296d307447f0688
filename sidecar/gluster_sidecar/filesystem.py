"""Whether a file system answers, asked by a process that may be lost to it.

A process whose request a FUSE server has taken does not die by SIGKILL before that server answers. So what
may hang is done by a child, and a file system that hangs has one such child at most: whoever asks holds a
lock, and the child holds it, too, until it is gone, whoever started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import children
from .errors import SidecarError

POLL_SECONDS: Final = 0.02
"""Between two attempts at the lock."""
_STAT: Final = ("stat", "-f", "-c", "%S %b %f %a %c %d")


class Unavailable(SidecarError):
    """The file system answers with an error."""


class Silent(Unavailable):
    """It does not answer in time, or a request to it from before has had no answer yet."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What `df` tells; sizes in bytes."""

    total: int
    free: int
    available: int
    inodes: int
    free_inodes: int


def ask(path: str, seconds: float, lock: Path) -> Usage:
    """What the file system at `path` says within `seconds`. Raises Unavailable."""
    end = time.monotonic() + seconds
    with turn(lock, seconds) as held:
        try:
            answer = children.run([*_STAT, path], end - time.monotonic(), holds=[held])
        except children.NoAnswer as error:
            raise Silent(f"no answer within {seconds:.0f} s: {error}") from error
    if answer.status != 0:
        raise Unavailable(answer.errors.strip())
    size, blocks, free, available, inodes, free_inodes = map(int, answer.output.split())
    return Usage(blocks * size, free * size, available * size, inodes, free_inodes)


@contextmanager
def turn(lock: Path, seconds: float) -> Iterator[int]:
    """One process at a time, of all that use `lock` (a file, made if need be, or a folder). Yields the
    descriptor that a child must hold to keep the others away for as long as it lives. Raises Silent.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = time.monotonic() + seconds
        while not _locked(handle):
            if time.monotonic() >= end:
                raise Silent("a request to it from before has had no answer yet")
            time.sleep(POLL_SECONDS)
        yield handle
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

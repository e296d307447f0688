"""One command at a time works on a lab."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.errors import Busy
from lab.process import look
from lab.waiting import STEP

PATIENCE = 5.0
"""Seconds that a dead owner's lock may last: what it was just starting has a copy until it runs."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock, which the kernel frees when this process dies. Raises Busy if another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _lock(path)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(handle)


def _lock(path: Path) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode()
            os.close(handle)
            if (holder.isdecimal() and look(int(holder))) or time.monotonic() > deadline:
                who = f"process {holder or '(unknown)'}"
                raise Busy(f"{who} is working on this lab: wait for it, or end it first") from None
            time.sleep(STEP)
            continue
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # its owner removed the file while we waited for nothing: look again

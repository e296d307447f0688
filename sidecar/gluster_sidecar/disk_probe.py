"""Whether a disk takes writes: it is tried. A disk that hangs keeps whoever writes to it for that long."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DISK_SECONDS: Final = 30.0
"""How long the disk may take for one synced write."""
WRITE_SECONDS: Final = 10.0
"""Between two such writes."""
DISK_ERRORS: Final = (errno.EIO, errno.EUCLEAN, errno.EREMOTEIO, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT)


@dataclass(slots=True)
class DiskProbe:
    """Writes and syncs a few bytes again and again, in a thread that may hang in it."""

    file: Path
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None
    _last_error: str = ""
    _error: str = ""
    """Of the last two writes; one alone may be an accident."""

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._since = self.clock()
            before, self._last_error = self._last_error, ""
            try:
                self.write()
            except OSError as error:
                if error.errno in DISK_ERRORS:  # a full or read-only disk is seen and told elsewhere
                    self._last_error = f"the disk refuses synced writes: {error.strerror}"
            self._error = self._last_error if before else ""
            self._since = None
            stop.wait(WRITE_SECONDS)

    def write(self) -> None:
        """Over the same bytes, so that it takes no room and no journal."""
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, b"written to see whether this disk takes writes\n", 0)
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def wrong(self) -> str:
        """Why it takes no writes; empty if it does, as far as is known."""
        since = self._since
        if since is not None and self.clock() - since > DISK_SECONDS:
            return f"the disk has not taken a synced write for {DISK_SECONDS:.0f} s"
        return self._error

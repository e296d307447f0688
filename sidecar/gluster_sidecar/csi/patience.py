"""How long calls may wait for volumes that may hang.

The plugin answers the kubelet with a fixed number of workers. Each that waits for a volume that hangs is
missed by all others, so a call waits long only while there are workers to spare, and for a volume that is
known to hang it hardly waits at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WORKERS: Final = 16
"""Of the plugin."""
WAITERS: Final = 10
"""Calls that may wait long at the same time."""
SHORT_SECONDS: Final = 2.0
"""All that a call waits for a volume that is known to hang, or while too many wait already. The kubelet asks
again, at most two minutes later."""


class Patience:
    """Thread-safe."""

    def __init__(self, waiters: int = WAITERS) -> None:
        self._free = threading.BoundedSemaphore(waiters)

    @contextmanager
    def lend(self, seconds: float, *, hangs: bool) -> Iterator[float]:
        """How many seconds the caller may wait, `seconds` at most."""
        if hangs or not self._free.acquire(blocking=False):
            yield min(seconds, SHORT_SECONDS)
            return
        try:
            yield seconds
        finally:
            self._free.release()

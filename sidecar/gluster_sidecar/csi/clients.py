"""The FUSE processes of this machine: who starts them, again if need be, and who ends them.

At most one thread starts a client and one brings it back to its targets, however many calls wait for it.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRuns
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .client import LOOK_SECONDS, START_SECONDS, STOP_SECONDS, Client, Servers
from .errors import Code, Refusal
from .request import Use
from .targets import Targets, client_key

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LAST_PAUSE: Final = 10.0
"""Seconds before a client that ended or could not start is started again; doubled each time."""
STEADY_SECONDS: Final = 60
"""A client that lived this long is started again at once."""
IDLE_SECONDS: Final = 300
"""How long a client waits for the next attempt of a kubelet whose first it kept waiting too long."""


class Clients:
    """Thread-safe."""

    def __init__(self, place: Path, logs: Path, targets: Targets, servers: Servers) -> None:
        self._place, self._logs, self._targets, self._servers = place, logs, targets, servers
        self._clients: dict[str, Client] = {}
        self._starts: dict[Client, Future[None]] = {}
        self._reviving: dict[Client, bool] = {}
        """Those that a thread brings back to their targets, and whether to begin again when it is done."""
        self._releasing: set[Client] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def of(self, use: Use) -> Client:
        key = client_key(use)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = Client(key, use.volume, use.options, self._place, self._logs)
            return self._clients[key]

    def with_device(self, device: str) -> Client | None:
        """The one that serves this file system now."""
        return next((client for client in self._all() if client.device() == device), None)

    def _all(self) -> list[Client]:
        with self._lock:
            return list(self._clients.values())

    # -- starting

    @contextmanager
    def serving(self, client: Client, end: float) -> Iterator[float]:
        """Holds the client's lock while it serves; yields how many seconds are left until `end`.

        Raises Refusal: at `end` at the latest, while the start goes on.
        """
        client.asked = time.monotonic()
        while True:
            if client.device() is None:
                self._await_start(client, end - time.monotonic())
            if not client.lock.acquire(timeout=max(0.0, end - time.monotonic())):
                raise Refusal(Code.ABORTED, f"the client of volume {client.volume} is being started or ended")
            try:
                if client.device() is not None:
                    yield end - time.monotonic()
                    return
            finally:
                client.lock.release()

    def _await_start(self, client: Client, seconds: float) -> None:
        with self._lock:
            start = self._starts.get(client)
            if start is None:
                start = self._starts[client] = Future()
                self._spawn(self._start, client, start)
        try:
            start.result(max(0.0, seconds))
        except StillRuns:
            raise client.went_silent() from None

    def _start(self, client: Client, start: Future[None]) -> None:
        """Ends within START_SECONDS, and some for ending what could not be started."""
        began = time.monotonic()
        wrong: BaseException | None = None
        try:
            with client.lock:
                if self._stopping.is_set():
                    raise Refusal(Code.UNAVAILABLE, "the pod that holds this machine's mounts ends")
                if client.device() is None:
                    self._spawn(self._watch, client, client.start(self._servers()))
            client.answered()
        except BaseException as error:
            wrong = error
            if time.monotonic() - began > START_SECONDS:
                client.went_silent()
        with self._lock:
            del self._starts[client]
        if wrong is None:
            start.set_result(None)
        else:
            start.set_exception(wrong)

    def _spawn(self, what: Callable[..., None], client: Client, *more: object) -> None:
        name = f"{what.__name__} {client.key}"
        threading.Thread(target=what, args=(client, *more), name=name, daemon=True).start()

    # -- bringing back

    def _watch(self, client: Client, process: subprocess.Popen[bytes]) -> None:
        """Waits for the end of one process; if nobody ended it on purpose, sees to the next."""
        began = time.monotonic()
        process.wait()
        if client.process is not process or self._stopping.is_set():
            return
        log.error("the client of volume %s is gone: %s", client.volume, client.last_words())
        if time.monotonic() - began > STEADY_SECONDS:
            client.pause = 0
        self.revive(client)

    def revive(self, client: Client) -> None:
        """Sees to it, in the background, that the client serves all its targets, or ends if it has none."""
        with self._lock:
            if client in self._reviving:
                self._reviving[client] = True
                return
            self._reviving[client] = False
        self._spawn(self._revive, client)

    def _revive(self, client: Client) -> None:
        while not self._stopping.wait(client.pause):
            client.pause = min(LAST_PAUSE, max(FIRST_PAUSE, client.pause * 2))
            try:
                done = self._is_back(client)
            except (Refusal, OSError) as error:
                log.error("volume %s: %s", client.volume, error)
                done = False
            except Exception:
                # Not let through: pods wait for their mounts.
                log.exception("volume %s", client.volume)
                done = False
            with self._lock:
                if done and not self._reviving[client]:
                    del self._reviving[client]
                    return
                self._reviving[client] = False

    def _is_back(self, client: Client) -> bool:
        """Whether it serves all its targets, or has none. Raises Refusal or OSError."""
        if not self._targets.of(client.key):
            with client.lock:
                if not self._targets.of(client.key):
                    client.stop()
            return True
        with self.serving(client, time.monotonic() + 2 * START_SECONDS):
            return self._targets.show_again(client, LOOK_SECONDS)

    # -- ending

    def release(self, client: Client) -> None:
        """Ends the client, in the background, if nothing is published of it any more."""
        with self._lock:
            if client in self._releasing:
                return
            self._releasing.add(client)
        self._spawn(self._release, client)

    def _release(self, client: Client) -> None:
        with client.lock:
            with self._lock:
                self._releasing.discard(client)  # who comes from now on may not be seen below
            if not self._targets.of(client.key):
                client.stop()

    def tend(self) -> None:
        """To be called now and then."""
        for client in self._all():
            client.trim_log()
            idle = client.process is not None and time.monotonic() - client.asked > IDLE_SECONDS
            if idle and not self._targets.of(client.key):
                self.release(client)

    def stop(self) -> None:
        """Ends all of them, at the same time."""
        self._stopping.set()
        ends = [threading.Thread(target=_end, args=[client], daemon=True) for client in self._all()]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join(3 * STOP_SECONDS)


def _end(client: Client) -> None:
    if client.lock.acquire(timeout=STOP_SECONDS):
        try:
            client.stop()
        finally:
            client.lock.release()

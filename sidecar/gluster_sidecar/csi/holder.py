"""Holds this machine's FUSE processes and makes every mount.

Three laws:
1. A pod never meets the bare folder beneath: every target first gets a floor, an empty file system that
   nobody can write to, and the floor goes only when the target is given up.
2. A published mount is never taken away, dead as it may be, before its target is given up. A new one is
   laid upon it: that is what reaches the pods that use it (those with HostToContainer), for their mount
   hangs on the old one.
3. Giving up a target never looks at the file system and never deletes what is in a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gluster_sidecar import children

from . import group, mounts
from .client import LOOK_SECONDS, STOP_SECONDS, Client, Servers
from .errors import Code, Refusal
from .record import Record
from .request import Use

log = logging.getLogger(__name__)

LOCK_SECONDS: Final = 20
FIRST_PAUSE: Final = 0.2
LAST_PAUSE: Final = 10.0
"""Seconds before a client that ended or could not start is started again; doubled each time."""
LEAVE_LOOK_SECONDS: Final = 0.1
STEADY_SECONDS: Final = 60
"""A client that lived this long is started again at once."""


class Holder:
    """Thread-safe. `place`: a folder of this container alone, for the clients' own mounts."""

    def __init__(self, place: Path, logs: Path, record: Record, servers: Servers, targets: str) -> None:
        self._place, self._logs, self._record, self._servers = place, logs, record, servers
        self._targets = targets.rstrip("/") + "/"
        self._clients: dict[str, Client] = {}
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Goes on from the record: what is still published is mounted again, in the background."""
        waiting: set[Client] = set()
        for target, use in self._record.all().items():
            if _is_ours(mounts.at(target)):
                waiting.add(self._client(use))
            else:
                self._record.drop(target)  # the machine was started anew since: the kubelet publishes
        for client in waiting:
            self._spawn(self._revive, client)

    def await_unpublished(self, seconds: float) -> None:
        """Returns when nothing is published any more, or after `seconds`."""
        end = time.monotonic() + seconds
        while (left := self._record.all()) and time.monotonic() < end:
            time.sleep(LEAVE_LOOK_SECONDS)
        for target, use in left.items():
            log.warning("%s is still in use and loses %s for now", target, _words(use))

    def stop(self) -> None:
        """Ends the clients, which flush what they hold; targets stay, dead, for the next holder."""
        self._stopping.set()
        with self._lock:
            clients = list(self._clients.values())
        for client in clients:
            if client.lock.acquire(timeout=STOP_SECONDS):
                client.stop()
                client.lock.release()

    def methods(self) -> dict[str, Any]:
        """What the plugin may ask for."""
        return {
            "ping": lambda: "pong",
            "publish": lambda target, use: self.publish(target, Use.from_json(use)),
            "unpublish": self.unpublish,
            "stats": self.stats,
        }

    # -- publishing ----------------------------------------------------------------------------------

    def publish(self, target: str, use: Use) -> None:
        """Shows `use` at `target`; a second call makes sure of it. Raises Refusal."""
        with self._alone(target):
            known = self._record.get(target)
            if known is not None and known != use:
                raise Refusal(Code.ALREADY_EXISTS, f"{target} shows {_words(known)}, not {_words(use)}")
            there = mounts.at(target)
            if there and not _is_ours(there):
                raise Refusal(Code.FAILED_PRECONDITION, f"{target} has a mount of {there[-1].source} already")
            client = self._client(use)
            with self._held(client):
                if client.device() is None:
                    self._start(client)
                self._record.put(target, use)
                try:
                    self._show(client, target, use)
                except BaseException:
                    if not there:
                        self._give_up(target)
                    raise

    def _show(self, client: Client, target: str, use: Use) -> None:
        """Lays the client's mount upon what is at the target, unless it is there already."""
        there = mounts.at(target)
        if there and there[-1].device == client.device():
            return
        handle = _open(client, use)
        try:
            if not there:
                _give(handle, use)
                os.makedirs(target, mode=0o750, exist_ok=True)
                mounts.lay_floor(target)
            source = f"/proc/self/fd/{handle}"
            mounts.bind(
                source, target, read_only=use.read_only, scratch=self._place / "aside" / client.place.name
            )
        finally:
            os.close(handle)
        if mounts.at(target)[-1].device != client.device():
            raise Refusal(Code.UNAVAILABLE, f"the client of volume {use.volume} ended while it was mounted")
        log.info("%s shows %s", target, _words(use))

    def unpublish(self, target: str) -> None:
        """Takes away what is at `target`, whether or not it was published. Raises Refusal."""
        with self._alone(target):
            use = self._record.get(target)
            there = mounts.at(target)
            if use is None and there and not _is_ours(there):
                raise Refusal(
                    Code.FAILED_PRECONDITION, f"{target} has a mount of {there[-1].source}, which is not ours"
                )
            self._give_up(target)
        if use is not None:
            log.info("%s is given up", target)
            self._let_go(use)

    def _give_up(self, target: str) -> None:
        mounts.clear(target)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(target)
        self._record.drop(target)

    @contextmanager
    def _alone(self, target: str) -> Iterator[None]:
        if not target.startswith(self._targets) or ".." in target.split("/"):
            raise Refusal(Code.INVALID_ARGUMENT, f"target path {target} is not below {self._targets}")
        with self._lock:
            if target in self._busy:
                raise Refusal(Code.ABORTED, f"another call for {target} is under way")
            self._busy.add(target)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(target)

    @contextmanager
    def _held(self, client: Client) -> Iterator[None]:
        if not client.lock.acquire(timeout=LOCK_SECONDS):
            raise Refusal(Code.ABORTED, f"the client of volume {client.volume} is being started")
        try:
            yield
        finally:
            client.lock.release()

    # -- looking ---------------------------------------------------------------------------------------

    def stats(self, path: str) -> dict[str, Any]:
        """`wrong`: what a person should know of the mount, or null; else the file system's numbers."""
        if not _is_ours(mounts.at(path)):
            raise Refusal(Code.NOT_FOUND, f"nothing of ours is mounted at {path}")
        words = ["stat", "-f", "-c", "%S %b %f %a %c %d", path]
        try:
            done = children.run(words, LOOK_SECONDS)
        except children.NoAnswer as error:
            return {"wrong": f"the volume does not answer within {LOOK_SECONDS} s: {error}"}
        if done.status != 0:
            return {"wrong": done.errors.strip()}
        size, blocks, free, available, inodes, free_inodes = map(int, done.output.split())
        return {
            "wrong": None,
            "bytes": {"total": blocks * size, "used": (blocks - free) * size, "available": available * size},
            "inodes": {"total": inodes, "used": inodes - free_inodes, "available": free_inodes},
        }

    # -- clients ---------------------------------------------------------------------------------------

    def _client(self, use: Use) -> Client:
        key = _key(use)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = Client(use.volume, use.options, self._place / key, self._logs)
            return self._clients[key]

    def _targets_of(self, client: Client) -> dict[str, Use]:
        return {t: use for t, use in self._record.all().items() if _key(use) == client.place.name}

    def _let_go(self, use: Use) -> None:
        """Ends the client if nothing is published of it any more."""
        client = self._client(use)
        if not client.lock.acquire(blocking=False):
            return  # whoever holds it looks after it
        try:
            if not self._targets_of(client):
                client.stop()
        finally:
            client.lock.release()

    def _start(self, client: Client) -> None:
        """Raises Refusal. The caller holds the client's lock."""
        process = client.start(self._servers())
        self._spawn(self._watch, client, process)

    def _spawn(self, what: Callable[..., None], client: Client, *more: object) -> None:
        name = f"{what.__name__} {client.place.name}"
        threading.Thread(target=what, args=(client, *more), name=name, daemon=True).start()

    def _watch(self, client: Client, process: subprocess.Popen[bytes]) -> None:
        """Waits for the end of one process; if nobody ended it on purpose, sees to the next."""
        began = time.monotonic()
        process.wait()
        if client.process is not process or self._stopping.is_set():
            return
        log.error("the client of volume %s is gone: %s", client.volume, client.last_words())
        if time.monotonic() - began > STEADY_SECONDS:
            client.pause = 0
        self._revive(client)

    def _revive(self, client: Client) -> None:
        """Returns once the client serves all its targets, or has none."""
        while not self._stopping.wait(client.pause):
            client.pause = min(LAST_PAUSE, max(FIRST_PAUSE, client.pause * 2))
            with client.lock:
                targets = self._targets_of(client)
                if not targets:
                    client.stop()
                    return
                try:
                    if client.device() is None:
                        self._start(client)
                    if all([self._show_again(client, target, use) for target, use in targets.items()]):
                        return
                except (Refusal, OSError) as error:
                    log.error("volume %s: %s", client.volume, error)

    def _show_again(self, client: Client, target: str, use: Use) -> bool:
        try:
            with self._alone(target):
                if self._record.get(target) == use and _is_ours(mounts.at(target)):
                    self._show(client, target, use)
        except Refusal as refusal:
            if refusal.code == Code.ABORTED:  # being given up, or published: whoever does it sees to it
                return True
            log.error("%s: %s", target, refusal)
            return False
        return True

    def tend(self) -> None:
        """To be called now and then."""
        with self._lock:
            clients = list(self._clients.values())
        for client in clients:
            client.trim_log()


def _key(use: Use) -> str:
    """Of the FUSE process that serves it: pods share one where volume and options are the same."""
    return hashlib.sha256("\0".join([use.volume, *use.options]).encode()).hexdigest()[:12]


def _is_ours(there: list[mounts.Mount]) -> bool:
    return bool(there) and there[0].source == mounts.FLOOR


def _words(use: Use) -> str:
    where = f"{use.volume}/{use.directory}".rstrip("/")
    more = ["read-only"] if use.read_only else [] if use.group is None else [f"fsGroup {use.group}"]
    how = ", ".join([use.volume_id, *more, *use.options])
    return f"{where} ({how})"


def _give(folder: int, use: Use) -> None:
    """Gives the folder to the pod's fsGroup, if it is nobody's yet."""
    if use.group is None or use.read_only:
        return
    try:
        given = group.give(folder, use.group)
    except OSError as error:
        raise Refusal(
            Code.FAILED_PRECONDITION,
            f"fsGroup {use.group}: {_words(use)} cannot be given to that group: {error.strerror}",
        ) from error
    if not given:
        log.warning("fsGroup %d: %s belongs to another group and stays so", use.group, _words(use))


def _open(client: Client, use: Use) -> int:
    try:
        return mounts.open_directory(str(client.place), use.directory, make=use.make_directory)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refusal(
            Code.NOT_FOUND,
            f'volume {use.volume} has no folder {use.directory}: make it, or set makeDirectory to "true"',
        ) from error
    except OSError as error:
        raise Refusal(
            Code.UNAVAILABLE, f"folder {use.directory or '/'} of volume {use.volume}: {error.strerror}"
        ) from error

"""The paths at which pods see volumes: what is recorded of each, and what is mounted there.

Three laws:
1. A pod never meets the bare folder beneath: every target first gets a floor, an empty file system that
   nobody can write to, and the floor goes only when the target is unpublished.
2. A mount that a running container hangs on is never taken away, dead as it may be, before its target is
   unpublished. A new one is laid upon it: that is what reaches the container (with HostToContainer). Dead
   ones that nobody hangs on go (`layers`).
3. Unpublishing a target never looks at the file system and never deletes what is in a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gluster_sidecar import filesystem

from . import layers, mounts, show
from .client import Client
from .errors import Code, Refusal
from .record import Record
from .request import Use

log = logging.getLogger(__name__)


class Targets:
    """Thread-safe. `folder`: all of them are below it."""

    def __init__(self, record: Record, folder: str) -> None:
        self.record = record
        self._folder = folder.rstrip("/") + "/"
        self._busy: set[str] = set()
        self._freed = threading.Condition()

    @contextmanager
    def alone(self, target: str, seconds: float = 0.0) -> Iterator[None]:
        """One call at a time for one target, waited for so long. Raises Refusal."""
        if not target.startswith(self._folder) or ".." in target.split("/"):
            raise Refusal(Code.INVALID_ARGUMENT, f"target path {target} is not below {self._folder}")
        with self._freed:
            if not self._freed.wait_for(lambda: target not in self._busy, seconds):
                raise Refusal(Code.ABORTED, f"another call for {target} is under way")
            self._busy.add(target)
        try:
            yield
        finally:
            with self._freed:
                self._busy.discard(target)
                self._freed.notify_all()

    def of(self, key: str) -> dict[str, Use]:
        """Of the client with this key."""
        return {target: use for target, use in self.record.all().items() if client_key(use) == key}

    def show(self, client: Client, uses: Mapping[str, Use], seconds: float) -> dict[str, Refusal]:
        """Lays the client's mount upon what is at the targets, unless it is there already; what is wrong
        with those where it cannot be. The caller holds the client's lock. Raises Refusal for all of them.
        """
        device = client.device()
        there = {target: mounts.at(target) for target in uses}
        wanted = {t: use for t, use in uses.items() if not there[t] or there[t][-1].device != device}
        if not wanted:
            return {}
        bare = [target for target in wanted if not there[target]]
        layers.lower(wanted, client.place.with_name(f"{client.key}.layers"))
        try:
            shown = show.ask(client.place, wanted, bare, seconds, client.turn)
        except filesystem.Silent as error:
            raise client.went_silent() from error
        client.answered()
        refused = dict[str, Refusal]()
        for target, one in shown.items():
            if one.note:
                log.warning("%s", one.note)
            if one.refusal is not None:
                refused[target] = one.refusal
            elif mounts.at(target)[-1].device != device:
                words = f"the client of volume {client.volume} ended while it was mounted"
                refused[target] = Refusal(Code.UNAVAILABLE, words)
            else:
                log.info("%s shows %s", target, wanted[target].words())
        return refused

    def show_again(self, client: Client, seconds: float) -> bool:
        """Lays the client's mount upon all of its targets; whether that is done. Raises Refusal."""
        with contextlib.ExitStack() as held:
            uses = dict[str, Use]()
            for target in self.of(client.key):
                # One that is being unpublished, or published: whoever does it sees to it.
                with contextlib.suppress(Refusal):
                    held.enter_context(self.alone(target))
                    use = self.record.get(target)
                    if use is not None and client_key(use) == client.key and is_ours(mounts.at(target)):
                        uses[target] = use
            refused = self.show(client, uses, seconds)
        for target, refusal in refused.items():
            log.error("%s: %s", target, refusal)
        return not refused

    def clear(self, target: str) -> None:
        """Takes away all that is at the target. Raises OSError for what is in the folder."""
        mounts.clear(target)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(target)
        self.record.drop(target)


def client_key(use: Use) -> str:
    """Of the FUSE process that serves it: pods share one where volume and options are the same."""
    return hashlib.sha256("\0".join([use.volume, *use.options]).encode()).hexdigest()[:12]


def is_ours(there: list[mounts.Mount]) -> bool:
    return bool(there) and there[0].source == mounts.FLOOR

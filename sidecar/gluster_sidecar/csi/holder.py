"""What the plugin may ask for: to show a volume at a target, to take it away, how it is.

Nothing here waits for ever, and no call keeps a lock while it waits for a volume that hangs: `patience`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gluster_sidecar import filesystem

from . import link, mounts
from .client import LOOK_SECONDS, Client, Servers
from .clients import Clients
from .errors import Code, Refusal
from .patience import SHORT_SECONDS, Patience
from .record import Record
from .request import Use
from .targets import Targets, is_ours

log = logging.getLogger(__name__)

PUBLISH_SECONDS: Final = 20.0
"""How long a publish waits for a volume. The start of its client goes on, and the kubelet asks again."""
LEAVE_LOOK_SECONDS: Final = 0.1


class Holder:
    """Thread-safe. `place`: a folder of this container alone, for the clients' own mounts."""

    def __init__(self, place: Path, logs: Path, record: Record, servers: Servers, folder: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._record = record
        self._targets = Targets(record, folder)
        self._clients = Clients(place, logs, self._targets, servers)
        self._patience = Patience()
        self._strange = place / "strange.turn"

    def start(self) -> None:
        """Goes on from the record: what is still published is mounted again, in the background."""
        waiting: set[Client] = set()
        for target, use in self._record.all().items():
            if is_ours(mounts.at(target)):
                waiting.add(self._clients.of(use))
            else:
                self._record.drop(target)  # the machine was started anew since: the kubelet publishes
        for target in self._record.aside():
            if not is_ours(mounts.at(target)):
                self._record.drop(target)
        for client in waiting:
            self._clients.revive(client)

    def await_unpublished(self, seconds: float) -> None:
        """Returns when nothing is published any more, or after `seconds`."""
        end = time.monotonic() + seconds
        while (left := self._record.all()) and time.monotonic() < end:
            time.sleep(LEAVE_LOOK_SECONDS)
        for target, use in left.items():
            log.warning("%s is still in use and loses %s for now", target, use.words())

    def stop(self) -> None:
        """Ends the clients, which flush what they hold; targets stay, dead, for the next holder."""
        self._clients.stop()

    def tend(self) -> None:
        """To be called now and then."""
        self._clients.tend()

    def methods(self) -> dict[str, Callable[..., Any]]:
        """What the plugin may ask for."""
        return {
            link.PING: lambda: "pong",
            "publish": lambda target, use: self.publish(target, Use.from_json(use)),
            "unpublish": self.unpublish,
            "stats": self.stats,
        }

    def publish(self, target: str, use: Use) -> None:
        """Shows `use` at `target`; a second call makes sure of it. Raises Refusal."""
        with self._targets.alone(target, SHORT_SECONDS):
            known = self._record.get(target)
            if known is not None and known != use:
                raise Refusal(Code.ALREADY_EXISTS, f"{target} shows {known.words()}, not {use.words()}")
            there = mounts.at(target)
            if there and not is_ours(there):
                raise Refusal(Code.FAILED_PRECONDITION, f"{target} has a mount of {there[-1].source} already")
            client = self._clients.of(use)
            self._answers_again(client)
            with (
                self._patience.lend(PUBLISH_SECONDS, hangs=client.is_silent()) as seconds,
                self._clients.serving(client, time.monotonic() + seconds) as left,
            ):
                self._record.put(target, use)
                try:
                    for refusal in self._targets.show(client, {target: use}, left).values():
                        raise refusal
                except BaseException:
                    if not there:
                        self._targets.clear(target)
                    raise

    def _answers_again(self, client: Client) -> None:
        """Raises Refusal if it hangs as it did before."""
        if client.is_silent() and client.device() is not None:
            try:
                self._usage(str(client.place), client)
            except filesystem.Silent as error:
                raise client.went_silent() from error
            except filesystem.Unavailable:
                client.answered()

    def unpublish(self, target: str) -> None:
        """Takes away what is at `target`, whether or not it was published. Raises Refusal."""
        with self._targets.alone(target, SHORT_SECONDS):
            use = self._record.get(target)
            there = mounts.at(target)
            if use is None and there and not is_ours(there):
                raise Refusal(
                    Code.FAILED_PRECONDITION, f"{target} has a mount of {there[-1].source}, which is not ours"
                )
            self._targets.clear(target)
        if use is not None:
            log.info("%s is unpublished", target)
            self._clients.release(self._clients.of(use))

    def stats(self, path: str) -> dict[str, Any]:
        """`wrong`: what a person should know of the mount, or null; else the file system's numbers."""
        there = mounts.at(path)
        if not is_ours(there):
            raise Refusal(Code.NOT_FOUND, f"nothing of ours is mounted at {path}")
        use = self._record.get(path)
        client = self._clients.with_device(there[-1].device) if use is None else self._clients.of(use)
        try:
            usage = self._usage(path, client)
        except filesystem.Silent as error:
            return {"wrong": str(client.went_silent() if client is not None else error)}
        except filesystem.Unavailable as error:
            return {"wrong": str(error)}
        return {
            "wrong": None,
            "bytes": {
                "total": usage.total,
                "used": usage.total - usage.free,
                "available": usage.available,
            },
            "inodes": {
                "total": usage.inodes,
                "used": usage.inodes - usage.free_inodes,
                "available": usage.free_inodes,
            },
        }

    def _usage(self, path: str, client: Client | None) -> filesystem.Usage:
        """`client`: None for the dead mount of a holder whose record was lost."""
        hangs = client is not None and client.is_silent()
        turn = self._strange if client is None else client.turn
        with self._patience.lend(LOOK_SECONDS, hangs=hangs) as seconds:
            usage = filesystem.ask(path, seconds, turn)
        if client is not None:
            client.answered()
        return usage

"""The Lease `gluster-actor`: at most one sidecar changes the cluster at a time (law 1).

Who may have it is the first in the order of seniority; this module only takes, renews and releases.
Times of other machines are never compared with ours: a lease counts as expired when WE have not
seen it renewed for its whole duration (as client-go's leader election does).

A step may take minutes, so what is held is renewed in a thread of its own (`Keeper`). Before each step it is
asked whether it is held; where it could not be renewed, no step begins.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from .contract import LEASE_NAME
from .errors import ApiError, Conflict
from .kubernetes import Api, Object

log = logging.getLogger(__name__)

DURATION_SECONDS: Final = 15
RENEW_SECONDS: Final = 5


class Lease:
    """Our view of the one Lease; threads may share it. `now` arguments are seconds of a monotonic clock."""

    def __init__(self, api: Api, namespace: str, holder: str) -> None:
        self._api = api
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._holder = holder
        self._seen: Object | None = None
        self._seen_at = float("-inf")
        self._looked_at = float("-inf")
        self._renewed_at = float("-inf")
        self._one_writer = threading.RLock()

    def held(self, now: float) -> bool:
        """Whether we hold it and nobody can have taken it yet."""
        return now - self._renewed_at < DURATION_SECONDS - RENEW_SECONDS / 2

    def contend(self, now: float) -> bool:
        """Server1's: renews the lease, or takes it if it is free or expired; True if it holds it.

        Raises ApiError if Kubernetes does not answer.
        """
        with self._one_writer:
            if self.renew(now):
                return True
            self._look(now)
            ours = self._seen is not None and self._seen["spec"].get("holderIdentity") == self._holder
            free = self._seen is None or not self._seen["spec"].get("holderIdentity")
            if not ours and not free and now - self._seen_at < DURATION_SECONDS:
                return False
            return self._write(now, self._holder)

    def renew(self, now: float) -> bool:
        """Keeps the lease if it is held, and never takes it; True if it is held.

        Raises ApiError if Kubernetes does not answer.
        """
        with self._one_writer:
            if not self.held(now):
                return False
            # What is ours is as we wrote it, or somebody else's write refuses this one.
            if now - self._renewed_at < RENEW_SECONDS or self._write(now, self._holder):
                return True
            self._look(now)  # or an earlier write of ours, whose answer was lost
            ours = self._seen is not None and self._seen["spec"].get("holderIdentity") == self._holder
            return ours and self._write(now, self._holder)

    def watch(self, now: float) -> None:
        """Server2's, so that it need not wait once server1 is gone: it knows then how long nobody renewed.

        Raises ApiError if Kubernetes does not answer.
        """
        with self._one_writer:
            if now - self._looked_at >= DURATION_SECONDS:
                self._look(now)

    def release(self, now: float) -> None:
        """Hands the lease over at once, so that the next need not wait for it to expire."""
        with self._one_writer:
            if self.held(now):
                log.info("hands the lease over")
                self._write(now, "")
            self._renewed_at = float("-inf")

    def _look(self, now: float) -> None:
        self._looked_at = now
        try:
            found = self._api.get(f"{self._collection}/{LEASE_NAME}")
        except ApiError as error:
            if error.status != 404:
                raise
            self._seen_at = now if self._seen or self._seen_at < 0 else self._seen_at
            self._seen = None
            return
        found.setdefault("spec", {})  # as the stack declares it: held by nobody
        if self._seen is None or found["spec"] != self._seen["spec"]:
            self._seen_at = now
        self._seen = found

    def _write(self, now: float, holder: str) -> bool:
        before = self._seen["spec"] if self._seen else {}
        changed_hands = before.get("holderIdentity") != holder
        body: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE_NAME, "namespace": self._namespace},
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": DURATION_SECONDS,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),  # noqa: TID251
                "leaseTransitions": int(before.get("leaseTransitions") or 0) + int(changed_hands),
            },
        }
        try:
            if self._seen is None:
                self._seen = self._api.create(self._collection, body)
            else:
                body["metadata"]["resourceVersion"] = self._seen["metadata"]["resourceVersion"]
                self._seen = self._api.replace(f"{self._collection}/{LEASE_NAME}", body)
        except Conflict:
            return False  # somebody else was faster; the next cycle looks again
        if changed_hands and holder:
            log.info("takes the lease")
        self._seen_at = now
        self._renewed_at = now if holder else float("-inf")
        return bool(holder)


class Keeper:
    """Renews a lease while a step takes long, as long as `may`: a loop that hangs or fails must not keep the
    others from acting."""

    def __init__(
        self,
        lease: Lease,
        clock: Callable[[], float],
        may: Callable[[], bool],
        every: float = RENEW_SECONDS / 2,
    ) -> None:
        self._lease, self._clock, self._may, self._every = lease, clock, may, every
        self._thread: threading.Thread | None = None

    def start(self, stop: threading.Event) -> None:
        self._thread = threading.Thread(target=self._run, args=(stop,), name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises RuntimeError if the thread has ended: then nobody renews any more."""
        if self._thread is not None and not self._thread.is_alive():
            raise RuntimeError("the thread that renews the lease has ended")

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._every):
            if self._may():
                try:
                    self._lease.renew(self._clock())
                except ApiError as error:
                    log.warning("the lease was not renewed: %s", error)

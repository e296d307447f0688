"""The lease: one holder, handed over at once, taken over late."""

from __future__ import annotations

import copy
from typing import Any

from gluster_sidecar.errors import ApiError, Conflict
from gluster_sidecar.lease import DURATION_SECONDS, RENEW_SECONDS, Lease


class OneLease:
    """An API server that keeps one object and its resourceVersion."""

    def __init__(self, stored: dict[str, Any] | None = None) -> None:
        self.stored = stored
        self.version = 0
        self.asked = 0

    def get(self, path: str) -> dict[str, Any]:
        self.asked += 1
        if self.stored is None:
            raise ApiError("not found", 404)
        return copy.deepcopy(self.stored)

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.stored is not None:
            raise Conflict("exists", 409)
        return self._keep(body)

    def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("changed", 409)
        return self._keep(body)

    def _keep(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.stored = copy.deepcopy(body)
        self.stored["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.stored)


def pair(api: OneLease) -> tuple[Lease, Lease]:
    return tuple(Lease(api, "default", name) for name in "ab")  # type: ignore[arg-type, return-value]


def test_a_free_lease_goes_to_the_first_and_to_nobody_else() -> None:
    for stored in (None, {"metadata": {"name": "gluster-actor", "resourceVersion": "0"}}):
        api = OneLease(stored)
        a, b = pair(api)
        assert a.contend(0)
        assert not b.contend(1)
        assert a.held(1)
        assert not b.held(1)


def test_who_does_not_renew_loses_it_before_anybody_can_take_it() -> None:
    a, b = pair(OneLease())
    assert a.contend(0)
    assert not b.contend(1)
    end = 1 + DURATION_SECONDS
    assert not a.held(end - 1)
    assert not b.contend(end - 0.1)
    assert b.contend(end)
    assert not a.contend(end), "it must see that it is taken"


def test_the_next_in_line_looks_now_and_then_and_need_not_wait() -> None:
    api = OneLease()
    a, b = pair(api)
    assert a.contend(0)
    asked = api.asked
    for now in range(DURATION_SECONDS + 1):
        b.watch(now)
    assert api.asked == asked + 2
    assert b.contend(DURATION_SECONDS), "it has seen for as long that nobody renewed it"


def test_renewal_keeps_it_and_is_no_more_often_than_needed() -> None:
    api = OneLease()
    a, b = pair(api)
    assert a.contend(0)
    assert a.contend(RENEW_SECONDS - 1)
    assert api.version == 1
    for now in range(RENEW_SECONDS, 100, RENEW_SECONDS):
        assert a.contend(now)
        assert not b.contend(now + 1)
        assert api.asked == 1 + now // RENEW_SECONDS, "only the other one has to look"


def test_a_lease_that_somebody_else_wrote_is_looked_at_again() -> None:
    api = OneLease()
    a, _ = pair(api)
    assert a.contend(0)
    assert api.stored
    api.replace("", {**api.stored, "metadata": {**api.stored["metadata"], "labels": {"by": "hand"}}})
    assert a.contend(RENEW_SECONDS)
    assert a.held(RENEW_SECONDS + 1)


def test_released_it_is_taken_at_once() -> None:
    a, b = pair(OneLease())
    assert a.contend(0)
    a.release(1)
    assert not a.held(1)
    assert b.contend(1)

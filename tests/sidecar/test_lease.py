"""The lease: one holder, handed over at once, taken over late."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
from gluster_sidecar.errors import ApiError, Conflict
from gluster_sidecar.lease import DURATION_SECONDS, RENEW_SECONDS, Keeper, Lease

from lab.waiting import wait_for


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


def test_while_a_step_takes_long_nobody_else_takes_it() -> None:
    """The loop itself was who renewed it: after fifteen seconds of a command another one acted beside it."""
    now, may, api, stop = [0.0], [True], OneLease(), threading.Event()
    a, b = pair(api)
    assert a.contend(0)
    keeper = Keeper(a, lambda: now[0], lambda: may[0], 0.01)
    keeper.start(stop)
    for now[0] in range(RENEW_SECONDS, 120, RENEW_SECONDS):
        version = now[0] // RENEW_SECONDS + 1
        wait_for("it is renewed", lambda version=version: api.version == version, 30)  # type: ignore[misc]
        assert not b.contend(now[0])
    may[0] = False  # the step hangs
    end = now[0] + DURATION_SECONDS
    while now[0] < end:
        now[0] += 1
        b.contend(now[0])
    assert b.held(end)
    assert not a.held(end)
    may[0] = True
    keeper.check()
    stop.set()


def test_a_lease_that_is_not_held_is_not_taken_by_who_only_keeps_it() -> None:
    api = OneLease()
    a, _ = pair(api)
    assert not a.renew(0)
    assert a.contend(0)
    a.release(1)
    assert not a.renew(2)
    assert api.stored
    assert not api.stored["spec"]["holderIdentity"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_that_nobody_renews_it_any_more_is_noticed() -> None:
    def fails() -> bool:
        raise ValueError("nobody thought of that")

    keeper = Keeper(pair(OneLease())[0], lambda: 0, fails, 0.01)
    keeper.start(threading.Event())

    def noticed() -> bool:
        try:
            keeper.check()
        except RuntimeError:
            return True
        return False

    wait_for("it is noticed", noticed, 30)

"""The port of the probes, called by people who do not behave."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from gluster_sidecar import health
from gluster_sidecar.health import Health
from gluster_sidecar.report import Readiness

from lab.waiting import wait_for


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = health.serve(Health(), 0, look_seconds=0.05)
    yield server
    server.shutdown()
    server.server_close()


def answers(server: ThreadingHTTPServer) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/healthz", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_idle_connections_cost_a_bounded_number_of_threads_and_probes_get_through(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 of them kept 300 threads."""
    handler = server.RequestHandlerClass
    monkeypatch.setattr(handler, "timeout", 0.5)
    before = threading.active_count()
    callers = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(300)]
    try:
        assert threading.active_count() - before <= health.MOST_CALLERS
        wait_for("a probe gets through", lambda: answers(server), 30)
    finally:
        for caller in callers:
            caller.close()


def test_what_was_found_long_ago_says_nothing_of_now() -> None:
    """A cycle that hangs left its pod Ready for as long as it hung."""
    health_ = Health(readiness=Readiness(True, "serves"))
    assert health_.answer("/readyz") == (200, "serves\n")
    health_.turned_at -= health.STALE_SECONDS
    status, why = health_.answer("/readyz")
    assert (status, "nothing is known" in why) == (503, True)

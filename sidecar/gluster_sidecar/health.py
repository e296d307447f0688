"""/healthz (the loop turns), /readyz and /metrics, from what the last cycle left here."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from . import metrics
from .contract import HEALTH_PORT
from .report import Readiness

MOST_CALLERS: Final = 32
"""Kubelet asks one probe at a time; who scrapes and who looks come beside it."""
IDLE_SECONDS: Final = 5
"""A caller that says nothing for so long is hung up on."""
STUCK_SECONDS: Final = 600
"""A cycle may last several gluster commands of 120 s each; beyond this the loop hangs."""
STALE_SECONDS: Final = 300
"""After so long without a cycle, what the last one found says nothing of now, and is not Ready (law 4)."""


@dataclass(slots=True)
class Health:
    """Written by the loop, read by the probes' threads; each attribute is replaced whole."""

    readiness: Readiness = field(default_factory=lambda: Readiness(False, "no look yet"))
    gauges: Mapping[str, float] = field(default_factory=dict)
    tally: metrics.Tally = field(default_factory=metrics.Tally)
    turned_at: float = field(default_factory=time.monotonic)

    def is_fresh(self) -> bool:
        """What the last cycle found is of now."""
        return time.monotonic() - self.turned_at < STALE_SECONDS

    def answer(self, path: str) -> tuple[int, str]:
        quiet = time.monotonic() - self.turned_at
        if path == "/healthz":
            return (200, "ok\n") if quiet < STUCK_SECONDS else (500, f"no cycle for {quiet:.0f} s\n")
        if path == "/readyz":
            if not self.is_fresh():
                return 503, f"nothing is known: no cycle for {quiet:.0f} s\n"
            return (200 if self.readiness.ready else 503), self.readiness.why + "\n"
        if path == "/metrics":
            return 200, metrics.text({**self.gauges, **self.tally})
        return 404, "known: /healthz /readyz /metrics\n"


class _Server(ThreadingHTTPServer):
    """No more than `MOST_CALLERS` at once: the port is open to the whole machine's network."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._slots = threading.BoundedSemaphore(MOST_CALLERS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()


def serve(health: Health, port: int = HEALTH_PORT, *, look_seconds: float = 3600) -> ThreadingHTTPServer:
    """Answers in a thread of its own until `shutdown()`. Raises OSError if the port is taken.

    `look_seconds`: how often the thread looks whether it shall end, if nobody asks it anything.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_SECONDS

        def do_GET(self) -> None:
            status, text = health.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not news."""

    server = _Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, args=(look_seconds,), name="health", daemon=True).start()
    return server

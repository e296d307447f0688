"""`python3 -m gluster_sidecar.csi.plugin`: what the kubelet of this machine talks to.

Mounts nothing and holds nothing: it may end at any moment, and no pod's file notices.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from gluster_sidecar.contract import (
    KUBELET_REGISTRY,
    MACHINE_VARIABLE,
    PLUGIN_HEALTH_PORT,
    driver_folder,
    driver_name,
)
from gluster_sidecar.errors import SettingsError
from gluster_sidecar.settings import Settings

from . import link, serve
from .errors import Refusal
from .node import Identity, Node

log = logging.getLogger("gluster_sidecar.csi.plugin")

CSI_SOCKET: Final = "csi.sock"
STOP_SECONDS: Final = 5


def main() -> int:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = Settings.from_env(os.environ)
        machine = os.environ.get(MACHINE_VARIABLE, "")
        if not machine:
            raise SettingsError([f"{MACHINE_VARIABLE} is not set: the pod's manifest must name its machine"])
    except SettingsError as error:
        for problem in error.problems:
            print(f"csi plugin: {problem}", file=sys.stderr)
        return 2
    return run(settings, machine, stop)


def run(settings: Settings, machine: str, stop: threading.Event) -> int:
    """Serves until `stop`; exit code 1 if the kubelet refused the driver."""
    folder, name = Path(driver_folder(settings.namespace)), driver_name(settings.namespace)
    refused: list[str] = []

    def ask(method: str, **words: Any) -> Any:
        return link.call(folder / link.SOCKET, method, **words)

    def heard(registered: bool, error: str) -> None:
        if registered:
            log.info("the kubelet has registered %s", name)
        else:
            refused.append(error)
            stop.set()

    identity, node = Identity(name, ask), Node(machine, settings.volume_name, ask)
    socket = folder / CSI_SOCKET
    servers = [serve.server(socket, serve.csi_services(identity, node))]
    health = _health(ask)
    registration = serve.registration_services(name, str(socket), heard)
    servers.append(serve.server(Path(KUBELET_REGISTRY) / f"{name}-reg.sock", registration))
    log.info("driver %s on %s", name, machine)
    stop.wait()
    for server in servers:
        server.stop(STOP_SECONDS).wait()
    health.shutdown()
    if refused:
        print(f"csi plugin: the kubelet refuses {name}: {refused[0]}", file=sys.stderr)
    return 1 if refused else 0


def _health(ask: link.Method) -> ThreadingHTTPServer:
    """/healthz: this process turns; /readyz: the holder on this machine answers, too."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = 200, "ok\n"
            if self.path == "/readyz":
                try:
                    ask(link.PING)
                except Refusal as refusal:
                    status, text = 503, f"{refusal}\n"
            elif self.path != "/healthz":
                status, text = 404, "known: /healthz /readyz\n"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not news."""

    server = ThreadingHTTPServer(("", PLUGIN_HEALTH_PORT), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


if __name__ == "__main__":
    sys.exit(main())

"""An API server of one ConfigMap that falls silent on demand, to be interrupted in the midst of a request.

The real one cannot be held at a certain request.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KIND = {"kind": "ConfigMap", "name": "configmaps", "namespaced": True}
COLLECTION = "/api/v1/namespaces/default/configmaps"


class Silent:
    def __init__(self) -> None:
        self.object: dict[str, Any] | None = None
        self.silent_on = ""
        """A method that gets no answer, once it has done its work."""
        self.asked, self.over = threading.Event(), threading.Event()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not path.startswith(COLLECTION):
            return 200, {"resources": [KIND]} if path == "/api/v1" else {}
        if method == "POST":
            meta = {**body["metadata"], "uid": "u", "namespace": "default"}
            self.object = {**body, "metadata": meta}
        if method == self.silent_on:
            self.asked.set()
            self.over.wait(60)
        return (404, {"reason": "NotFound"}) if self.object is None else (200, self.object)

    def kubeconfig(self, file: Path, port: int) -> Path:
        server = {"server": f"http://127.0.0.1:{port}"}
        context = {"cluster": "c", "user": "u"}
        parts: dict[str, Any] = {
            "clusters": [{"name": "c", "cluster": server}],
            "contexts": [{"name": "x", "context": context}],
            "users": [{"name": "u", "user": {}}],
            "current-context": "x",
        }
        file.write_text(json.dumps(parts))
        return file


@contextmanager
def silent(file: Path) -> Iterator[Silent]:
    """`file` becomes its kubeconfig."""
    api = Silent()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or "{}")
            status, found = api.answer(self.command, self.path.partition("?")[0], body)
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            # Who has given the request up is gone.
            with suppress(BrokenPipeError):
                self.wfile.write(data)

        do_GET = do_POST = do

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        api.kubeconfig(file, server.server_port)
        yield api
    finally:
        api.over.set()
        server.shutdown()
        thread.join()
        server.server_close()

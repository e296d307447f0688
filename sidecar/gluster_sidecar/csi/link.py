"""How the plugin asks the holder: one line of JSON each way over a Unix socket of the machine.

Not gRPC: the holder shall need nothing that could be a reason to restart it.
"""

from __future__ import annotations

import json
import logging
import socket
import socketserver
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from .errors import Code, Refusal

log = logging.getLogger(__name__)

SOCKET: Final = "holder.sock"
"""In the driver's folder of the machine."""
CALL_SECONDS: Final = 110
"""Less than the two minutes that the kubelet gives the plugin."""
PING: Final = "ping"
PING_SECONDS: Final = 4
"""Less than a probe of the kubelet takes: it comes again and again, and would use up the plugin's workers."""
_LINE: Final = 65_536

Method = Callable[..., Any]
"""Takes the members of a request as keywords, answers with what JSON can hold. Raises Refusal."""


def call(path: Path, method: str, /, **words: Any) -> Any:
    """Raises Refusal: the holder's own, or UNAVAILABLE if it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_SECONDS if method == PING else CALL_SECONDS)
            connection.connect(str(path))
            connection.sendall(json.dumps({"method": method, **words}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline(_LINE))
    except (OSError, ValueError) as error:
        raise Refusal(
            Code.UNAVAILABLE, f"the pod that holds this machine's mounts does not answer at {path}: {error}"
        ) from error
    if "code" in answer:
        raise Refusal(Code(answer["code"]), answer["message"])
    return answer["result"]


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        try:
            words = json.loads(self.rfile.readline(_LINE))
            method = self.server.methods[words.pop("method")]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            answer: dict[str, Any] = {"code": Code.INTERNAL, "message": f"no request: {error!r}"}
        else:
            answer = _answer(method, words)
        try:
            self.wfile.write(json.dumps(answer).encode() + b"\n")
        except OSError as error:
            log.warning("the plugin did not wait for an answer: %s", error)


def _answer(method: Method, words: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"result": method(**words)}
    except Refusal as refusal:
        log.warning("refused, %s: %s", refusal.code, refusal)
        return {"code": refusal.code, "message": str(refusal)}
    except Exception as error:
        # Not let through: the process holds mounts that pods are using.
        log.exception("%s failed", words)
        return {"code": Code.INTERNAL, "message": f"{type(error).__name__}: {error}"}


class Server(socketserver.ThreadingUnixStreamServer):
    """Serves `methods` at `path`, in a thread for each request."""

    daemon_threads = True

    def __init__(self, path: Path, methods: Mapping[str, Method]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)
        path.chmod(0o600)
        self.methods = methods

"""Requests to a Kubernetes API server."""

from __future__ import annotations

import json
import re
import ssl
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

import urllib3

from lab.standins.pulumi_kubernetes.kubeconfig import Connection
from lab.standins.pulumi_plugin.values import Object

TIMEOUT: Final = urllib3.Timeout(connect=5, read=30)
"""Seconds."""
CONNECTIONS: Final = 64
REQUESTS: Final = 256
"""At a time: more than the engine asks for, because those given up by Ctrl-C still hold a thread each."""
GIVE_UP: Final = 0.1
"""Seconds until a request on its way notices Ctrl-C."""
_WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class Unreachable(Exception):
    """The API server said nothing."""


class Cancelled(Unreachable):
    """Ctrl-C: no request is sent any more, and none on its way is waited for.

    The real provider gives every request the context that Cancel ends (`canceler` in provider.go).
    """


class Api:
    """Thread-safe."""

    def __init__(self, connection: Connection, cancelled: threading.Event) -> None:
        self._cancelled = cancelled
        self._threads = ThreadPoolExecutor(REQUESTS)
        self._base = connection.server
        self._headers = {"Accept": JSON, "User-Agent": "pulumi-kubernetes (stand-in)"}
        if connection.token:
            self._headers["Authorization"] = f"Bearer {connection.token}"
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=CONNECTIONS,
            block=False,
            ssl_context=_tls(connection) if connection.server.startswith("https") else None,
            assert_hostname=connection.server_name or None,
            timeout=TIMEOUT,
            retries=False,
        )

    def get(self, path: str, *, even_cancelled: bool = False) -> Object:
        return self.send("GET", path, even_cancelled=even_cancelled)[0]

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
        even_cancelled: bool = False,
    ) -> tuple[Object, list[str]]:
        """What it answers, and its warnings. Raises ApiError, Unreachable, Cancelled."""
        url = self._base + path + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
        if self._cancelled.is_set() and not even_cancelled:
            # The words of client-go's limiter of requests, which looks at the context first.
            raise Cancelled("client rate limiter Wait returned an error: context canceled")
        request = self._threads.submit(self._exchange, method, path, url, body, content)
        while not wait([request], GIVE_UP).done:
            if self._cancelled.is_set() and not even_cancelled:
                raise Cancelled(f'{method.capitalize()} "{url}": context canceled')
        return request.result()

    def _exchange(
        self, method: str, path: str, url: str, body: Any, content: str
    ) -> tuple[Object, list[str]]:
        try:
            reply = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers={**self._headers, "Content-Type": content},
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{method} {url}: {_cause(error)}") from error
        answer = _json(reply.data)
        if reply.status >= 400:
            message = answer.get("message") or f"{method} {path}: {reply.status} {reply.reason}"
            raise ApiError(reply.status, str(answer.get("reason") or ""), str(message))
        return answer, [_plain(text) for text in _WARNING.findall(reply.headers.get("Warning", ""))]


def _json(data: bytes) -> Object:
    try:
        found = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace").strip()[:500]}
    return found if isinstance(found, dict) else {}


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _cause(error: Exception) -> str:
    """The innermost reason, without urllib3's names of objects."""
    inner = getattr(error, "reason", None) or error.__cause__ or error
    return str(inner).rpartition(": ")[2] or type(error).__name__


def _tls(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if connection.authority:
        context = ssl.create_default_context(cadata=connection.authority.decode())
    if connection.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if connection.certificate and connection.key:
        # The library takes a key from a file only; it is gone before anybody else can look.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "client.pem")
            file.touch(0o600)
            file.write_bytes(connection.certificate + b"\n" + connection.key)
            context.load_cert_chain(file)
    return context

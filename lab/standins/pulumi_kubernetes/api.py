"""Requests to a Kubernetes API server."""

from __future__ import annotations

import json
import re
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import urllib3

from lab.standins.pulumi_kubernetes.kubeconfig import Connection
from lab.standins.pulumi_plugin.values import Object

TIMEOUT: Final = urllib3.Timeout(connect=5, read=30)
"""Seconds."""
CONNECTIONS: Final = 64
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


class Api:
    """Thread-safe."""

    def __init__(self, connection: Connection) -> None:
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

    def get(self, path: str) -> Object:
        return self.send("GET", path)[0]

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
    ) -> tuple[Object, list[str]]:
        """What it answers, and its warnings. Raises ApiError, Unreachable."""
        url = self._base + path + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
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

"""Asking the API server the few things that the lab itself wants to know, many times a second.

kubectl takes a tenth of a second of CPU for each question; this takes a hundredth.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any

from lab.addresses import API_PORT
from lab.paths import Paths

TIMEOUT = 5.0
"""Seconds for one answer."""


@dataclass(frozen=True)
class Api:
    paths: Paths
    host: str

    def get(self, path: str) -> Any:
        """The JSON at the path; None when it cannot be had now."""
        status, body = self._ask(path)
        return json.loads(body) if status == 200 else None

    def ready(self) -> bool:
        return self._ask("/readyz")[0] == 200

    def nodes_ready(self) -> dict[str, str]:
        """The boot id of every machine that is Ready, by its name."""
        answer = self.get("/api/v1/nodes") or {"items": []}
        return {
            node["metadata"]["name"]: node["status"]["nodeInfo"]["bootID"]
            for node in answer["items"]
            if any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in node.get("status", {}).get("conditions", [])
            )
        }

    def _ask(self, path: str) -> tuple[int, bytes]:
        pki = self.paths.pki
        try:
            context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
            context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
            connection = http.client.HTTPSConnection(self.host, API_PORT, timeout=TIMEOUT, context=context)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return 0, b""

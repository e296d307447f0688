"""A small scripted sidecar: what `up`, a shrink and a destroy wait for, without any glusterd.

It does to Kubernetes' objects what design.md promises of the sidecars, and reads what it shall not do
from the names of files in a folder: `no-join`, `no-drain`. Pods, which no machine runs here, it calls
ready. Run inside the network namespace of the API server.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import urllib3
from gluster_sidecar import contract
from gluster_sidecar.contract import Kind, MemberKey, PlanKey

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
WAITS = "waits to be invited"
"""What a node that may not join says where `up` waits for it."""
Object = dict[str, Any]


class Api:
    """Of one namespace, with the certificates of a kubeconfig."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        document = json.loads(kubeconfig.read_text())
        user, cluster = document["users"][0]["user"], document["clusters"][0]["cluster"]
        context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        with tempfile.NamedTemporaryFile("wb") as both:
            for part in ("client-certificate-data", "client-key-data"):
                both.write(base64.b64decode(user[part]))
            both.flush()
            context.load_cert_chain(both.name)
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False)
        self._url = f"{cluster['server']}/api/v1/namespaces/{namespace}"

    def list(self, kind: str) -> list[Object]:
        answer = self._pool.request("GET", f"{self._url}/{kind}", timeout=5)
        return list(json.loads(answer.data)["items"]) if answer.status == 200 else []

    def patch(self, path: str, body: Object) -> None:
        """A merge patch; an object that has gone meanwhile is none of our business."""
        headers = {"Content-Type": "application/merge-patch+json"}
        url = f"{self._url}/{path}?fieldManager={contract.FIELD_MANAGER}"
        self._pool.request("PATCH", url, body=json.dumps(body), headers=headers, timeout=5)

    def create(self, kind: str, body: Object) -> None:
        url = f"{self._url}/{kind}?fieldManager={contract.FIELD_MANAGER}"
        headers = {"Content-Type": "application/json"}
        self._pool.request("POST", url, body=json.dumps(body), headers=headers, timeout=5)


def cycle(api: Api, refused: set[str]) -> None:
    for pod in api.list("pods"):
        if pod.get("status", {}).get("phase") != "Running":
            api.patch(f"pods/{pod['metadata']['name']}/status", {"status": READY})
    maps = [m for m in api.list("configmaps") if contract.KIND_LABEL in (m["metadata"].get("labels") or {})]
    members = {
        int(m["data"][MemberKey.NODE]): m
        for m in maps
        if m["metadata"]["labels"][contract.KIND_LABEL] == Kind.MEMBER
    }
    plans = [m for m in maps if m["metadata"]["labels"][contract.KIND_LABEL] == Kind.PLAN]
    plan = next((p for p in plans if "deletionTimestamp" not in p["metadata"]), None)
    wanted = contract.parse_nodes(plan["data"][PlanKey.NODES]) if plan else frozenset()
    for number, member in sorted(members.items()):
        if "deletionTimestamp" in member["metadata"]:
            if plan is None or number in wanted or "no-drain" not in refused:
                api.patch(f"configmaps/{member['metadata']['name']}", {"metadata": {"finalizers": None}})
        elif "no-join" in refused:
            if member["data"].get(MemberKey.JOINED) not in ("true", WAITS):
                api.patch(
                    f"configmaps/{member['metadata']['name']}", {"data": {str(MemberKey.JOINED): WAITS}}
                )
        elif not member["data"].get(MemberKey.UUID):
            joined = {str(MemberKey.JOINED): str(MemberKey.SPARE not in member["data"]).lower()}
            data = {str(MemberKey.UUID): f"uuid-{number}", **joined}
            api.patch(f"configmaps/{member['metadata']['name']}", {"data": data})
        elif MemberKey.SPARE not in member["data"] and member["data"].get(MemberKey.JOINED) != "true":
            joined = {str(MemberKey.JOINED): "true"}
            api.patch(f"configmaps/{member['metadata']['name']}", {"data": joined})
    for number in sorted(wanted - members.keys()):
        api.create("configmaps", _member(number))
    living = {n for n, m in members.items() if "deletionTimestamp" not in m["metadata"]}
    if plan and wanted <= living:
        mark = contract.settled_mark(plan["data"])
        if plan["data"].get(PlanKey.SETTLED) != mark:
            api.patch(f"configmaps/{contract.PLAN_NAME}", {"data": {str(PlanKey.SETTLED): mark}})


def _member(number: int) -> Object:
    """As the sidecars make it anew for one who has changed their mind."""
    labels = {contract.KIND_LABEL: str(Kind.MEMBER), contract.NODE_LABEL: str(number)}
    metadata = {
        "name": contract.member_name(number),
        "labels": labels,
        "finalizers": [contract.DRAIN_FINALIZER],
    }
    return {"metadata": metadata, "data": {str(MemberKey.NODE): str(number), str(MemberKey.JOINED): "true"}}


def main() -> None:
    kubeconfig, folder, namespace = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    api = Api(kubeconfig, namespace)
    while True:
        # The API server may be away: a sidecar waits too.
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            cycle(api, {file.name for file in folder.iterdir()})
        time.sleep(0.1)


if __name__ == "__main__":
    main()

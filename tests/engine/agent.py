"""A small scripted sidecar: what `up`, a shrink and a destroy wait for, without any glusterd.

It does to Kubernetes' objects what the contract promises of the sidecars. Which nodes hold bricks stands in a
file, in place of a volume: a test reads there which disks are needed. What the agent shall not do it reads
from the names of files in a folder: `no-join`, `no-drain`, `no-release`, `no-settle`, `no-roll`. Pods, which
no machine runs here, it calls ready, unless their image is one that cannot be pulled. Run inside the network
namespace of the API server.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import urllib3
from gluster_sidecar import contract, documents
from gluster_sidecar.contract import BRICKS_ANNOTATION, Kind, MemberKey, SettledKey
from gluster_sidecar.model import Guarded, Member, Plan

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
WAITS: Final = "not yet"
"""What it says where `up` waits."""
BAD_IMAGE: Final = "example.invalid/nope:1"
VOLUME: Final = "volume.json"
"""Beside the folder of refusals: numbers of the nodes that hold bricks."""
LOST: Final = "lost"
"""Beside it too, and only if ever a disk of those was missing: which one."""
GUARDED: Final = ("persistentvolumeclaims", "replicationcontrollers")
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
        self.namespace, self._server = namespace, cluster["server"]
        self._url = f"{self._server}/api/v1/namespaces/{namespace}"

    def list(self, kind: str, place: str = "") -> list[Object]:
        """Raises OSError if the API server does not list them. `place`: where, if not in the namespace."""
        answer = self._pool.request("GET", f"{self._at(place)}/{kind}", timeout=5)
        if answer.status != 200:
            raise OSError(f"{kind}: {answer.status}")
        return list(json.loads(answer.data)["items"])

    def _at(self, place: str) -> str:
        return self._server + place if place else self._url

    def patch(self, path: str, body: Object, place: str = "") -> Object:
        """A merge patch; of an object that has gone or changed meanwhile, nothing."""
        headers = {"Content-Type": "application/merge-patch+json"}
        url = f"{self._at(place)}/{path}?fieldManager={contract.FIELD_MANAGER}"
        answer = self._pool.request("PATCH", url, body=json.dumps(body), headers=headers, timeout=5)
        return dict(json.loads(answer.data)) if answer.status == 200 else {}

    def create(self, kind: str, body: Object) -> None:
        url = f"{self._url}/{kind}?fieldManager={contract.FIELD_MANAGER}"
        headers = {"Content-Type": "application/json"}
        self._pool.request("POST", url, body=json.dumps(body), headers=headers, timeout=5)

    def delete(self, path: str) -> None:
        self._pool.request("DELETE", f"{self._url}/{path}", timeout=5)


@dataclass
class Agent:
    api: Api
    folder: Path
    """Of what it shall not do."""
    documents: dict[str, Object] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    plan: Plan | None = None
    guarded: dict[str, dict[int, Guarded]] = field(default_factory=dict)
    pods: list[Object] = field(default_factory=list)

    def refuses(self, what: str) -> bool:
        return (self.folder / what).exists()

    @property
    def volume(self) -> set[int]:
        file = self.folder.parent / VOLUME
        return set(json.loads(file.read_text())) if file.exists() else set()

    def keep(self, nodes: set[int]) -> None:
        draft = self.folder.parent / f"{VOLUME}.new"
        draft.write_text(json.dumps(sorted(nodes)))
        draft.rename(self.folder.parent / VOLUME)

    @staticmethod
    def has_disk(node: int) -> bool:
        """By any `diskPrefix`. True where the stack has its disks elsewhere."""
        disks = Path(os.environ["GLUSTER_LAB_DISKS"])
        return not disks.exists() or any(disks.rglob(f"*-node-{node}-disk.img"))

    def watch_disks(self) -> None:
        for node in self.volume:
            if not self.has_disk(node):
                (self.folder.parent / LOST).write_text(contract.disk_name(node))

    def cycle(self) -> None:
        self.watch_disks()
        self.observe()
        for pod in self.pods:
            if pod.get("status", {}).get("phase") != "Running" and not _is_bad(pod):
                self.api.patch(f"pods/{pod['metadata']['name']}/status", {"status": READY})
        if self.plan is None and self.tear_down():
            return
        self.free_volumes()
        self.join()
        self.leave()
        self.roll()
        self.settle()

    def observe(self) -> None:
        """As the product reads them."""
        maps = self.api.list("configmaps")
        self.documents = {m["metadata"]["name"]: m for m in maps}
        self.members = {m.node: m for item in maps if (m := documents.member(item)) is not None}
        self.plan = documents.plan(self.documents.get(contract.PLAN_NAME))
        self.guarded = {k: dict(filter(None, map(documents.guarded, self.api.list(k)))) for k in GUARDED}
        self.pods = self.api.list("pods")

    @property
    def named(self) -> frozenset[int]:
        return self.plan.named if self.plan else frozenset()

    @property
    def leaving(self) -> set[int]:
        return set(self.members) - self.named if self.plan else set()

    def tear_down(self) -> bool:
        """Whether every member is being deleted."""
        whole = all(member.terminating for member in self.members.values())
        if whole:
            for node in sorted({*self.guarded[GUARDED[0]], *self.guarded[GUARDED[1]]}):
                self.hold(node, None)
            self.keep(set())
        for node, member in sorted(self.members.items()):
            if member.terminating:
                self.tell(node, metadata={"finalizers": None})
        return whole

    def tell(self, node: int, data: dict[MemberKey, str] | None = None, **rest: object) -> None:
        told = {"data": {str(key): value for key, value in data.items()}} if data else {}
        self.api.patch(f"configmaps/{contract.member_name(node)}", {**told, **rest})

    def hold(self, node: int, bricks: str | None) -> bool:
        """Whether both objects are there to stay."""
        annotations = {"metadata": {"annotations": {BRICKS_ANNOTATION: bricks}}}
        name = contract.controller_name(node)
        both = [self.api.patch(f"{kind}/{name}", annotations) for kind in GUARDED]
        return all(found and "deletionTimestamp" not in found["metadata"] for found in both)

    def free_volumes(self) -> None:
        """As the sidecars do for a claim that was created again."""
        waiting = [node for node, claim in self.guarded[GUARDED[0]].items() if claim.released]
        for volume in self.api.list("persistentvolumes", "/api/v1") if waiting else []:
            name, version = volume["metadata"]["name"], volume["metadata"]["resourceVersion"]
            ours = name in {contract.volume_name(node, self.api.namespace) for node in waiting}
            if ours and volume.get("status", {}).get("phase") == "Released":
                earlier = {"claimRef": {"uid": None, "resourceVersion": None}}
                body = {"metadata": {"resourceVersion": version}, "spec": earlier}
                self.api.patch(f"persistentvolumes/{name}", body, "/api/v1")

    def join(self) -> None:
        for node in sorted(self.named - self.members.keys()):
            self.api.create("configmaps", _member(node))
        for node, member in sorted(self.members.items()):
            if node in self.leaving:
                continue
            if member.uuid is None and not self.refuses("no-join"):
                self.tell(node, {MemberKey.UUID: f"uuid-{node}"})
            if member.spare or (node in self.volume and member.joined):
                continue
            if self.refuses("no-join"):
                self.tell(node, {MemberKey.JOINED: WAITS})
            elif self.has_disk(node) and self.hold(node, "/data/brick"):  # else its pod would not start
                self.keep(self.volume | {node})
                self.tell(node, {MemberKey.JOINED: "true"})

    def leave(self) -> None:
        for node in sorted(self.leaving):
            if self.refuses("no-drain"):
                continue
            self.keep(self.volume - {node})
            if self.refuses("no-release"):
                continue
            self.hold(node, None)
            if self.members[node].terminating:
                self.tell(node, metadata={"finalizers": None})

    @property
    def outdated(self) -> list[str]:
        """Names of the pods of which their controllers would create others."""
        templates = {n: found.template for n, found in self.guarded[GUARDED[1]].items()}
        pods = [pod for item in self.pods if (pod := documents.pod(item)) is not None]
        old = [pod for pod in pods if pod.template != templates.get(pod.node, pod.template)]
        return [pod.name for pod in sorted(old, key=lambda pod: (pod.ready, pod.node))]

    def roll(self) -> None:
        there = {pod.node for item in self.pods if (pod := documents.pod(item)) is not None}
        bad = [item for item in self.pods if _is_bad(item) and item["metadata"]["name"] not in self.outdated]
        if self.outdated and not self.refuses("no-roll") and self.members.keys() <= there and not bad:
            self.api.delete(f"pods/{self.outdated[0]}")

    def settle(self) -> None:
        document = self.documents.get(contract.SETTLED_NAME)
        if document is None or self.plan is None:
            return
        controllers, claims = (self.guarded[kind] for kind in reversed(GUARDED))
        templates = {found.template for node, found in controllers.items() if node in self.plan.named}
        holds = not self.refuses("no-settle") and (
            self.plan.named <= self.members.keys() & controllers.keys() & claims.keys()
            and self.plan.nodes <= self.volume
            and not self.leaving & self.volume
            and not self.outdated
            and not any(map(_is_bad, self.pods))
            and templates == {self.plan.template}
        )
        mark = self.plan.mark
        said = {
            str(SettledKey.PLAN): mark if holds else "",
            str(SettledKey.SETTLED): mark if holds else WAITS,
        }
        if {key: document.get("data", {}).get(key) for key in said} != said:
            self.api.patch(f"configmaps/{contract.SETTLED_NAME}", {"data": said})


def _is_bad(pod: Object) -> bool:
    return any(container["image"] == BAD_IMAGE for container in pod["spec"]["containers"])


def _member(number: int) -> Object:
    """As the sidecars create it where somebody deleted it."""
    labels = {contract.KIND_LABEL: str(Kind.MEMBER), contract.NODE_LABEL: str(number)}
    metadata = {
        "name": contract.member_name(number),
        "labels": labels,
        "finalizers": [contract.DRAIN_FINALIZER],
    }
    return {"metadata": metadata, "data": {str(MemberKey.NODE): str(number)}}


def main() -> None:
    kubeconfig, folder, namespace = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    agent = Agent(Api(kubeconfig, namespace), folder)
    while True:
        # The API server may be away: a sidecar waits too.
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            agent.cycle()
        time.sleep(0.1)


if __name__ == "__main__":
    main()

"""What sidecar and holder ask of Kubernetes, done by their own code under the stack's own grants.

Run inside the network namespace of a real API server: `python -m tests.engine.duties KUBECONFIG NAMESPACE`.
First with the whole grants, then with each verb taken away once. Prints, as JSON, the duties that failed:
`{"": [...], "sidecar: pods list": [...], ...}`.
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gluster_sidecar import contract
from gluster_sidecar.actions import DeletePod, LiftFinalizer, NoteBalanced, RemakeMember
from gluster_sidecar.contract import Kind, MemberKey
from gluster_sidecar.csi import hold
from gluster_sidecar.errors import ApiError
from gluster_sidecar.events import Events
from gluster_sidecar.execute import Executor
from gluster_sidecar.gluster import Cli
from gluster_sidecar.health import Health
from gluster_sidecar.kubernetes import Api, Mirror, Object
from gluster_sidecar.lease import Lease
from gluster_sidecar.loop import Loop
from gluster_sidecar.observe import Observer
from gluster_sidecar.settings import Identity, Settings

from gluster_stack import access, driver
from tests.sidecar.world import World

Grant = tuple[tuple[str, str, tuple[str, ...]], ...]
GRANTS: dict[str, tuple[str, Grant]] = {
    "sidecar": (access.NAME, access.RULES),
    "holder": (driver.HOLDER, driver.RULES),
}
"""Of whom: the account's name and what it may do."""
_POD = {"containers": [{"name": "c", "image": "none"}]}
SECONDS = 20
"""For what must come at last; only a test that fails takes as long."""


@dataclass(frozen=True)
class Site:
    """One namespace, seen by its administrator and by an account of the stack's."""

    admin: Api
    api: Api
    namespace: str

    @property
    def settings(self) -> Settings:
        return Settings(namespace=self.namespace)

    @property
    def core(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def slices(self) -> str:
        return f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"

    @property
    def leases(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    def executor(self) -> Executor:
        return Executor(self.settings, Cli(), self.api)


def account(admin: Api, context: ssl.SSLContext, server: str, namespace: str, name: str) -> Api:
    """The API as the account calls it, by a token as the kubelet would put into its pod."""
    admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    token = admin.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(token)
    return Api(server, token_file=Path(file.name), context=context)


# --- duties of the sidecar


def follows(mirror: Mirror, changed: threading.Event, change: Callable[[], object], key: str) -> None:
    """A change made by another comes through the watch, and not by a list after the watch was refused."""
    mirror.start()
    try:
        made = False
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            changed.clear()
            try:
                objects = mirror.objects()
            except ApiError as error:
                if "not listed yet" not in str(error):
                    raise
            else:
                if any(key in (o["metadata"].get("annotations") or {}) for o in objects):
                    return
                if not made:
                    change()
                    made = True
            changed.wait(1)
        raise ApiError("the change did not come")
    finally:
        mirror.stop()


def _annotate(site: Site, path: str) -> tuple[str, Callable[[], object]]:
    key = f"test/{secrets.token_hex(4)}"
    return key, lambda: site.admin.merge(path, {"metadata": {"annotations": {key: "x"}}})


def who_is_there(site: Site) -> None:
    labels = dict(site.settings.pod_labels)
    name = _pod(site, labels)
    key, change = _annotate(site, f"{site.core}/pods/{name}")
    changed = threading.Event()
    query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())}
    follows(Mirror(site.api, f"{site.core}/pods", query, changed.set), changed, change, key)


def members_plan_and_status(site: Site) -> None:
    name = _map(site, "watched", Kind.STATUS)
    key, change = _annotate(site, f"{site.core}/configmaps/{name}")
    changed = threading.Event()
    query = {"labelSelector": contract.KIND_LABEL}
    follows(Mirror(site.api, f"{site.core}/configmaps", query, changed.set), changed, change, key)


def which_template_a_node_has(site: Site) -> None:
    labels = {contract.CLUSTER_LABEL: site.settings.cluster_name, contract.NODE_LABEL: "1"}
    spec = {"replicas": 0, "selector": labels, "template": {"metadata": {"labels": labels}, "spec": _POD}}
    _guarded(site, "replicationcontrollers", labels, spec)


def what_a_disk_may_hold(site: Site) -> None:
    labels = {contract.CLUSTER_LABEL: site.settings.cluster_name, contract.NODE_LABEL: "1"}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    _guarded(site, "persistentvolumeclaims", labels, spec)


def _guarded(site: Site, kind: str, labels: dict[str, str], spec: Object) -> None:
    name = f"guarded-{secrets.token_hex(4)}"
    site.admin.create(f"{site.core}/{kind}", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    key, change = _annotate(site, f"{site.core}/{kind}/{name}")
    changed = threading.Event()
    query = {"labelSelector": f"{contract.NODE_LABEL}"}
    follows(Mirror(site.api, f"{site.core}/{kind}", query, changed.set), changed, change, key)


def a_member_that_nobody_wants_goes(site: Site) -> None:
    site.executor().apply(RemakeMember(3, leaves=True))
    left = site.admin.get(f"{site.core}/configmaps/{contract.member_name(3)}")
    if "deletionTimestamp" not in left["metadata"]:
        raise ApiError("it stays")


def an_outdated_pod_is_made_anew(site: Site) -> None:
    name = _pod(site, {})
    uid = site.admin.get(f"{site.core}/pods/{name}")["metadata"]["uid"]
    site.executor().apply(DeletePod(name, uid))


def a_note_in_the_status(site: Site) -> None:
    site.executor().apply(NoteBalanced(frozenset({secrets.token_hex(2)})))


def a_drained_member_is_let_go(site: Site) -> None:
    path = f"{site.core}/configmaps/{contract.member_name(1)}"
    site.admin.delete(path, {})
    site.executor().apply(LiftFinalizer(1, None, "drained"))


def a_member_is_wanted_again(site: Site) -> None:
    site.executor().apply(RemakeMember(2))


def the_lease_is_taken(site: Site) -> None:
    if not Lease(site.api, site.namespace, secrets.token_hex(2)).contend(1e6):
        raise ApiError("not taken")


def a_lost_lease_is_made_anew(site: Site) -> None:
    _delete(site.admin, f"{site.leases}/{contract.LEASE_NAME}")
    the_lease_is_taken(site)


def the_clients_addresses(site: Site) -> None:
    cluster = World()
    cluster.add_nodes(1, 2)
    cluster.run()
    cluster.want(1, 2)
    cluster.run()
    api, settings, nobody = site.api, site.settings, Identity(1, "pod", "uid")
    observer = Observer(settings, nobody, Cli(), list, list)
    lease, events = Lease(api, site.namespace, "pod"), Events(api, site.namespace, "pod")
    loop = Loop(settings, observer, site.executor(), api, lease, Health(), events)
    loop._write_endpoints(cluster.cluster(1))
    written = site.admin.get(f"{site.slices}/{contract.endpoint_slice_name(settings.cluster_name)}")
    if not written.get("endpoints"):
        raise ApiError("no addresses were written")


def an_event(site: Site) -> None:
    """Posting one never fails by itself: whether it is there is asked."""
    reason = f"Rule{secrets.token_hex(4)}"
    about = {"kind": "ConfigMap", "metadata": {"name": contract.STATUS_NAME}}
    Events(site.api, site.namespace, "pod").post(about, reason, "done")
    found = site.admin.get(f"{site.core}/events")["items"]
    if not any(event["reason"].lower() == reason.lower() for event in found):
        raise ApiError("there is no event")


# --- duties of the holder


def names_follow(site: Site, which: str, path: str, key: str, change: Callable[[], object]) -> None:
    """Of the two lists that the holder keeps, the one at `path`."""
    changed = threading.Event()
    names = hold._names(site.settings, site.api, changed)
    mirror: Mirror = getattr(names, which).__self__
    mirror.stop()
    follows(Mirror(site.api, path, mirror._query, changed.set), changed, change, key)


def where_the_members_are(site: Site) -> None:
    name = _pod(site, {**site.settings.pod_labels, contract.NODE_LABEL: "1"})
    key, change = _annotate(site, f"{site.core}/pods/{name}")
    names_follow(site, "_pods", f"{site.core}/pods", key, change)


def who_serves_the_volume(site: Site) -> None:
    name = contract.endpoint_slice_name(site.settings.cluster_name)
    key, change = _annotate(site, f"{site.slices}/{name}")
    names_follow(site, "_slices", site.slices, key, change)


DUTIES: dict[str, Sequence[Callable[[Site], None]]] = {
    "sidecar": (
        who_is_there,
        members_plan_and_status,
        which_template_a_node_has,
        what_a_disk_may_hold,
        an_outdated_pod_is_made_anew,
        a_note_in_the_status,
        a_drained_member_is_let_go,
        a_member_is_wanted_again,
        a_member_that_nobody_wants_goes,
        the_lease_is_taken,
        a_lost_lease_is_made_anew,
        the_clients_addresses,
        an_event,
    ),
    "holder": (where_the_members_are, who_serves_the_volume),
}


# --- what is there before


def _pod(site: Site, labels: dict[str, str]) -> str:
    name = f"pod-{secrets.token_hex(4)}"
    site.admin.create(f"{site.core}/pods", {"metadata": {"name": name, "labels": labels}, "spec": _POD})
    return name


def _map(site: Site, name: str, kind: Kind, node: int | None = None) -> str:
    """A ConfigMap of ours; there already is as good."""
    meta: Object = {"name": name, "labels": {contract.KIND_LABEL: str(kind)}}
    if node:
        meta["finalizers"] = [contract.DRAIN_FINALIZER]
    data = {str(MemberKey.NODE): str(node)} if node else {}
    _make(site.admin, f"{site.core}/configmaps", {"metadata": meta, "data": data})
    return name


def _make(admin: Api, collection: str, body: Object) -> None:
    try:
        admin.create(collection, body)
    except ApiError as error:
        if error.status != 409:
            raise


def _delete(admin: Api, path: str) -> None:
    """With its finalizers, if it is there."""
    try:
        admin.merge(path, {"metadata": {"finalizers": None}})
        admin.delete(path, {})
    except ApiError as error:
        if error.status != 404:
            raise


def prepare(site: Site) -> None:
    """Everything as the stack declares it, whatever the last round left."""
    _map(site, contract.STATUS_NAME, Kind.STATUS)
    _delete(site.admin, f"{site.core}/configmaps/{contract.member_name(1)}")
    _map(site, contract.member_name(1), Kind.MEMBER, 1)
    _delete(site.admin, f"{site.core}/configmaps/{contract.member_name(2)}")
    _delete(site.admin, f"{site.core}/configmaps/{contract.member_name(3)}")
    _delete(site.admin, f"{site.leases}/{contract.LEASE_NAME}")
    _make(site.admin, site.leases, {"metadata": {"name": contract.LEASE_NAME}})
    name = contract.endpoint_slice_name(site.settings.cluster_name)
    labels = {"kubernetes.io/service-name": site.settings.cluster_name}
    slice_ = {"metadata": {"name": name, "labels": labels}, "addressType": "IPv4", "endpoints": []}
    _make(site.admin, site.slices, slice_)
    site.admin.merge(f"{site.slices}/{name}", {"endpoints": []})


# --- grants


def roles(namespace: str) -> str:
    return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles"


def body(name: str, grant: Grant) -> Object:
    rules = [{"apiGroups": [group], "resources": [kind], "verbs": [*verbs]} for group, kind, verbs in grant]
    return {"metadata": {"name": name}, "rules": rules}


def without(grant: Grant, kind: str, verb: str) -> Grant:
    left = [(group, k, tuple(v for v in verbs if (k, v) != (kind, verb))) for group, k, verbs in grant]
    return tuple(rule for rule in left if rule[2])


@contextmanager
def lacking(site: Site, who: str, kind: str, verb: str) -> Iterator[None]:
    """For a while `who` may not `verb` what is of `kind`."""
    name, grant = GRANTS[who]
    path = f"{roles(site.namespace)}/{name}"
    site.admin.merge(path, body(name, without(grant, kind, verb)))
    _until(site, who, kind, verb, allowed=False)
    yield
    site.admin.merge(path, body(name, grant))
    _until(site, who, kind, verb, allowed=True)


def _until(site: Site, who: str, kind: str, verb: str, *, allowed: bool) -> None:
    """The API server learns of a role a moment later."""
    name, grant = GRANTS[who]
    group = next(g for g, k, _ in grant if k == kind)
    wanted = {"namespace": site.namespace, "verb": verb, "group": group, "resource": kind}
    review = {
        "spec": {
            "user": f"system:serviceaccount:{site.namespace}:{name}",
            "resourceAttributes": wanted,
        }
    }
    deadline = time.monotonic() + SECONDS
    while True:
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        if site.admin.create(path, review)["status"]["allowed"] is allowed:
            return
        assert time.monotonic() < deadline, f"{who}: {kind} {verb} did not become {allowed}"


def failing(site: Site, who: str) -> list[str]:
    prepare(site)
    found = []
    for duty in DUTIES[who]:
        try:
            duty(site)
        except ApiError as error:
            found.append(duty.__name__ + ("" if error.status == 403 or "forbidden" in str(error) else "?"))
            if found[-1].endswith("?"):
                print(f"{who}, {duty.__name__}: {error}", file=sys.stderr)
    return found


def main() -> None:
    kubeconfig, namespace = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]
    user, cluster = kubeconfig["users"][0]["user"], kubeconfig["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    plain = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile("wb") as both:
        for part in ("client-certificate-data", "client-key-data"):
            both.write(base64.b64decode(user[part]))
        both.flush()
        context.load_cert_chain(both.name)
    admin = Api(cluster["server"], token_file=None, context=context)
    found: dict[str, Any] = {}
    for who, (name, grant) in GRANTS.items():
        api = account(admin, plain, cluster["server"], namespace, name)
        site = Site(admin, api, namespace)
        admin.create(roles(namespace), body(name, grant))
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        admin.create(roles(namespace).replace("/roles", "/rolebindings"), binding)
        _until(site, who, grant[-1][1], grant[-1][2][-1], allowed=True)
        found[f"{who}: all"] = failing(site, who)
        for _, kind, verbs in grant:
            for verb in verbs:
                with lacking(site, who, kind, verb):
                    found[f"{who}: {kind} {verb}"] = failing(site, who)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

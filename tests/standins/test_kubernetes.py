"""Previews, replacements, secrets, waits by kind: the kubernetes stand-in on a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.standins.control_plane import ControlPlane
from tests.standins.workbench import Bench

pytestmark = pytest.mark.lab

K8S = "pulumi_kubernetes"


def obj(
    kind: str, name: str | None, options: dict[str, Any] | None = None, **arguments: Any
) -> dict[str, Any]:
    meta = {**({"name": name} if name else {}), **arguments.pop("metadata", {})}
    return {"type": f"{K8S}.{kind}", "arguments": {"metadata": meta, **arguments}, "options": options or {}}


def test_a_preview_needs_no_cluster_and_an_up_says_that_there_is_none(
    offline: Callable[..., Bench],
) -> None:
    bench = offline()
    wanted = {"a": obj("core.v1.ConfigMap", "a", data={})}
    assert bench.plan(wanted)["a"] == ["create"]
    bench.up(wanted).failed("configured Kubernetes cluster is unreachable")


def volume(name: str, **spec: Any) -> dict[str, Any]:
    own = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1024Mi"},
        "storageClassName": "none",
        "hostPath": {"path": "/nowhere"},
        **spec,
    }
    return obj("core.v1.PersistentVolume", name, spec=own)


def objects(changed: bool) -> dict[str, Any]:
    """Of each kind one with a change that replaces it, or that does not."""
    n = "2" if changed else "1"
    group = "rbac.authorization.k8s.io"
    port = [{"port": 80 if not changed else 81}]
    pod = {"containers": [{"name": "c", "image": f"none:{n}", "resources": {"limits": {"cpu": "0.5"}}}]}
    labels = {"app": "x"}
    wait = {"annotations": {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}}
    return {
        "map": obj("core.v1.ConfigMap", "map", data={"a": n}),
        "auto": obj("core.v1.ConfigMap", None, data={"a": n}),
        "named": obj("core.v1.ConfigMap", f"named-{n}", data={"a": "1"}),
        "noted": obj("core.v1.ConfigMap", "noted", data={"a": "1"}, metadata={"annotations": {"a": n}}),
        "binding": obj(
            "rbac.v1.RoleBinding",
            "binding",
            roleRef={"apiGroup": group, "kind": "Role", "name": f"role-{n}"},
            subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        ),
        "class": obj("storage.v1.StorageClass", "class", provisioner="none", parameters={"a": n}),
        "headless": obj("core.v1.Service", "headless", spec={"clusterIP": "None", "ports": port}),
        "volume": volume("volume", hostPath={"path": f"/nowhere/{n}"}),
        "claimed": volume("claimed"),
        "claim": obj(
            "core.v1.PersistentVolumeClaim",
            "claim",
            {"depends_on": ["claimed"]},
            spec={
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "none",
                "volumeName": "claimed",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        ),
        "rc": obj(
            "core.v1.ReplicationController",
            "rc",
            metadata=wait,
            spec={
                "replicas": 1,
                "selector": labels,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        ),
        "daemons": obj(
            "apps.v1.DaemonSet",
            "daemons",
            spec={
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        ),
        "secret": {**obj("core.v1.Secret", "secret"), "secret": ["string_data"]}
        | {"arguments": {"metadata": {"name": "secret"}, "stringData": {"word": "xyzzy"}}},
        # Known only once the other is there.
        "later": {**obj("core.v1.ConfigMap", "later"), "from": {"data": ["auto", "metadata"]}},
    }


def test_kinds_what_replaces_them_and_what_stays_secret(bench: Bench, plane: ControlPlane) -> None:
    first = objects(changed=False)
    assert set(bench.plan(first)) >= set(first)
    bench.up(first).ok()
    bench.clean(first)
    assert plane.kubectl("get", "pvc", "claim", "-o", "jsonpath={.status.phase}") == "Bound"
    assert plane.kubectl("get", "secret", "secret", "-o", "jsonpath={.data.word}") == "eHl6enk="
    assert "xyzzy" not in json.dumps(bench.state())
    assert "eHl6enk=" not in json.dumps(bench.state())
    changed = objects(changed=True)
    # `later` as well: what is not known yet counts as changed, and a map's data replaces it
    # (convertPatchToDiff in the real provider's provider.go).
    replaced = ("map", "auto", "named", "binding", "class", "volume", "later")
    assert bench.plan(changed) == {
        **{name: ["replace"] for name in replaced},
        **{name: ["update"] for name in ("noted", "headless", "rc", "daemons")},
    }
    # Names that are given are freed first, or the API would refuse the second object.
    bench.up(changed).ok()
    plane.kubectl("delete", "configmap", "noted")
    bench.run("refresh").ok()
    assert bench.plan(changed) == {"noted": ["create"]}
    bench.destroy().ok()
    left = plane.kubectl("get", "rc,ds,pvc,pv,secret,sc,rolebinding", "--ignore-not-found")
    assert left == ""


def test_words_for_the_person(bench: Bench, plane: ControlPlane) -> None:
    """Deprecated kinds, names that are taken, waits that make no sense, kinds that wait for pods."""
    plane.kubectl("create", "configmap", "taken")
    metadata = {"annotations": {"pulumi.com/waitFor": ".data.x=1"}}
    bench.declare({"a": obj("core.v1.ConfigMap", "a", data={}, metadata=metadata)})
    bench.run("preview").failed('expected a "jsonpath=" or "condition=" prefix')
    short = {"custom_timeouts": {"create": "2s"}}
    spec = {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}
    wanted = {
        "taken": obj("core.v1.ConfigMap", "taken", data={}),
        "endpoints": obj("core.v1.Endpoints", "old"),
        "lonely": obj("core.v1.Service", "lonely", short, spec=spec),
    }
    bench.up(wanted, "--continue-on-error").failed(
        "was not successfully created by the Kubernetes API server",
        'configmaps "taken" already exists',
        "v1 Endpoints is deprecated",
        "Service does not target any Pods",
    )
    plane.kubectl("delete", "configmap", "taken")
    bench.destroy().ok()

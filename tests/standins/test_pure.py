"""What the kubernetes stand-in decides without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from lab.standins.pulumi_kubernetes import fields, jsonpath
from lab.standins.pulumi_kubernetes.diff import changes, quantity
from lab.standins.pulumi_kubernetes.naming import named
from lab.standins.pulumi_kubernetes.objects import prune
from lab.standins.pulumi_kubernetes.paths import Path, contains, format_path, parse_path
from lab.standins.pulumi_kubernetes.readiness import Progress, rule_for, wait_conditions
from lab.standins.pulumi_kubernetes.replacing import replace_rules
from lab.standins.pulumi_plugin.values import UNKNOWN, Secret, conceal, decode, encode, has_unknown, reveal

Object = dict[str, Any]


class Nothing:
    """Neighbours that are not there."""

    def binding_mode(self, storage_class: str) -> str:
        return "WaitForFirstConsumer" if storage_class == "late" else ""

    def endpoints(self, service: Object) -> int:
        return 0


@pytest.mark.parametrize(
    ("expression", "matched", "message"),
    [
        ("{.data.x}=v", True, "Found {.data.x}=v"),
        ("{.data.x}=w", False, 'Waiting for {.data.x}=w (found "v")'),
        ("{.data.y}=v", False, "{.data.y} selected nothing"),
        ("{.data.x}", True, "Found {.data.x}"),
        ("{.metadata.annotations['a.b/c']}=1=", None, "format should be"),
        ("{.metadata.annotations['a.b/c']}=1", True, "Found {.metadata.annotations['a.b/c']}=1"),
        ('{.metadata.annotations["a.b/c"]}=1', True, "Found"),
        ("{.list[0].ok}=true", True, "Found"),
        ("{.list[-1].ok}=false", True, "Found"),
        ("{.list[*].n}=2", True, "Found"),
        ("{.list[7]}", False, "selected nothing"),
        ("{.list}", True, "Found"),
        ("{.list[?(@.n==3)].ok}=false", True, "Found"),
        ("{.list[?(@.name=='a=b')].n}=2", True, "Found"),
        ("{.list[?@.name].n}=2", True, "Found"),
        ("{.status.availableReplicas}=1", True, "Found"),
        ("{.data.x}=", None, "requires a value"),
        ("'{.data.x}'=v", None, "shell quotes"),
        (".data.x=v", None, "wrapped in brackets"),
        ("{.data..x}", None, "unexpected"),
    ],
)
def test_jsonpath(expression: str, matched: bool | None, message: str) -> None:
    obj = {
        "data": {"x": "v"},
        "metadata": {"annotations": {"a.b/c": "1"}},
        "list": [{"n": 2, "ok": True, "name": "a=b"}, {"n": 3, "ok": False}],
        "status": {"availableReplicas": 1},
    }
    if matched is None:
        with pytest.raises(ValueError, match=message):
            jsonpath.parse(f"jsonpath={expression}")
        return
    found = jsonpath.parse(f"jsonpath={expression}").look(obj)
    assert (found.matched, message in found.message) == (matched, True)


def test_several_conditions_must_all_hold() -> None:
    text = '["jsonpath={.a}=1", "condition=Ready"]'
    first, second = wait_conditions(text)
    assert first({"a": 1}).done
    assert not second({"a": 1}).done
    assert second({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}).done
    with pytest.raises(ValueError, match="prefix"):
        wait_conditions("ready")


PATHS = ["spec.ports[0].name", 'metadata.annotations["a.b/c"]', "a[*]", "data.x-y"]


@pytest.mark.parametrize("text", PATHS[:2] + PATHS[3:])
def test_paths_round_trip(text: str) -> None:
    assert format_path(parse_path(text)) == text


def test_paths_contain_each_other() -> None:
    assert contains(parse_path("spec"), parse_path("spec.a.b"))
    assert contains(parse_path("spec.list[*].a"), ("spec", "list", 3, "a", "b"))
    assert not contains(parse_path("spec.a"), parse_path("spec"))
    assert not contains(parse_path("spec.a"), parse_path("spec.ab"))


def config_map(**fields_: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, **fields_}


def found(old: Object, new: Object, *ignored: str, mutable: bool = True) -> dict[str, str]:
    rules = replace_rules(new, mutable, False)
    return {
        format_path(c.path): c.kind + ("!" if c.replace else "")
        for c in changes(old, new, rules, [parse_path(path) for path in ignored])
    }


def test_only_fields_that_were_given_are_compared() -> None:
    inputs = config_map(data={"a": "1"}, list=[{"x": 1}])
    live = config_map(data={"a": "1", "theirs": "2"}, list=[{"x": 1, "y": 2}, {"x": 3}], status={})
    assert prune(live, inputs) == inputs


def test_differences() -> None:
    old, new = config_map(data={"a": "1", "b": "2"}), config_map(data={"a": "2", "c": "3"})
    assert found(old, new) == {"data.a": "UPDATE", "data.b": "DELETE", "data.c": "ADD"}
    assert set(found(old, new, mutable=False).values()) == {"UPDATE!", "DELETE!", "ADD!"}
    assert found(old, new, "data.a", "data.b") == {"data.c": "ADD"}
    assert found(old, new, "data") == {}
    assert found(config_map(data={"a": "1"}), config_map(data={"a": UNKNOWN})) == {"data.a": "UPDATE"}
    # A number in a text is a text, except where the API keeps quantities.
    assert found(config_map(data={"a": "1"}), config_map(data={"a": "1.0"})) == {"data.a": "UPDATE"}
    spec = {"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}
    same = {"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}
    assert found(config_map(spec=spec), config_map(spec=same)) == {}
    assert found(config_map(list=[1, 2]), config_map(list=[1, 3, 4])) == {
        "list[1]": "UPDATE",
        "list[2]": "ADD",
    }
    assert found(config_map(endpoints=None), config_map(endpoints=[])) == {}
    assert found(config_map(metadata={"name": "n"}), config_map(metadata={"name": "m"})) == {
        "metadata.name": "UPDATE!"
    }


def test_string_data_of_a_secret_is_its_data() -> None:
    old = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA=="}}
    assert found(old, {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "x"}}) == {}
    new = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "y"}}
    assert found(old, new) == {"data.a": "UPDATE!"}


@pytest.mark.parametrize(
    ("api", "kind", "old", "new", "replaced"),
    [
        ("v1", "Service", {"spec": {"clusterIP": "None"}}, {"spec": {"clusterIP": "10.0.0.1"}}, True),
        ("v1", "Service", {"spec": {"type": "ClusterIP"}}, {"spec": {"type": "NodePort"}}, False),
        ("v1", "Service", {}, {"spec": {"clusterIP": "None"}}, True),
        ("v1", "PersistentVolume", {"spec": {"csi": {"fsType": "xfs"}}}, {"spec": {"csi": {}}}, True),
        ("v1", "PersistentVolume", {"spec": {"capacity": {}}}, {"spec": {"capacity": {"s": 1}}}, False),
        ("v1", "PersistentVolumeClaim", {"spec": {"volumeName": "a"}}, {"spec": {"volumeName": "b"}}, True),
        (
            "v1",
            "ReplicationController",
            {"spec": {"selector": {"a": "1"}}},
            {"spec": {"selector": {}}},
            False,
        ),
        ("apps/v1", "Deployment", {"spec": {"selector": {"m": 1}}}, {"spec": {"selector": {"m": 2}}}, True),
        ("storage.k8s.io/v1", "StorageClass", {"provisioner": "a"}, {"provisioner": "b"}, True),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": {"n": 1}}, {"roleRef": {"n": 2}}, True),
        (
            "v1",
            "Pod",
            {"spec": {"containers": [{"image": "a"}]}},
            {"spec": {"containers": [{"image": "b"}]}},
            True,
        ),
    ],
)
def test_what_replaces(api: str, kind: str, old: Object, new: Object, replaced: bool) -> None:
    base = {"apiVersion": api, "kind": kind}
    kinds = found({**base, **old}, {**base, **new}).values()
    assert kinds
    assert any(kind.endswith("!") for kind in kinds) is replaced


@pytest.mark.parametrize(("text", "same"), [("1Gi", "1024Mi"), ("0.5", "500m"), ("1k", "1000"), ("2", "2.0")])
def test_quantities(text: str, same: str) -> None:
    assert quantity(text) == quantity(same) is not None
    assert quantity("1x") is None


def entry(manager: str, operation: str, fields_v1: Object) -> Object:
    return {"manager": manager, "operation": operation, "fieldsV1": fields_v1}


def managed(*entries: Object) -> Object:
    return {"metadata": {"managedFields": list(entries)}, "spec": {"capacity": "live"}, "data": {"x": "1"}}


def test_an_update_takes_over_what_was_created_and_what_kubectl_wrote() -> None:
    live = managed(
        entry("pulumi-kubernetes", "Update", {"f:data": {"f:a": {}}}),
        entry("kubectl-patch", "Update", {"f:data": {"f:b": {}}}),
        entry("agent", "Update", {"f:data": {"f:c": {}}}),
        {**entry("kubectl", "Update", {"f:status": {}}), "subresource": "status"},
    )
    after = fields.taken_over(live, "pulumi-kubernetes-1")
    assert after
    mine, *others = after
    assert (mine["manager"], mine["operation"]) == ("pulumi-kubernetes-1", "Apply")
    assert mine["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}}
    assert [other["manager"] for other in others] == ["agent", "kubectl"]
    assert fields.taken_over(managed(*after), "pulumi-kubernetes-1") is None


def test_ignored_fields_are_another_s_or_stay_as_they_are() -> None:
    inputs = {"spec": {"capacity": "mine", "other": 1}, "data": {"x": "0"}}
    ignored: list[Path] = [("spec", "capacity"), ("data", "x")]
    theirs = managed(
        entry("resizer", "Update", {"f:spec": {"f:capacity": {}}}),
        entry("me", "Apply", {"f:data": {"f:x": {}}}),
    )
    assert fields.send(inputs, theirs, ignored, "me") == {"spec": {"other": 1}, "data": {"x": "1"}}


def test_names_that_are_made_up() -> None:
    new = named({"metadata": {"labels": {}}}, {}, "web", b"seed")
    name = new["metadata"]["name"]
    assert name.startswith("web-")
    assert len(name) == len("web-") + 8
    assert named({}, new, "web", b"other")["metadata"]["name"] == name
    assert named({"metadata": {"name": "fixed"}}, new, "web", b"") == {"metadata": {"name": "fixed"}}
    assert named({}, {}, "web", b"", "wanted")["metadata"]["name"] == "wanted"


def progress(api: str, kind: str, **rest: Any) -> Progress:
    rule = rule_for({"apiVersion": api, "kind": kind})
    assert rule
    return rule.look({"apiVersion": api, "kind": kind, "metadata": {"generation": 2}, **rest}, Nothing())


def test_when_objects_are_ready() -> None:
    rc = "ReplicationController"
    assert progress("v1", rc, spec={"replicas": 1}, status={"availableReplicas": 1}).done
    assert not progress("v1", rc, spec={"replicas": 0}, status={"replicas": 0}).done
    assert progress("v1", "PersistentVolume", status={"phase": "Available"}).done
    assert not progress("v1", "PersistentVolume", status={"phase": "Released"}).done
    claim = "PersistentVolumeClaim"
    assert progress("v1", claim, spec={}, status={"phase": "Bound"}).done
    assert progress("v1", claim, spec={"storageClassName": "late"}, status={"phase": "Pending"}).done
    assert not progress("v1", claim, spec={"storageClassName": "late"}, status={"phase": "Bound"}).done
    daemons = {"desiredNumberScheduled": 2, "numberAvailable": 2, "observedGeneration": 2}
    assert progress("apps/v1", "DaemonSet", status={**daemons, "updatedNumberScheduled": 2}).done
    assert not progress("apps/v1", "DaemonSet", status={**daemons, "updatedNumberScheduled": 1}).done
    assert progress("apps/v1", "DaemonSet", status={"observedGeneration": 2}).done
    assert not progress("apps/v1", "DaemonSet", status={"observedGeneration": 1}).done
    assert progress("v1", "Service", spec={}).done
    assert progress("v1", "Service", spec={"selector": {"a": "b"}, "clusterIP": "None"}).done
    assert not progress("v1", "Service", spec={"selector": {"a": "b"}, "clusterIP": "10.96.0.7"}).done
    full = {"updatedReplicas": 1, "availableReplicas": 1, "replicas": 1, "observedGeneration": 2}
    assert progress("apps/v1", "Deployment", spec={"replicas": 1}, status=full).done
    assert not progress("apps/v1", "Deployment", spec={"replicas": 1}, status={**full, "replicas": 2}).done
    assert rule_for(config_map()) is None
    rc_rule = rule_for({"apiVersion": "v1", "kind": rc})
    assert rc_rule
    assert rc_rule.fixed_seconds == 600


def test_values_survive_the_way_to_the_engine_and_back() -> None:
    values = {"a": 1, "b": [1.5, True, {"c": Secret("s")}], "d": UNKNOWN, "e": {}, "gone": None}
    assert decode(encode(values)) == {name: value for name, value in values.items() if name != "gone"}
    assert has_unknown(values)
    assert reveal(values)["b"][2] == {"c": "s"}
    assert conceal({"b": [1, 2], "x": {"y": "1"}, "z": 1}, {"b": [Secret(1)], "x": {"y": Secret("")}}) == {
        "b": Secret([1, 2]),
        "x": {"y": Secret("1")},
        "z": 1,
    }

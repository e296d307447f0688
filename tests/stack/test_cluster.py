"""What the nodes share: membership, access, the clients' entry, providers, refusals."""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pytest
from gluster_sidecar import contract

from gluster_stack import GlusterCluster, GlusterClusterArgs, guard
from gluster_stack.access import RULES
from tests.stack.examples import NODES, ODD, strings, template
from tests.stack.recording import (
    BINDING,
    BUDGET,
    CLAIM,
    CLUSTER_ROLE,
    CONTROLLER,
    DISK,
    GUARD_BINDING,
    GUARD_POLICY,
    LEASE,
    MAP,
    POD,
    PRIORITY_CLASS,
    PROVIDER,
    ROLE,
    SERVICE,
    SLICE,
    VOLUME,
    Recording,
    arguments,
    record,
    run,
)


@pytest.fixture(scope="module")
def four() -> Recording:
    return record(node_count=4)


@pytest.fixture(scope="module")
def odd() -> Recording:
    return record(**ODD)


# --- membership


def test_a_member_is_named_and_held_and_nothing_is_waited_for_there(four: Recording) -> None:
    for n in NODES:
        request = four.one(MAP, f"gluster-member-{n}")
        metadata = request.object["metadata"]
        assert request.object["data"] == {"node": str(n)}
        assert metadata["finalizers"] == [contract.DRAIN_FINALIZER]
        assert "annotations" not in metadata, "the plan comes after it, and names it"
        assert metadata["labels"] == {
            contract.KIND_LABEL: "member",
            contract.CLUSTER_LABEL: "glusterfs-cluster",
            contract.NODE_LABEL: str(n),
        }
        assert request.raw.customTimeouts.delete == "6h"


def test_the_plan_names_all_nodes_and_waits_until_they_serve(four: Recording) -> None:
    plan = four.one(MAP, "gluster-plan").object
    assert plan["data"] == {
        "nodes": "1,2,3,4",
        "spares": "",
        "template": template(four, 1)["metadata"]["annotations"][contract.TEMPLATE_ANNOTATION],
        "options": "{}",
        "graceSeconds": "1800",
    }
    assert plan["data"].keys() == {str(key) for key in contract.DECLARED}
    assert plan["metadata"]["annotations"] == {"pulumi.com/patchForce": "true"}, (
        "an update that waits may be forgotten"
    )
    assert plan["metadata"]["labels"][contract.KIND_LABEL] == "plan"
    mark = contract.settled_mark(plan["data"])
    settled = four.one(MAP, "gluster-settled")
    assert settled.object["data"] == {"plan": mark}
    assert settled.object["metadata"]["annotations"] == {
        "pulumi.com/waitFor": f"jsonpath={{.data.settled}}={mark}",
        "pulumi.com/patchForce": "true",
    }
    assert settled.object["metadata"]["labels"][contract.KIND_LABEL] == "settled"
    assert four.one(MAP, "gluster-plan").urn in settled.depends_on


def test_claims_and_controllers_are_guarded_from_before_they_are_there_until_after_they_have_gone(
    four: Recording,
) -> None:
    (policy,), (binding,) = four.of(GUARD_POLICY), four.of(GUARD_BINDING)
    for kind, name in ((CONTROLLER, "gluster-3"), (CLAIM, "gluster-3")):
        guarded = four.one(kind, name)
        assert {policy.urn, binding.urn} <= four.before(guarded.urn)
        rules = policy.object["spec"]["matchConstraints"]
        labels = guarded.object["metadata"]["labels"].items()
        assert rules["objectSelector"]["matchLabels"].items() <= labels
    (rule,) = rules["resourceRules"]
    assert (rule["operations"], rule["resources"]) == (["DELETE"], list(guard.GUARDED))
    assert binding.object["spec"]["policyName"] == policy.object["metadata"]["name"] == "default-gluster"
    assert binding.object["spec"]["validationActions"] == ["Deny"]


def test_the_sidecars_may_change_controllers_and_claims_of_their_cluster_alone(four: Recording) -> None:
    for n in (1, 2, 3, 4):
        role = four.one(ROLE, f"gluster-{n}-hold")
        (rule,) = role.object["rules"]
        assert rule["resourceNames"] == [f"gluster-{n}"]
        assert rule["verbs"] == ["patch"]
        assert role.urn in four.before(four.one(MAP, f"gluster-member-{n}").urn)
        (rule,) = four.one(CLUSTER_ROLE, f"gluster-{n}-volume").object["rules"]
        assert (rule["resources"], rule["resourceNames"]) == (["persistentvolumes"], [f"default-gluster-{n}"])
        assert rule["verbs"] == ["get", "patch"]


def test_a_spare_is_said_to_be_one(odd: Recording) -> None:
    spare, last = odd.one(MAP, "gluster-member-4").object, odd.one(MAP, "gluster-member-3").object
    assert spare["data"] == {"node": "4", "spare": "true"}
    assert last["data"] == {"node": "3"}
    assert spare["metadata"]["finalizers"] == [contract.DRAIN_FINALIZER]
    plan = odd.one(MAP, "gluster-plan").object["data"]
    assert (plan["nodes"], plan["spares"], plan["graceSeconds"]) == ("1,2,3", "4", "600")
    assert json.loads(plan["options"])["network.ping-timeout"] == "7"
    assert json.loads(plan["options"])["performance.nl-cache"] == "off"


def test_a_drain_of_machines_takes_one_pod_and_waits(odd: Recording) -> None:
    (budget,) = odd.of(BUDGET)
    assert budget.object["spec"]["maxUnavailable"] == 1
    labels = budget.object["spec"]["selector"]["matchLabels"].items()
    assert all(labels <= template(odd, n)["metadata"]["labels"].items() for n in (1, 2, 3, 4))


def test_a_priority_class_is_made_unless_one_is_named(four: Recording, odd: Recording) -> None:
    (own,) = four.of(PRIORITY_CLASS)
    name = template(four, 1)["spec"]["priorityClassName"]
    assert own.object["metadata"]["name"] == name == "default-gluster"
    assert own.urn in four.before(four.one(CONTROLLER, "gluster-1").urn)
    assert not odd.of(PRIORITY_CLASS)


def test_the_status_is_left_to_the_sidecars(four: Recording) -> None:
    status = four.one(MAP, "gluster-status").object
    assert "data" not in status
    assert status["metadata"]["labels"][contract.KIND_LABEL] == "status"


def test_deletion_goes_plan_member_controller_claim_disk(four: Recording) -> None:
    plan = four.one(MAP, "gluster-plan").urn
    for n in NODES:
        member = four.one(MAP, f"gluster-member-{n}").urn
        controller = four.one(CONTROLLER, f"gluster-{n}").urn
        claim = four.one(CLAIM, f"gluster-{n}").urn
        volume = four.one(VOLUME, f"gluster-{n}").urn
        disk = four.one(DISK, f"gluster-{n}-disk").urn
        service = four.one(SERVICE, f"gluster-{n}").urn
        assert member in four.before(plan)
        assert controller in four.before(member)
        assert {claim, service} <= four.before(controller)
        assert volume in four.before(claim)
        assert disk in four.before(volume)


def test_access_status_and_lease_outlive_every_sidecar(four: Recording) -> None:
    binding = four.one(BINDING, "gluster-sidecar").urn
    shared = {four.one(MAP, "gluster-status").urn, binding, *(r.urn for r in four.of(LEASE))}
    assert len(shared) == 3
    for n in NODES:
        assert shared <= four.before(four.one(CONTROLLER, f"gluster-{n}").urn)
        assert shared <= four.before(four.one(MAP, f"gluster-member-{n}").urn)


def test_no_node_waits_for_another(four: Recording) -> None:
    for n in NODES:
        for urn in four.before(four.one(MAP, f"gluster-member-{n}").urn):
            name = urn.rsplit("::", 1)[-1]
            assert not [m for m in NODES if m != n and re.search(rf"-{m}(-disk)?$", name)]


# --- access


def test_the_role_is_what_is_written_down_and_no_star(four: Recording) -> None:
    role = four.one(ROLE, "gluster-sidecar")
    rules = [
        (rule["apiGroups"][0], rule["resources"][0], tuple(rule["verbs"])) for rule in role.object["rules"]
    ]
    assert rules == list(RULES)
    assert "*" not in strings(role.object["rules"])
    deletable = [rule["resources"] for rule in role.object["rules"] if "delete" in rule["verbs"]]
    assert deletable == [["pods"], ["configmaps"]], "an old pod, a member; never what data hangs on"


def test_the_pods_run_as_the_account_that_the_role_is_bound_to(odd: Recording) -> None:
    binding = odd.one(BINDING, "gluster-sidecar")
    (subject,) = binding.object["subjects"]
    assert subject == {
        "kind": "ServiceAccount",
        "name": template(odd, 1)["spec"]["serviceAccountName"],
        "namespace": "storage",
    }
    role = odd.one(ROLE, "gluster-sidecar")
    assert binding.object["roleRef"]["name"] == role.object["metadata"]["name"]


def test_what_sidecars_write_is_not_seen_as_drift(odd: Recording) -> None:
    (endpoints,), (lease,) = odd.of(SLICE), odd.of(LEASE)
    assert list(endpoints.raw.ignoreChanges) == ["endpoints"]
    assert list(lease.raw.ignoreChanges) == ["spec"]
    assert "labels" not in lease.object["metadata"], "a sidecar replaces it whole and would drop them"
    assert lease.object["metadata"]["name"] == contract.LEASE_NAME


# --- clients


def test_the_clients_entry_is_filled_by_the_sidecars_alone(odd: Recording) -> None:
    service = odd.manifest(SERVICE, "files")["spec"]
    assert "selector" not in service
    (endpoints,) = odd.of(SLICE)
    assert endpoints.object["metadata"]["name"] == contract.endpoint_slice_name("files")
    assert endpoints.object["metadata"]["labels"]["kubernetes.io/service-name"] == "files"
    assert endpoints.object["addressType"] == "IPv4"
    assert endpoints.object["endpoints"] == []
    ports = [(p["name"], p["port"]) for p in endpoints.object["ports"]]
    assert ports == [(p["name"], p["port"]) for p in service["ports"]] == [("glusterfs", 2222)]


def test_the_sample_app_comes_last_and_is_an_ordinary_pod(odd: Recording) -> None:
    (app,) = odd.of(POD)
    assert {odd.one(MAP, "gluster-settled").urn, odd.one(CLAIM, "gluster").urn} <= app.depends_on
    assert {r.urn for r in odd.of(SLICE)} <= app.depends_on
    (only,) = app.object["spec"]["containers"]
    assert only["name"] == "app"
    assert "env" not in only
    assert "privileged" not in only["securityContext"]
    assert only["volumeMounts"] == [
        {"name": "files", "mountPath": "/mnt/glusterfs", "mountPropagation": "HostToContainer"}
    ]
    (volume,) = app.object["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "files"}
    for probe in ("readinessProbe", "livenessProbe"):
        assert only[probe]["exec"]["command"][-1] == "--check"


def test_the_sample_app_can_be_left_out() -> None:
    assert not record(sample_app=False).of(POD)


# --- providers, warnings, refusals


def test_one_provider_serves_every_kubernetes_object(four: Recording) -> None:
    (provider,) = four.of(PROVIDER)
    assert provider.object["enableConfigMapMutable"] == "true"
    assert provider.object["clusterIdentifier"] == "gluster-stack/dev"
    for request in four.requests.values():
        if request.type.startswith("kubernetes:"):
            assert request.raw.provider.startswith(provider.urn), request.urn


def test_without_a_provider_the_component_makes_a_fit_one() -> None:
    recording = run(lambda: GlusterCluster("gluster", arguments()))
    (provider,) = recording.of(PROVIDER)
    assert provider.object["enableConfigMapMutable"] == "true"
    assert all(
        r.raw.provider.startswith(provider.urn)
        for r in recording.requests.values()
        if r.type.startswith("kubernetes:")
    )


def test_two_copies_are_warned_of_once() -> None:
    (warning,) = record(node_count=4, replication=2).warnings
    assert "replication 3" in warning
    assert record(node_count=3, replication=3).warnings == ()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"node_count": 3}, "node_count=3: must be a multiple of replication (2)"),
        ({"node_count": "4"}, 'node_count="4": must be a whole number'),
        ({"node_count": True}, "node_count=true: must be a whole number"),
        ({"zone": None}, "zone=null: must be a text"),
        ({"replication": 1, "disk_size_gb": 1}, "replication=1: must be a whole number from 2 to 16"),
    ],
)
def test_another_programs_mistake_is_refused_before_anything_is_declared(
    values: dict[str, Any], line: str
) -> None:
    recording = run(lambda: GlusterCluster("gluster", arguments(**values)))
    lines = recording.refusal.splitlines()[1:]
    assert len(lines) == len(values)
    assert lines[0].startswith(line)
    assert not recording.requests


def test_arguments_cannot_be_changed_behind_the_components_back() -> None:
    with pytest.raises(AttributeError):
        arguments().node_count = 4  # type: ignore[misc]
    assert GlusterClusterArgs(project="p", zone="z").node_selector == {}


def test_a_component_can_stand_twice_in_one_program() -> None:
    def program() -> None:
        for name in ("one", "two"):
            GlusterCluster(name, arguments(namespace=name), pulumi.ResourceOptions())

    recording = run(program)
    assert not recording.refusal
    names = [
        (r.type, r.object["metadata"].get("namespace"), r.object["metadata"]["name"])
        for r in recording.requests.values()
        if "metadata" in r.object
    ]
    assert len(set(names)) == len(names)

"""A node and what it is made of, by what Pulumi is asked for."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest
from gluster_sidecar import contract
from gluster_sidecar.settings import Identity, Settings

from gluster_stack.foundation import KEPT, changed, kept
from lab.standins.pulumi_gcp.fields import DISK as DISK_SCHEMA
from tests.stack.examples import NODES, ODD, container, environ, strings, template
from tests.stack.recording import (
    ATTACHMENT,
    CLAIM,
    CLUSTER,
    CONTROLLER,
    DISK,
    DRIVER,
    LEASE,
    MAP,
    NODE,
    OF_THE_CLUSTER,
    POD,
    POD_CLAIM,
    POLICY,
    PROVIDER,
    SERVICE,
    STORAGE_CLASS,
    VOLUME,
    Recording,
    arguments,
    record,
)


@pytest.fixture(scope="module")
def four() -> Recording:
    return record(node_count=4)


@pytest.fixture(scope="module")
def odd() -> Recording:
    return record(**ODD)


def test_each_node_has_one_of_each(four: Recording) -> None:
    for kind in (NODE, DISK, CONTROLLER):
        assert len(four.of(kind)) == 4, kind
    for kind in (VOLUME, CLAIM):
        assert len(four.of(kind)) == 4 + 1, "one more is the pods'"
    assert {r.object["metadata"]["name"] for r in four.of(CONTROLLER)} == {f"gluster-{n}" for n in NODES}
    assert {r.object["name"] for r in four.of(DISK)} == {
        f"gluster-persistent-storage-node-{n}-disk" for n in NODES
    }
    services = {r.object["metadata"]["name"] for r in four.of(SERVICE)}
    assert services == {*(f"gluster-{n}" for n in NODES), "glusterfs-cluster"}
    assert {r.object["metadata"]["name"] for r in four.of(MAP)} == {
        *(f"gluster-member-{n}" for n in NODES),
        "gluster-foundation",
        "gluster-plan",
        "gluster-protection",
        "gluster-settled",
        "gluster-status",
    }


def test_types_and_names_that_state_files_will_hold(four: Recording) -> None:
    assert four.one(CLUSTER, "gluster").urn.endswith("$gluster-stack:index:GlusterCluster::gluster")
    for kind in (CONTROLLER, SERVICE, CLAIM, VOLUME):
        assert four.one(kind, "gluster-3").urn.endswith(f"{NODE}${kind}::gluster-3")
    assert four.one(DISK, "gluster-3-disk").urn.endswith(f"{NODE}${DISK}::gluster-3-disk")
    for name in ("gluster-plan", "gluster-status", *(f"gluster-member-{n}" for n in NODES)):
        assert four.one(MAP, name)


def test_everything_is_below_the_component(four: Recording) -> None:
    top = {four.one(CLUSTER, "gluster").urn, four.one(PROVIDER, "kubernetes").urn}
    below = {r.urn for r in (*four.of(NODE), *four.of(POD_CLAIM))} | {four.one(CLUSTER, "gluster").urn}
    for request in four.requests.values():
        assert request.urn in top or request.raw.parent in below


def test_namespaced_objects_are_in_the_namespace_and_labelled(odd: Recording) -> None:
    for request in odd.requests.values():
        metadata = request.object.get("metadata")
        if metadata is None:
            continue
        if request.type == DRIVER:
            assert metadata["name"] == contract.driver_name("storage")
        elif request.name == "gluster" and request.type == VOLUME:
            assert metadata["name"] == "storage-files"
        elif request.type in OF_THE_CLUSTER:
            assert metadata["name"].startswith("storage-gluster")
        else:
            assert metadata["namespace"] == "storage", request.urn
        if request.type != LEASE:
            assert metadata["labels"][contract.CLUSTER_LABEL] == "files", request.urn


# --- disk, volume, claim


def test_disks_are_as_asked_for(odd: Recording) -> None:
    for request in odd.of(DISK):
        disk = request.object
        assert (disk["size"], disk["type"]) == (50, "pd-ssd")
        assert disk["project"] == "gluster-lab"
        assert disk["name"].startswith("files-node-")
        assert "description" not in disk


@pytest.mark.parametrize("protect", [False, True])
def test_protection_is_of_whole_nodes_and_of_what_a_destroy_begins_with(protect: bool) -> None:
    """Of a node everything: whatever of it Pulumi would come to first, it is refused."""
    recording = record(node_count=4, protect_disks=protect, snapshot_hours=6)
    of_nodes = {r.urn for r in recording.requests.values() if NODE in r.urn and r.type != ATTACHMENT}
    assert len(of_nodes) > 4 * 6
    last = recording.one(MAP, "gluster-protection")
    protected = {r.urn for r in recording.requests.values() if r.raw.protect}
    assert protected == ({*of_nodes, last.urn} if protect else set())
    kinds = ("pulumi:providers:", "gluster-stack:index:")
    others = {u for u, r in recording.requests.items() if not r.type.startswith(kinds)} - {last.urn}
    assert others <= recording.before(last.urn), "a destroy would begin with something else"


def test_snapshots_are_a_policy_attached_to_every_disk_and_outlived_by_the_member() -> None:
    recording = record(**{**ODD, "snapshot_hours": 24})
    (policy,) = recording.of(POLICY)
    assert policy.object["name"] == "files-snapshots"
    assert policy.object["region"] == "us-east1"
    schedule = policy.object["snapshotSchedulePolicy"]
    assert schedule["schedule"] == {"dailySchedule": {"daysInCycle": 1, "startTime": "04:00"}}
    assert schedule["retentionPolicy"]["maxRetentionDays"] == 3
    for n in (1, 2, 3, 4):
        attached = recording.one(ATTACHMENT, f"gluster-{n}-snapshots")
        disk = recording.one(DISK, f"gluster-{n}-disk")
        assert attached.object["name"] == "files-snapshots"
        assert (attached.object["disk"], attached.object["zone"]) == (
            disk.object["name"],
            disk.object["zone"],
        )
        assert attached.urn in recording.before(recording.one(MAP, f"gluster-member-{n}").urn)
        assert "resourcePolicies" not in disk.object


def test_a_schedule_is_in_hours_and_none_by_default(four: Recording, odd: Recording) -> None:
    (policy,) = odd.of(POLICY)
    schedule = policy.object["snapshotSchedulePolicy"]["schedule"]
    assert schedule == {"hourlySchedule": {"hoursInCycle": 6, "startTime": "04:00"}}
    assert not four.of(POLICY)
    assert not four.of(ATTACHMENT)


def test_nothing_that_replaces_a_disk_reaches_it(odd: Recording) -> None:
    """Names from the schema of Google's provider: what is given here and forces a new disk is ignored."""
    for request in odd.of(DISK):
        ignored = set(request.raw.ignoreChanges)
        assert request.object.keys() - {"labels"} <= ignored
        replacing = {name for name, field in DISK_SCHEMA.fields.items() if field.replaces}
        assert replacing & request.object.keys() <= ignored
        # A disk restored by hand says of what it was made.
        assert {"image", "snapshot", "sourceDisk", "sourceInstantSnapshot"} <= replacing & ignored


def test_everything_waits_for_the_foundation(odd: Recording) -> None:
    foundation = odd.one(MAP, "gluster-foundation")
    assert set(foundation.raw.ignoreChanges) == {"data", "metadata"}
    assert foundation.object["data"].keys() == KEPT.keys()
    kinds = ("pulumi:providers:", "gluster-stack:index:")
    for request in odd.requests.values():
        if request.type.startswith(kinds) or request is foundation:
            continue
        assert foundation.urn in odd.before(request.urn), request.urn


@pytest.mark.parametrize("name", KEPT)
def test_what_a_cluster_was_made_with_is_named_when_it_changes(name: str) -> None:
    first = arguments(**{**ODD, name: getattr(arguments(), name)} if name != "project" else ODD)
    other = arguments(**{**ODD, "project": "another-project"} if name == "project" else ODD)
    before = {**kept(first), "zones": kept(other)["zones"]} if name != "zones" else kept(first)
    (problem,) = changed(before, other)
    assert problem.field == name
    assert problem.value == getattr(other, name)
    assert changed(kept(other), other) == []
    without = {key: value for key, value in before.items() if key != name}
    assert changed(without, other) == [], "an earlier release did not write it down"


def test_one_zone_may_be_said_in_two_ways() -> None:
    one, list_ = arguments(zone="us-east1-b"), arguments(zones=["us-east1-b"])
    assert changed(kept(one), list_) == []
    (problem,) = changed(kept(one), arguments(zone="us-east1-c"))
    assert (problem.field, problem.value, problem.mend) == ("zone", "us-east1-c", "us-east1-b")


def test_each_volume_is_its_nodes_disk_and_its_claims_alone(odd: Recording) -> None:
    for n in (1, 2, 3):
        volume = odd.manifest(VOLUME, f"storage-gluster-{n}")["spec"]
        claim = odd.manifest(CLAIM, f"gluster-{n}")["spec"]
        disk = odd.one(DISK, f"gluster-{n}-disk")
        zone = ("us-east1-b", "us-east1-c", "us-east1-d")[n - 1]
        handle = f"projects/gluster-lab/zones/{zone}/disks/{disk.object['name']}"
        assert volume["csi"] == {"driver": "pd.csi.storage.gke.io", "volumeHandle": handle, "fsType": "xfs"}
        assert volume["claimRef"]["namespace"] == "storage"
        assert volume["claimRef"]["name"] == f"gluster-{n}"
        assert volume["persistentVolumeReclaimPolicy"] == "Retain"
        assert volume["capacity"] == claim["resources"]["requests"] == {"storage": "50Gi"}
        (term,) = volume["nodeAffinity"]["required"]["nodeSelectorTerms"]
        (expression,) = term["matchExpressions"]
        assert expression["values"] == [disk.object["zone"]] == [zone]
        assert claim["volumeName"] == f"storage-gluster-{n}"
        assert volume["storageClassName"] == claim["storageClassName"] == "storage-gluster"
        assert disk.urn in odd.before(odd.one(VOLUME, f"gluster-{n}").urn)
    (storage_class,) = odd.of(STORAGE_CLASS)
    assert storage_class.object["allowVolumeExpansion"] is True
    assert storage_class.object["volumeBindingMode"] == "Immediate"
    assert storage_class.urn in odd.before(odd.one(CLAIM, "gluster-1").urn)


# --- controller and Service


def test_selectors_find_their_own_pod_and_no_other(four: Recording) -> None:
    for kind in (CONTROLLER, SERVICE):
        for n in NODES:
            selector = four.manifest(kind, f"gluster-{n}")["spec"]["selector"].items()
            matching = [m for m in NODES if selector <= template(four, m)["metadata"]["labels"].items()]
            assert matching == [n], kind


def test_pods_have_the_labels_of_the_original_and_those_of_the_contract(odd: Recording) -> None:
    assert template(odd, 2)["metadata"]["labels"] == {
        "name": "gluster-node-2",
        "role": "gluster",
        "environment": "prod",
        contract.NODE_LABEL: "2",
        contract.CLUSTER_LABEL: "files",
    }


def test_no_template_knows_of_another_node_or_of_their_number(four: Recording) -> None:
    for n in NODES:
        text = " ".join(strings(template(four, n)))
        assert {int(m) for m in re.findall(r"gluster-(?:node-|member-)?(\d+)", text)} == {n}


def test_templates_differ_in_the_nodes_own_number_alone(four: Recording) -> None:
    one, three = strings(template(four, 1)), strings(template(four, 3))
    differing = sorted({(a, b) for a, b in zip(one, three, strict=True) if a != b})
    assert differing == [("1", "3"), ("gluster-1", "gluster-3"), ("gluster-node-1", "gluster-node-3")]


def test_every_template_carries_the_mark_of_what_they_share(four: Recording, odd: Recording) -> None:
    marks = {
        template(r, n)["metadata"]["annotations"][contract.TEMPLATE_ANNOTATION]
        for r in (four, odd)
        for n in (1, 2, 3)
    }
    assert len(marks) == 2
    for recording in (four, odd):
        plan = recording.one(MAP, "gluster-plan").object["data"]
        assert (
            plan["template"]
            == template(recording, 1)["metadata"]["annotations"][contract.TEMPLATE_ANNOTATION]
        )


@pytest.mark.parametrize(
    "name", sorted(ODD.keys() - {"node_count", "disk_size_gb", "disk_type", "file_system"})
)
def test_whatever_a_template_holds_is_in_its_mark(name: str) -> None:
    """A pod with an old value must be seen to be outdated."""
    base: dict[str, Any] = {"node_count": 6, "replication": 3 if name == "arbiter" else 2}
    before, after = record(**base), record(**{**base, name: ODD[name]})
    marks, specs = [], []
    for recording in (before, after):
        found = template(recording, 1)
        specs.append(found["spec"])
        marks.append(found["metadata"]["annotations"][contract.TEMPLATE_ANNOTATION])
    assert (specs[0] != specs[1]) <= (marks[0] != marks[1])
    if name in ("spare_count", "zones", "profile", "volume_options", "grace_seconds", "protect_disks"):
        assert marks[0] == marks[1], "a setting of the plan alone rolls nothing"


def test_a_service_resolves_before_its_pod_is_ready(four: Recording) -> None:
    spec = four.manifest(SERVICE, "gluster-1")["spec"]
    assert spec["clusterIP"] == "None"
    assert spec["publishNotReadyAddresses"] is True
    assert {p["name"]: p["port"] for p in spec["ports"]} == {"glusterd": 24007, "brick": 49152}


def test_one_pod_a_machine_on_the_machines_network(odd: Recording) -> None:
    spec = template(odd, 1)["spec"]
    assert spec["hostNetwork"] is True
    assert spec["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert spec["nodeSelector"] == {"pool": "storage"}
    assert spec["tolerations"] == [{"key": "storage", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["priorityClassName"] == "storage-first"
    (term,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= template(odd, 2)["metadata"]["labels"].items()


def test_ports_of_a_pod_are_free_of_each_other_and_the_machines(four: Recording) -> None:
    ports = [p for c in template(four, 1)["spec"]["containers"] for p in c["ports"]]
    assert all(p["hostPort"] == p["containerPort"] for p in ports)
    assert len({p["containerPort"] for p in ports}) == len(ports) == 3


def test_requests_and_limits_are_as_asked_for(four: Recording, odd: Recording) -> None:
    assert container(four, "glusterd")["resources"] == {"requests": {"cpu": "100m", "memory": "256Mi"}}
    assert container(odd, "glusterd")["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "2Gi"},
    }
    assert container(odd, "sidecar")["resources"] == {"requests": {"cpu": "30m"}, "limits": {"cpu": "2"}}


def test_both_containers_share_the_disk_and_run(odd: Recording) -> None:
    volumes = {v["name"]: v for v in template(odd, 2)["spec"]["volumes"]}
    for name in (contract.DATA_CONTAINER, contract.SIDECAR_CONTAINER):
        found = container(odd, name, 2)
        assert found["image"] == "registry.example/gluster:1"
        mounts = {m["mountPath"]: volumes[m["name"]] for m in found["volumeMounts"]}
        assert set(mounts) == {"/bricks", "/run"}
        assert mounts["/bricks"]["persistentVolumeClaim"] == {"claimName": "gluster-2"}
        assert mounts["/run"]["emptyDir"] == {"medium": "Memory"}


def test_the_sidecar_cannot_write_to_the_disk_and_has_next_to_no_powers(four: Recording) -> None:
    sidecar = container(four, "sidecar")
    (disk,) = [m for m in sidecar["volumeMounts"] if m["mountPath"] == "/data"]
    assert disk["readOnly"] is True
    context = sidecar["securityContext"]
    assert context["capabilities"]["drop"] == ["ALL"]
    assert context["capabilities"]["add"] == ["DAC_READ_SEARCH"]
    assert context["allowPrivilegeEscalation"] is False


def test_glusterd_can_reach_fuse_and_the_sidecar_next_to_nothing(four: Recording) -> None:
    """A lost brick could not be replaced: "Fuse unavailable"."""
    assert container(four, contract.DATA_CONTAINER)["securityContext"] == {"privileged": True}
    assert "privileged" not in container(four, contract.SIDECAR_CONTAINER)["securityContext"]


def test_what_the_stack_writes_the_sidecar_reads(odd: Recording) -> None:
    for name in ("glusterd", "sidecar"):
        variables = environ(container(odd, name, 3))
        read = Settings.from_env(variables)
        assert read == arguments(**ODD).settings()
        for field in ("sleep_seconds", "unhealthy_seconds", "cluster_name", "cluster_port"):
            assert getattr(read, field) == ODD[field]
        for field in ("volume_name", "brick_name", "replication", "namespace"):
            assert getattr(read, field) == ODD[field]
        assert Identity.from_env(variables) == Identity(3, "gluster-1-abcde", "uid-1")


def test_the_sidecar_looks_for_the_pods_that_there_are(odd: Recording) -> None:
    labels = Settings.from_env(environ(container(odd, "sidecar"))).pod_labels.items()
    assert all(labels <= template(odd, n)["metadata"]["labels"].items() for n in (1, 2, 3))


def test_commands_are_modules_that_exist(four: Recording) -> None:
    sample = four.manifest(POD, "gluster-sample-app")["spec"]["containers"][0]
    for words in (container(four, "glusterd")["args"], container(four, "sidecar")["args"], sample["args"]):
        assert words[:2] == ["python3", "-m"]
        assert importlib.util.find_spec(words[2])


def test_probes_ask_the_sidecar_at_its_port(four: Recording) -> None:
    sidecar = container(four, "sidecar")
    assert sidecar["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": contract.HEALTH_PORT}
    assert sidecar["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": contract.HEALTH_PORT}


def test_up_waits_for_pods_longer_than_the_providers_own_wait(four: Recording) -> None:
    request = four.one(CONTROLLER, "gluster-1")
    assert request.object["spec"]["replicas"] == 1
    annotations = request.object["metadata"]["annotations"]
    assert annotations == {"pulumi.com/waitFor": "jsonpath={.status.availableReplicas}=1"}
    assert request.raw.customTimeouts.create == "20m"
    assert request.raw.customTimeouts.update == "20m"

"""What lets a pod mount the volume: the driver on every machine, the claim, claims of other programs."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from gluster_sidecar import contract

from gluster_stack import GlusterClaim, kubernetes_provider
from gluster_stack.driver import HOLDER, PLUGIN, RULES
from tests.stack.examples import ODD
from tests.stack.recording import (
    CLAIM,
    DAEMON_SET,
    DRIVER,
    MAP,
    POD,
    ROLE,
    VOLUME,
    Recording,
    Request,
    arguments,
    record,
    run,
)


@pytest.fixture(scope="module")
def odd() -> Recording:
    return record(**ODD)


def pod_of(request: Request) -> dict[str, Any]:
    spec: dict[str, Any] = request.object["spec"]["template"]["spec"]
    return spec


def test_the_driver_is_this_storage_clusters_and_attaches_nothing(odd: Recording) -> None:
    (driver,) = odd.of(DRIVER)
    assert driver.object["metadata"]["name"] == contract.driver_name("storage")
    assert driver.object["spec"]["attachRequired"] is False
    assert driver.object["spec"]["fsGroupPolicy"] == "None"  # nothing walks through all files


def test_nothing_rolls_the_holder_of_the_mounts(odd: Recording) -> None:
    holder = odd.one(DAEMON_SET, HOLDER)
    assert holder.object["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert holder.object["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    (container,) = pod_of(holder)["containers"]
    assert "livenessProbe" not in container
    assert "limits" not in container["resources"]
    assert pod_of(holder)["hostNetwork"] is True
    assert pod_of(holder)["hostPID"] is True, "or the groups of the pods' users count for nothing"
    assert pod_of(holder)["dnsPolicy"] == "ClusterFirstWithHostNet"
    (mount,) = container["volumeMounts"]
    assert mount["mountPropagation"] == "Bidirectional"


def test_the_plugin_rolls_and_can_mount_nothing(odd: Recording) -> None:
    plugin = odd.one(DAEMON_SET, PLUGIN)
    assert plugin.object["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    (container,) = pod_of(plugin)["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod_of(plugin)["automountServiceAccountToken"] is False
    assert not [m for m in container["volumeMounts"] if "mountPropagation" in m]


def test_both_are_on_every_machine_whatever_its_taints(odd: Recording) -> None:
    for request in odd.of(DAEMON_SET):
        assert pod_of(request)["tolerations"] == [{"operator": "Exists"}]
        assert "nodeSelector" not in pod_of(request)


def test_the_two_meet_in_one_folder(odd: Recording) -> None:
    (holder,) = pod_of(odd.one(DAEMON_SET, HOLDER))["containers"]
    (plugin,) = pod_of(odd.one(DAEMON_SET, PLUGIN))["containers"]
    whole = holder["volumeMounts"][0]["mountPath"]
    assert contract.driver_folder("storage").startswith(f"{whole}/")
    assert plugin["volumeMounts"][0]["mountPath"] == contract.driver_folder("storage")
    for request in odd.of(DAEMON_SET):  # seen at the same path inside and outside: targets are paths
        paths = {v["name"]: v["hostPath"]["path"] for v in pod_of(request)["volumes"]}
        for mount in pod_of(request)["containers"][0]["volumeMounts"]:
            assert paths[mount["name"]] == mount["mountPath"]


def test_the_holder_may_look_and_no_more(odd: Recording) -> None:
    role = odd.one(ROLE, "gluster-client")
    assert [
        (rule["apiGroups"][0], rule["resources"][0], tuple(rule["verbs"])) for rule in role.object["rules"]
    ] == list(RULES)
    assert {verb for _, _, verbs in RULES for verb in verbs} == {"list", "watch"}


def test_the_claim_is_bound_to_its_volume_and_kept_apart(odd: Recording) -> None:
    volume, claim = odd.one(VOLUME, "gluster").object["spec"], odd.one(CLAIM, "gluster").object
    assert claim["metadata"] == {
        "name": "files",
        "namespace": "storage",
        "labels": {contract.CLUSTER_LABEL: "files"},
    }
    assert claim["spec"]["volumeName"] == "storage-files"
    assert claim["spec"]["storageClassName"] == ""
    assert "storageClassName" not in volume
    assert claim["spec"]["accessModes"] == volume["accessModes"] == ["ReadWriteMany"]
    assert volume["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["claimRef"]["name"] == "files"
    assert volume["csi"]["driver"] == contract.driver_name("storage")
    assert volume["csi"]["volumeAttributes"] == {"volume": "shared"}


def test_the_driver_outlives_the_claim_and_the_claim_the_pod(odd: Recording) -> None:
    claim = odd.one(CLAIM, "gluster").urn
    assert odd.one(MAP, "gluster-plan").urn in odd.before(claim), "no teardown while pods use the claim"
    assert {r.urn for r in (*odd.of(DRIVER), *odd.of(DAEMON_SET))} <= odd.before(claim)
    assert claim in odd.before(odd.of(POD)[0].urn)


def claim(**values: Any) -> Recording:
    def program() -> None:
        provider = kubernetes_provider("kubernetes")
        words = {"claim": "team-a", "namespace": "apps", **values}
        GlusterClaim("a", arguments(), **words, opts=pulumi.ResourceOptions(providers=[provider]))

    return run(program)


def test_another_namespace_may_have_a_folder_of_it() -> None:
    recording = claim(directory="/team/a", make_directory=True, mount_options=["acl"])
    volume = recording.one(VOLUME, "a").object
    assert volume["metadata"]["name"] == "apps-team-a"
    assert volume["spec"]["mountOptions"] == ["acl"]
    assert volume["spec"]["csi"]["volumeHandle"] == "apps/team-a"
    assert volume["spec"]["csi"]["driver"] == contract.driver_name("default")
    assert volume["spec"]["csi"]["volumeAttributes"] == {
        "volume": "data",
        "directory": "/team/a",
        "makeDirectory": "true",
    }
    assert recording.one(CLAIM, "a").object["metadata"]["namespace"] == "apps"


def test_a_claim_may_be_for_reading() -> None:
    recording = claim(read_only=True)
    assert recording.one(VOLUME, "a").object["spec"]["csi"]["readOnly"] is True
    assert recording.one(CLAIM, "a").object["spec"]["accessModes"] == ["ReadOnlyMany"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"claim": "Team"}, "claim='Team' must be a DNS label"),
        ({"directory": "../x"}, "directory='../x' must be plain names"),
        ({"mount_options": ["fast"]}, "fast is not known"),
    ],
)
def test_a_claim_that_cannot_be_is_refused_before_anything(values: dict[str, Any], words: str) -> None:
    recording = claim(**values)
    assert words in recording.refusal
    assert "\n" not in recording.refusal
    assert not recording.of(VOLUME)

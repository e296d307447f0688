"""Settings: declared, read, checked, and refused in words that help."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from gluster_sidecar.profiles import PROFILES
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from gluster_stack import checks
from gluster_stack.args import GlusterClusterArgs
from gluster_stack.config import StackConfig, camel_case, keys
from tests.stack.recording import (
    CLAIM,
    CLUSTER,
    PROJECT,
    PROVIDER,
    ROOT,
    ZONE,
    Recording,
    record_main,
    run,
    settings,
)

DECLARED = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
KINDS = {str: "string", int: "integer", bool: "boolean", dict: "object", list: "array"}


def load(config: Mapping[str, str]) -> StackConfig:
    """Fails the test if the configuration is refused."""
    found: list[StackConfig] = []
    refusal = run(lambda: found.append(StackConfig.load()), config).refusal
    assert not refusal, refusal
    return found[0]


def complaints(config: Mapping[str, str]) -> list[str]:
    """The lines of the refusal, after the first. Fails if anything was declared all the same."""
    recording = record_main(config)
    assert recording.refusal, "the configuration was accepted"
    assert not recording.requests, "something was declared before the refusal"
    return recording.refusal.splitlines()[1:]


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def test_pulumi_yaml_declares_every_key_with_the_codes_default() -> None:
    assert {key: item["default"] for key, item in DECLARED.items()} == {
        k: plain(v) for k, v in keys().items()
    }


@pytest.mark.parametrize("key", DECLARED)
def test_every_key_is_typed_and_described(key: str) -> None:
    item = DECLARED[key]
    assert item["type"] == KINDS[type(plain(keys()[key]))]
    assert len(item["description"]) > 20
    assert re.fullmatch(r"[a-z]+([A-Z][a-z0-9]+)*", key)


def test_the_defaults_are_a_stack() -> None:
    config = load(settings())
    assert config.cluster == GlusterClusterArgs(project=PROJECT, zone=ZONE)
    assert config.kube_context is None
    assert checks.problems(config.cluster) == []


def test_values_are_read_in_their_types() -> None:
    config = load(
        settings(
            nodeCount=6,
            replication=3,
            protectDisks=True,
            fileSystem="xfs",
            nodeSelector={"pool": "storage"},
            zones=["us-east1-b", "us-east1-c"],
            volumeOptions={"a.b": 5, "c.d": True},
            kubeContext="gke_p_z_c",
        )
    )
    assert config.cluster.node_count == 6
    assert config.cluster.protect_disks is True
    assert config.cluster.node_selector == {"pool": "storage"}
    assert config.cluster.zones == ("us-east1-b", "us-east1-c")
    assert config.cluster.options() == {"a.b": "5", "c.d": "on"}
    assert config.kube_context == "gke_p_z_c"


def test_zones_make_the_one_zone_needless() -> None:
    config = settings(zones=["us-east1-b", "us-east1-c"])
    del config["gcp:zone"]
    nodes = load(config).cluster.nodes()
    assert [node.zone for node in nodes] == ["us-east1-b", "us-east1-c"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_persons_options_win_over_the_profiles(profile: str) -> None:
    args = load(settings(profile=profile)).cluster
    assert args.options() == PROFILES[profile]
    key = next(iter(args.options()), "network.ping-timeout")
    assert load(settings(profile=profile, volumeOptions={key: "mine"})).cluster.options()[key] == "mine"


def test_the_shipped_stack_is_right_and_holds_nothing_of_ours() -> None:
    # As it is shipped, that is committed: Pulumi writes a salt into the working copy at the first `up`.
    show = subprocess.run(["git", "show", "HEAD:Pulumi.dev.yaml"], cwd=ROOT, capture_output=True, text=True)
    shipped = yaml.safe_load(show.stdout or (ROOT / "Pulumi.dev.yaml").read_text())
    assert set(shipped) == {"config"}, "an encryption salt or a secret would be ours, not the reader's"
    config = load({key: json.dumps(v) if isinstance(v, int) else v for key, v in shipped["config"].items()})
    assert (config.cluster.node_count, config.cluster.replication) == (4, 2)


BAD: list[tuple[str, str, str, str]] = [
    ("nodeCount", "3", "must be a multiple of replication (2)", "pulumi config set nodeCount 4"),
    ("nodeCount", "0", "must be from 2 to 1000", "pulumi config set nodeCount 2"),
    ("nodeCount", "-2", "must be from 2", "pulumi config set nodeCount 2"),
    ("nodeCount", "1002", "to 1000", "pulumi config set nodeCount 2"),
    ("nodeCount", "two", "must be a whole number", "pulumi config set nodeCount 2"),
    ("nodeCount", "2.0", "must be a whole number", "pulumi config set nodeCount 2"),
    ("replication", "1", "must be a whole number from 2 to 16", "pulumi config set replication 2"),
    ("environment", "", "must be the value of a label", "pulumi config set environment test"),
    ("environment", "a b", "must be the value of a label", "pulumi config set environment test"),
    ("environment", "a,role=x", "must be the value of a label", "pulumi config set environment test"),
    ("namespace", "Default", "must be a namespace", "pulumi config set namespace default"),
    ("clusterName", "1st", "must begin with a letter", "pulumi config set clusterName glusterfs-cluster"),
    ("clusterName", "gluster-1", "a node's own Service", "pulumi config set clusterName glusterfs-cluster"),
    ("clusterName", "a_b", "must be a DNS label", "pulumi config set clusterName glusterfs-cluster"),
    ("clusterPort", "0", "from 1 to 65535", "pulumi config set clusterPort 1"),
    ("clusterPort", "http", "must be a whole number", "pulumi config set clusterPort 1"),
    ("volumeName", "my volume", "must be a GlusterFS volume name", "pulumi config set volumeName data"),
    ("brickName", "a/b", "must be one path component", "pulumi config set brickName data"),
    ("brickName", "..", "must be one path component", "pulumi config set brickName data"),
    ("brickName", "run", "mounted over the image's own /run", "pulumi config set brickName data"),
    ("diskSizeGb", "5", "must be from 10 to 65536", "pulumi config set diskSizeGb 1000"),
    ("diskSizeGb", "10GB", "must be a whole number", "pulumi config set diskSizeGb 1000"),
    ("diskType", "ssd", "must be a type of Google's disks", "pulumi config set diskType pd-standard"),
    ("fileSystem", "btrfs", "must be ext4 or xfs", "pulumi config set fileSystem ext4"),
    ("protectDisks", "yes", "must be true or false", "pulumi config set protectDisks false"),
    ("image", "", "must be the name of an image", "pulumi config set image gluster-stack:dev"),
    ("image", "my image", "must be the name of an image", "pulumi config set image gluster-stack:dev"),
    ("sleepSeconds", "0", "from 1 to 3600", "pulumi config set sleepSeconds 5"),
    ("unhealthySeconds", "-1", "from 1 to 3600", "pulumi config set unhealthySeconds 15"),
    ("sampleApp", "1", "must be true or false", "pulumi config set sampleApp true"),
    ("nodeSelector", "pool", "must be an object of texts", "pulumi config set --path nodeSelector.KEY VALUE"),
    ("nodeSelector", '{"a b": "c"}', "is no label's key", "pulumi config set --path nodeSelector.KEY VALUE"),
    ("nodeSelector", '{"a": 1}', "is no label's value", "pulumi config set --path nodeSelector.KEY VALUE"),
    ("nodeSelector", "[1]", "must be an object of texts", "pulumi config set --path nodeSelector.KEY VALUE"),
    ("spareCount", "-1", "must be from 0 to 1000", "pulumi config set spareCount 0"),
    ("spareCount", "999", "more than 1000 nodes with nodeCount (2)", "pulumi config set spareCount 998"),
    ("arbiter", "true", "needs replication 3, which is 2", "pulumi config set arbiter false"),
    ("arbiter", "1", "must be true or false", "pulumi config set arbiter false"),
    ("graceSeconds", "5", "must be from 60 to 604800", "pulumi config set graceSeconds 1800"),
    ("profile", "fast", "must be general or small-files or large", "pulumi config set profile general"),
    ("volumeOptions", "[]", "an object of texts", "pulumi config set --path volumeOptions.KEY VALUE"),
    (
        "volumeOptions",
        '{"a": "1"}',
        "is no volume option",
        "pulumi config set --path volumeOptions.KEY VALUE",
    ),
    ("volumeOptions", '{"a.b": []}', "no value of an", "pulumi config set --path volumeOptions.KEY VALUE"),
    ("volumeOptions", '{"a.b": "x\\ny"}', "no value", "pulumi config set --path volumeOptions.KEY VALUE"),
    (
        "diskPrefix",
        "Disk",
        "must be lower-case letters",
        "pulumi config set diskPrefix gluster-persistent-storage",
    ),
    ("diskPrefix", "x" * 49, "at most 48", "pulumi config set diskPrefix gluster-persistent-storage"),
    ("snapshotHours", "25", "must be from 0 to 24", "pulumi config set snapshotHours 0"),
    ("snapshotDays", "0", "must be from 1 to 3650", "pulumi config set snapshotDays 14"),
    ("zones", "us-central1-a", "must be a list", "pulumi config set --path 'zones[0]' VALUE"),
    ("zones", '["us-central1"]', "is no Google Cloud zone", "pulumi config set --path 'zones[0]' VALUE"),
    ("zones", '["us-central1-a", 7]', "is no Google Cloud zone", "pulumi config set --path 'zones[0]' VALUE"),
    (
        "zones",
        '["us-central1-a", "us-east1-b"]',
        "are of the regions us-central1 and us-east1",
        "pulumi config set --path 'zones[0]' VALUE",
    ),
    ("zones", '["us-east1-b", "us-east1-b"]', "a zone twice", "pulumi config set --path 'zones[0]' VALUE"),
    ("tolerations", '["x"]', "a toleration is of key,", "pulumi config set --path 'tolerations[0]' VALUE"),
    ("tolerations", '[{"k": "x"}]', "is of key, operator", "pulumi config set --path 'tolerations[0]' VALUE"),
    ("tolerations", '[{"effect": "No"}]', "it is one of", "pulumi config set --path 'tolerations[0]' VALUE"),
    ("tolerations", '[{"key": 1}]', "must be a text", "pulumi config set --path 'tolerations[0]' VALUE"),
    ("tolerations", '[{"value": "x"}]', "must be Exists", "pulumi config set --path 'tolerations[0]' VALUE"),
    (
        "tolerations",
        '[{"operator": "Exists", "value": "x"}]',
        "there is no value",
        "pulumi config set --path 'tolerations[0]' VALUE",
    ),
    (
        "tolerations",
        '[{"key": "x", "tolerationSeconds": 5}]',
        "goes with the effect NoExecute",
        "pulumi config set --path 'tolerations[0]' VALUE",
    ),
    ("priorityClass", "High", "must be the name of", "pulumi config set priorityClass ''"),
    ("glusterdRequests", '{"disk": 1}', "none of cpu", "pulumi config set --path glusterdRequests.KEY VALUE"),
    ("glusterdLimits", '{"cpu": "1MB"}', "no quantity", "pulumi config set --path glusterdLimits.KEY VALUE"),
    (
        "glusterdLimits",
        '{"cpu": "50m"}',
        "than the 100m",
        "pulumi config set --path glusterdLimits.KEY VALUE",
    ),
    ("sidecarRequests", '{"cpu": -1}', "no quantity", "pulumi config set --path sidecarRequests.KEY VALUE"),
    ("sidecarLimits", '{"memory": 5}', "less than", "pulumi config set --path sidecarLimits.KEY VALUE"),
    ("nodeCout", "4", "there is no such setting, nodeCount may be meant", "pulumi config rm nodeCout"),
    ("diskSizeGb", "9\n9", "must be a whole number", "pulumi config set diskSizeGb 1000"),
]


@pytest.mark.parametrize(("key", "value", "why", "mend"), BAD)
def test_a_bad_value_is_refused_in_one_line(key: str, value: str, why: str, mend: str) -> None:
    (line,) = complaints(settings(**{key: value}))
    assert line.startswith(f"gluster-stack:{key} is ")
    assert why in line
    assert line.endswith(f"mend it with `{mend}`")


def test_every_key_of_ours_has_a_bad_value_above() -> None:
    assert set(DECLARED) - {key for key, *_ in BAD} == {"kubeContext"}


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_keys() -> None:
    wrong = {"nodeCount": "x", "diskSizeGb": "1", "fileSystem": "fat", "colour": "red"}
    lines = complaints({f"gluster-stack:{key}": value for key, value in wrong.items()})
    assert [line.split(" ")[0] for line in lines] == [
        "gcp:project",
        "gcp:zone",
        "gluster-stack:nodeCount",
        "gluster-stack:diskSizeGb",
        "gluster-stack:fileSystem",
        "gluster-stack:colour",
    ]


@pytest.mark.parametrize(
    ("key", "value"), [("gcp:zone", "us-central1"), ("gcp:zone", ""), ("gcp:project", "Our Project")]
)
def test_google_keys_are_checked_too(key: str, value: str) -> None:
    (line,) = complaints({**settings(), key: value})
    assert line.startswith(f"{key} is ")
    assert f"pulumi config set {key} " in line


def test_a_count_and_a_replication_that_do_not_fit_name_the_next_count_that_does() -> None:
    (line,) = complaints(settings(nodeCount=4, replication=3))
    assert line.endswith("`pulumi config set nodeCount 6`")


def test_keys_of_others_are_none_of_our_business() -> None:
    assert load({**settings(), "gcp:region": "us-central1", "kubernetes:namespace": "x"})


def test_a_secret_that_is_wrong_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["gluster-stack:image"]))
    (line,) = complaints(settings(image="pass word"))
    assert "pass word" not in line


def test_the_configuration_of_the_engine_is_searched_for_unknown_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"gluster-stack:nodecount": "4"}))
    (line,) = complaints(settings())
    assert "gluster-stack:nodecount" in line


words = st.sampled_from(
    [
        "cpu",
        "memory",
        "key",
        "operator",
        "value",
        "effect",
        "tolerationSeconds",
        "Exists",
        "NoExecute",
        "500m",
    ]
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 10**20), st.floats(), st.text(max_size=5), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)
texts = st.one_of(
    st.text(max_size=12),
    st.integers(-3, 2000).map(str),
    st.sampled_from(["true", "false", "ext4", "xfs", "pd-ssd", "{}", '{"a":"b"}', "null", "data", "🐟"]),
    values.map(lambda value: json.dumps(value)),
)


@effort(max_examples=10_000)
@given(st.dictionaries(st.sampled_from([*DECLARED, "nonsense"]), texts, max_size=4))
def test_any_settings_are_either_right_or_refused_line_by_line(config: dict[str, str]) -> None:
    given_keys = settings(**config)
    recording: Recording = run(StackConfig.load, given_keys)
    for line in recording.refusal.splitlines()[1:]:
        assert re.match(r"gluster-stack:\w+ is .+; mend it with `pulumi config (set|rm) .+`$", line)
        assert line.isprintable()


RIGHT: dict[str, list[Any]] = {
    "nodeCount": [2, 4, 6],
    "spareCount": [0, 1, 3],
    "environment": ["test", "A.b_c-1", "x" * 63],
    "namespace": ["default", "a", "n" * 63],
    "clusterName": ["glusterfs-cluster", "a"],
    "clusterPort": [1, 65535],
    "volumeName": ["data", "v_1-x"],
    "brickName": ["data", "bricks.1"],
    "profile": [*PROFILES],
    "volumeOptions": [{}, {"network.ping-timeout": 5, "performance.nl-cache": True}],
    "diskSizeGb": [10, 65536],
    "diskType": ["pd-ssd", "hyperdisk-balanced"],
    "diskPrefix": ["x", "x" * 48],
    "fileSystem": ["ext4", "xfs"],
    "protectDisks": [False, True],
    "snapshotHours": [0, 1, 24],
    "snapshotDays": [1, 3650],
    "image": ["a", "registry.example:5000/a/b@sha256:0123"],
    "sampleApp": [False, True],
    "nodeSelector": [{}, {"cloud.google.com/gke-nodepool": ""}],
    "zones": [[], ["us-east1-b", "us-east1-c", "us-east1-d"]],
    "tolerations": [[], [{"operator": "Exists"}, {"key": "a/b", "value": "c", "effect": "NoSchedule"}]],
    "priorityClass": ["", "system-node-critical"],
    "glusterdRequests": [{}, {"cpu": 2, "memory": "1.5Gi", "ephemeral-storage": 0}],
    "glusterdLimits": [{}, {"cpu": "3000m"}],
    "sidecarLimits": [{}, {"memory": 64_000_000_000}],
}
"""The ends of what is allowed."""


@effort(max_examples=30)
@given(st.fixed_dictionaries({}, optional={key: st.sampled_from(right) for key, right in RIGHT.items()}))
def test_what_is_taken_for_right_can_be_declared(config: dict[str, Any]) -> None:
    recording = record_main(settings(**config))
    assert not recording.refusal, recording.refusal
    assert len(recording.of(CLUSTER)) == 1


def test_the_program_exports_what_people_and_programs_use() -> None:
    recording = record_main(settings(nodeCount=4, replication=2))
    assert recording.outputs == {
        "volumeName": "data",
        "clusterService": "glusterfs-cluster",
        "nodeNames": [f"gluster-{n}" for n in (1, 2, 3, 4)],
        "diskNames": [f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2, 3, 4)],
        "claimName": "glusterfs-cluster",
        "mountCommand": "mount -t glusterfs glusterfs-cluster.default.svc.cluster.local:/data /mnt/glusterfs",
        "statusCommand": "kubectl --namespace default describe configmap gluster-status",
    }
    assert len(recording.of(CLUSTER)) == 1
    assert len(recording.of(CLAIM)) == 5


def test_the_context_reaches_the_provider() -> None:
    assert record_main(settings()).one(PROVIDER, "kubernetes").object.get("context") is None
    set_ = record_main(settings(kubeContext="mine")).one(PROVIDER, "kubernetes").object
    assert set_["context"] == "mine"


def test_camel_case() -> None:
    assert camel_case("disk_size_gb") == "diskSizeGb"
    assert camel_case("image") == "image"

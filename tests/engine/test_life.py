"""The life of a stack on the real engine: what `preview`, `up` and `destroy` promise."""

from __future__ import annotations

import json

import pytest

from tests.engine.project import Project

pytestmark = pytest.mark.lab

EVERYTHING = {
    "nodeCount": 3,
    "replication": 3,
    "arbiter": True,
    "spareCount": 1,
    "zones": ["us-east1-b", "us-east1-c", "us-east1-d"],
    "snapshotHours": 24,
    "profile": "small-files",
    "volumeOptions": {"network.ping-timeout": 7},
    "tolerations": [{"key": "storage", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
    "nodeSelector": {"pool": "storage"},
    "glusterdRequests": {"cpu": 1, "memory": "1Gi"},
    "glusterdLimits": {"memory": "2Gi"},
    "sidecarLimits": {"cpu": "1"},
}


def test_growth_only_adds_and_a_spare_becomes_a_node(project: Project) -> None:
    project.configure(nodeCount=2, spareCount=1, sampleApp=False)
    project.go().ok()
    project.unchanged()
    project.unchanged("--refresh")
    before = project.everything()
    project.configure(nodeCount=4)
    planned = project.steps()
    # Node 3 was the spare; 4 and 5 are new.
    assert planned.pop("update") == ["gluster-member-3", "gluster-plan"]
    assert set(planned) == {"create"}
    assert {name.removesuffix("-disk")[-1] for name in planned["create"]} == {"4", "5"}
    project.go().ok()
    project.unchanged("--refresh")
    assert before.items() <= project.everything().items()
    project.configure(nodeCount=2, spareCount=0)
    assert set(project.steps()) == {"delete", "update"}
    project.go().ok()
    project.run("destroy", "--skip-preview").ok()
    assert project.everything() == {}


def test_what_a_change_of_settings_touches(project: Project) -> None:
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    pods = {name for name in project.everything() if name.startswith("Pod/")}
    for setting, value, touched in (
        ("profile", "small-files", {"update": ["gluster-plan"]}),
        ("graceSeconds", 600, {"update": ["gluster-plan"]}),
        # Pods of the old template stay: the sidecars make them anew, one after the other.
        ("sleepSeconds", 9, {"update": ["gluster-1", "gluster-2", "gluster-plan"]}),
        ("snapshotHours", 6, {"create": ["gluster-1-snapshots", "gluster-2-snapshots", "gluster-snapshots"]}),
    ):
        project.configure(**{setting: value})
        assert project.steps() == touched, setting
        project.go().ok()
    project.unchanged("--refresh")
    assert {name for name in project.everything() if name.startswith("Pod/")} == pods


def test_the_api_server_knows_every_field_that_is_written(project: Project) -> None:
    project.configure(**EVERYTHING)
    project.go().ok()
    project.unchanged("--refresh")
    assert project.plane
    resources = project.saved()["checkpoint"]["latest"]["resources"]
    objects = [
        r["inputs"] for r in resources if r["type"].startswith("kubernetes:") and "metadata" in r["inputs"]
    ]
    assert len(objects) > 30
    strict = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    project.plane.kubectl(*strict, "--field-manager=test", "-f", "-", stdin=whole)
    objects[0]["metadata"]["nonsense"] = "x"
    with pytest.raises(AssertionError, match="nonsense"):
        project.plane.kubectl(*strict, "-f", "-", stdin=json.dumps(objects[0]))

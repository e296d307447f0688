"""The life of a stack on the real engine: what `preview`, `up` and `destroy` promise."""

from __future__ import annotations

import json
from collections.abc import Callable

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
    project.run("refresh", "--skip-preview").ok()
    project.unchanged()
    before = project.everything()
    project.configure(nodeCount=4)
    planned = project.steps()
    # Node 3 was the spare; 4 and 5 are new.
    assert planned.pop("update") == ["gluster-member-3", "gluster-plan", "gluster-settled"]
    assert set(planned) == {"create"}
    names = {
        name.removesuffix("-disk").removesuffix("-hold").removesuffix("-volume") for name in planned["create"]
    }
    assert {name[-1] for name in names} == {"4", "5"}
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
    settings: dict[str, tuple[object, dict[str, list[str]]]] = {
        "profile": ("small-files", {"update": ["gluster-plan", "gluster-settled"]}),
        "graceSeconds": (600, {"update": ["gluster-plan", "gluster-settled"]}),
        "sleepSeconds": (9, {"update": ["gluster-1", "gluster-2", "gluster-plan", "gluster-settled"]}),
        "snapshotHours": (6, {"create": [f"gluster-{of}snapshots" for of in ("1-", "2-", "")]}),
    }
    planned: dict[str, set[str]] = {}
    for setting, (value, touched) in settings.items():
        project.configure(**{setting: value})
        for operation, names in touched.items():
            planned.setdefault(operation, set()).update(names)
        assert {op: set(names) for op, names in project.steps().items()} == planned, setting
    project.go().ok()
    project.unchanged("--refresh")
    assert not {name for name in project.everything() if name.startswith("Pod/")} & pods, "rolled"


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


def test_a_disk_that_is_lost_is_made_anew_and_nothing_else_is(project: Project) -> None:
    """The documented way to give a node a new disk, too: delete it at Google, then `up`."""
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    before = project.everything()
    lost = "gluster-persistent-storage-node-2-disk"
    for file in (project.folder / "disks").rglob(f"{lost}.*"):
        file.unlink()
    assert project.steps() == {"create": ["gluster-2-disk"]}
    project.go().ok()
    after = project.everything()
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} <= {lost}
    project.unchanged("--refresh")


def test_disks_restored_from_their_snapshots_are_kept(project: Project) -> None:
    """Made anew at Google under their names, as docs/operations.md says: the same files here, for the
    stand-in has no snapshots, but described as Google describes such disks."""
    project.configure(nodeCount=2, sampleApp=False, snapshotHours=6)
    project.go().ok()
    before = project.disks()
    for file in (project.folder / "disks").rglob("*-disk.json"):
        described = json.loads(file.read_text())
        file.write_text(json.dumps({**described, "snapshot": f"global/snapshots/{file.stem}-1"}))
    project.run("refresh", "--skip-preview").ok()
    assert "global/snapshots" in json.dumps(project.saved())
    assert project.steps() == {}
    project.go().ok()
    assert project.disks() == before


Make = Callable[[], Project]


def test_two_stacks_in_two_namespaces_leave_each_other_alone(project: Project, new_project: Make) -> None:
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    other = new_project()
    other.configure(sampleApp=False)
    other.variables["GLUSTER_LAB_DISKS"] = project.env["GLUSTER_LAB_DISKS"]
    other.go().failed("disks/gluster-persistent-storage-node-1-disk' already exists")
    other.run("destroy", "--skip-preview").ok()
    other.configure(diskPrefix="second")
    other.go().ok()
    before = project.everything()
    assert {"gluster-persistent-storage-node-1-disk", "second-node-1-disk"} <= before.keys()
    project.unchanged("--refresh")
    other.run("destroy", "--skip-preview").ok()
    after = project.everything()
    assert {name for name in before if name not in after} == {"second-node-1-disk", "second-node-2-disk"}
    project.unchanged("--refresh")


def test_a_second_stack_in_the_same_namespace_is_refused(project: Project, new_project: Make) -> None:
    project.configure(nodeCount=2, sampleApp=False)
    project.go().ok()
    before = project.everything()
    other = new_project()  # its agent idles
    other.configure(namespace=project.namespace, sampleApp=False, diskPrefix="second")
    other.go().failed('"gluster-foundation" already exists')
    other.run("destroy", "--skip-preview").ok()
    assert project.everything() == before

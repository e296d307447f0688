"""What must not happen to a disk by a changed setting or a mistaken command, with any of the flags."""

from __future__ import annotations

import pytest

from tests.engine.project import Project

pytestmark = pytest.mark.lab

OTHER = {
    "gcp:project": "another-project",
    "gcp:zone": "us-central1-c",
    "replication": 3,
    "nodeCount": 3,
    "arbiter": True,
    "environment": "prod",
    "namespace": "elsewhere",
    "clusterName": "files",
    "volumeName": "shared",
    "brickName": "bricks",
    "diskType": "pd-ssd",
    "diskPrefix": "files",
    "fileSystem": "xfs",
}
"""None is the default, and each is kept from the first `up` on."""


def test_what_a_cluster_was_made_with_stays(project: Project) -> None:
    project.configure(sampleApp=False)
    project.go().ok()
    before = project.everything()
    project.configure(**OTHER)
    refused = project.run("preview").failed()
    for key in OTHER.keys() - {"nodeCount"}:
        full = key if ":" in key else f"gluster-stack:{key}"
        (line,) = [text for text in refused.text.splitlines() if f"{full} is " in text]
        assert "the cluster was made with" in line
        assert f"mend it with `pulumi config set {key} " in line
    assert "Traceback" not in refused.text
    for flags in ((), ("--continue-on-error",), ("--refresh",)):
        project.go(*flags).failed("the cluster was made with")
        assert project.everything() == before, flags


def test_a_disk_stays_even_where_the_record_of_how_it_was_made_is_lost(project: Project) -> None:
    project.configure(sampleApp=False)
    project.go().ok()
    disks = project.disks()
    assert project.plane
    project.plane.kubectl("delete", "configmap", "gluster-foundation", "-n", project.namespace)
    project.configure(diskType="pd-ssd")
    project.go("--refresh").ok()
    assert project.disks() == disks


def test_disks_grow_through_their_claims_and_never_shrink(project: Project) -> None:
    project.configure(sampleApp=False)
    project.go().ok()
    before = project.everything()
    project.configure(diskSizeGb=20)
    assert project.steps() == {"update": ["gluster-1", "gluster-2"]}
    project.go().ok()
    project.unchanged()
    project.configure(diskSizeGb=15)
    way_out = "mend it with `pulumi config set diskSizeGb 20`"
    refused = project.run("preview").failed("disks only grow", way_out)
    assert "Traceback" not in refused.text
    for flags in ((), ("--continue-on-error",), ("--refresh",)):
        project.go(*flags).failed(way_out)
    assert project.everything() == before


def test_where_disks_are_protected_nothing_is_deleted(project: Project) -> None:
    """A shrink and a destroy, with all that could be typed; and the way that is documented."""
    project.configure(nodeCount=4, protectDisks=True, snapshotHours=6)
    project.go().ok()
    project.configure(snapshotDays=3)
    project.go().ok()
    before = project.everything()
    for flags in ((), ("--continue-on-error",), ("--refresh",), ("--run-program",)):
        project.run("destroy", "--skip-preview", *flags).failed("protected")
        assert project.everything() == before, flags
    project.run("destroy", "--skip-preview", "--exclude-protected")
    assert project.everything() == before
    project.configure(nodeCount=2)
    project.run("preview").failed("protected")
    for flags in ((), ("--continue-on-error",), ("--refresh",)):
        project.go(*flags).failed("protected")
        assert project.everything() == before, flags
    project.configure(protectDisks=False)
    project.go().failed("protected")
    assert project.everything() == before
    project.configure(nodeCount=4)
    project.go().ok()
    project.unchanged()
    project.configure(nodeCount=2)
    project.go().ok()
    assert set(project.disks()) == {f"gluster-persistent-storage-node-{n}-disk" for n in (1, 2)}
    project.run("destroy", "--skip-preview").ok()
    assert project.everything() == {}

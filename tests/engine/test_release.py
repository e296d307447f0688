"""A state file of the first release: whatever is renamed later, no resource of it is made anew.

Before the first release, and never after it, `RECORD_FIRST_RELEASE=1 pytest tests/engine/test_release.py`
writes the file anew.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.engine.project import Project

pytestmark = pytest.mark.lab

FILE = Path(__file__).with_name("first-release.json.gz")
SETTINGS = {"nodeCount": 2, "spareCount": 1, "snapshotHours": 6}
OF_A_MACHINE = ("sourcePosition", "stackTrace", "created", "modified")


def test_the_state_of_the_first_release_is_taken_over(project: Project) -> None:
    if os.environ.get("RECORD_FIRST_RELEASE"):
        _record(project)
    state = project.folder / "exported.json"
    state.write_bytes(gzip.decompress(FILE.read_bytes()))
    held = json.loads(state.read_text())["deployment"]["resources"]
    assert len(held) > 40
    (first,) = [r for r in held if r["urn"].endswith("::gluster-foundation")]
    project.configure(**SETTINGS, namespace=first["inputs"]["data"]["namespace"])
    # The objects of that release are nowhere: a preview that finds no cluster asks the state alone.
    project.variables["KUBECONFIG"] = "/nowhere/kubeconfig"
    project.run("stack", "import", "--file", str(state)).ok()
    planned = project.steps("--refresh=false")
    assert not planned.keys() - {"create", "update"}, planned
    existing = {resource["urn"].rpartition("::")[2] for resource in held}
    assert not existing & set(planned.get("create", [])), "made anew under another name or type"


def _record(project: Project) -> None:
    project.configure(**SETTINGS)
    project.go().ok()
    exported = json.loads(project.run("stack", "export").ok().text)
    for resource in exported["deployment"]["resources"]:
        for key in OF_A_MACHINE:
            resource.pop(key, None)
    assert project.plane
    text = json.dumps(exported).replace(str(project.plane.kubeconfig), "/nowhere/kubeconfig")
    assert "/tmp/" not in text
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))

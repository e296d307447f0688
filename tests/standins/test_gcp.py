"""Disks on the gcp stand-in: what is refused, what grows in place, what replaces, who has it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.standins.pulumi_gcp.diff import changes, deletes_first
from lab.standins.pulumi_gcp.disks import GIB, DiskId, Disks
from lab.standins.pulumi_gcp.fields import DISK
from lab.standins.pulumi_plugin.errors import ProviderError
from tests.standins.workbench import Bench

GIVEN = {"name": "d1", "project": "lab", "zone": "us-central1-b", "size": 10, "type": "pd-ssd"}
STATE = {**GIVEN, "labels": {"a": "1"}, "description": "d", "physicalBlockSizeBytes": 4096}
D1 = DiskId("lab", "us-central1-b", "d1")


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({}, {}),
        ({"size": 20}, {"size": "UPDATE"}),
        ({"size": 9}, {"size": "UPDATE!"}),
        ({"labels": {}}, {"labels": "DELETE"}),
        ({"description": None}, {"description": "DELETE!"}),
        ({"description": "e"}, {"description": "UPDATE!"}),
        ({"type": None}, {"type": "UPDATE!"}),
        ({"zone": "us-central1-c"}, {"zone": "UPDATE!"}),
        ({"name": "d2"}, {"name": "UPDATE!"}),
        ({"provisionedIops": 3000}, {"provisionedIops": "ADD"}),
        ({"resourcePolicies": ["p"]}, {"resourcePolicies": "ADD!"}),
        ({"deletionPolicy": "ABANDON"}, {"deletionPolicy": "UPDATE"}),
        ({"deletionPolicy": "DELETE"}, {}),
    ],
)
def test_what_a_change_does(new: dict[str, Any], expected: dict[str, str]) -> None:
    inputs = {**GIVEN, "labels": {"a": "1"}, "description": "d", **new}
    inputs = {name: value for name, value in inputs.items() if value not in (None, {})}
    found = {c.name: c.kind + ("!" if c.replaces else "") for c in changes(DISK, STATE, inputs, [])}
    assert found == expected
    assert changes(DISK, STATE, inputs, list(expected)) == []


def test_a_given_name_is_freed_before_the_new_disk_takes_it() -> None:
    assert deletes_first(STATE, GIVEN)
    assert not deletes_first(STATE, {**GIVEN, "name": "d2"})
    assert not deletes_first(STATE, {**GIVEN, "__defaults": ["name"]})


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"sizes": 1}, "an argument named 'sizes' is not expected here"),
        ({"size": "big"}, "expected type 'number', got 'big'"),
        ({"labels": ["a"]}, "expected type 'map'"),
        ({"name": "Bad_Name"}, "does not match regexp"),
        ({"snapshot": "s"}, "blank disks only"),
        ({"deletionPolicy": "KEEP"}, "is none of DELETE, ABANDON, PREVENT"),
    ],
)
def test_what_is_refused(inputs: dict[str, Any], words: str) -> None:
    assert any(words in why for _, why in DISK.check(inputs))


def test_good_inputs_are_not_refused() -> None:
    assert list(DISK.check({**GIVEN, "size": "10", "labels": {}, "__defaults": ["name"]})) == []


def test_a_disk_is_a_sparse_file_that_grows(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    disks.create(D1, 10, dict(GIVEN))
    image = tmp_path / "lab/us-central1-b/d1.img"
    assert image.stat().st_size == 10 * GIB
    assert image.stat().st_blocks == 0
    with pytest.raises(ProviderError, match=r"Error 409: The resource '.*/d1' already exists, alreadyExists"):
        disks.create(D1, 20, {})
    disks.grow(D1, 12)
    disks.grow(D1, 11)
    assert disks.description(D1) == {**GIVEN, "size": 12}
    assert sorted(file.name for file in image.parent.iterdir()) == ["d1.img", "d1.json"]


def test_a_disk_in_use_is_deleted_once_its_machine_lets_go(tmp_path: Path) -> None:
    disks = Disks(tmp_path)
    disks.create(D1, 10, {})
    (tmp_path / "lab/us-central1-b/d1.attached").write_text("kn2\n")
    assert disks.user(D1) == "kn2"
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProviderError, match="used by 'kn2', resourceInUseByAnotherResource"):
        disks.delete(D1, cancelled)
    (tmp_path / "lab/us-central1-b/d1.attached").unlink()
    disks.delete(D1, cancelled)
    disks.delete(D1, cancelled)
    assert not disks.exists(D1)


def test_a_disk_that_nobody_lets_go_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.standins.pulumi_gcp.disks.DETACH_SECONDS", 0.3)
    disks = Disks(tmp_path)
    disks.create(D1, 10, {})
    attached = tmp_path / "lab/us-central1-b/d1.attached"
    attached.write_text("kn2")
    disks.delete(D1, threading.Event())
    assert not attached.exists()


def disk(**arguments: Any) -> dict[str, Any]:
    own = {"name": "d1", "size": 10, "type": "pd-ssd", "labels": {"a": "1"}, **arguments}
    return {"type": "pulumi_gcp.compute.Disk", "arguments": own}


@pytest.mark.lab
def test_disks_on_the_real_engine(offline: Callable[..., Bench]) -> None:
    bench = offline(GLUSTER_LAB_GCP_FAIL="create:broken")
    image = bench.folder / "disks/lab/us-central1-b/d1.img"
    bench.declare({"d": disk()})
    missing = bench.run("preview").failed("Failed to determine zone: required field is not set; set gcp:zone")
    assert "Traceback" not in missing.text
    bench.run("config", "set", "gcp:project", "lab").ok()
    bench.run("config", "set", "gcp:zone", "us-central1-b").ok()
    broken = disk(name="broken")
    bench.up({"d": disk(), "b": broken}).failed("Error 403: Quota 'SSD_TOTAL_GB' exceeded")
    assert bench.state()["d"]["id"] == "projects/lab/zones/us-central1-b/disks/d1"

    grown = {"d": disk(size=20, labels={"a": "2"})}
    assert "~  gcp:compute:Disk d updated" in bench.up(grown).ok().text
    assert image.stat().st_size == 20 * GIB
    described = json.loads(image.with_suffix(".json").read_text())
    assert (described["size"], described["labels"]) == (20, {"a": "2"})

    kept = {"d": disk(size=15, labels={"a": "2"})}
    assert bench.plan(kept) == {"d": ["replace"]}
    image.with_suffix(".attached").write_text("kn1")
    threading.Thread(target=_let_go, args=(image.with_suffix(".attached"),)).start()
    bench.destroy().ok()
    assert not image.exists()


def _let_go(attached: Path) -> None:
    time.sleep(3)
    attached.unlink()

"""The hosts file of the holder: members that come, go and move, with and without Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gluster_sidecar.contract import NODE_LABEL
from gluster_sidecar.csi import names
from gluster_sidecar.csi.names import Names
from gluster_sidecar.errors import ApiError
from gluster_sidecar.settings import Settings

SERVICE = "glusterfs-cluster.default.svc.cluster.local"


def pod(node: int, address: str | None, born: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    meta = {"name": f"gluster-{node}-{born}", "labels": {NODE_LABEL: str(node)}, "creationTimestamp": born}
    return {"metadata": meta, "status": {"phase": "Running", **({"hostIP": address} if address else {})}}


def entry(*addresses: str) -> dict[str, Any]:
    return {"endpoints": [{"addresses": [address]} for address in addresses]}


class Cluster:
    def __init__(self) -> None:
        self.pods: list[dict[str, Any]] | None = []
        self.slices: list[dict[str, Any]] | None = []

    def _of(self, found: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        if found is None:
            raise ApiError("away")
        return found

    def names(self, file: Path) -> Names:
        return Names(Settings(), lambda: self._of(self.pods), lambda: self._of(self.slices), file)


def lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    return hosts


def test_members_and_those_who_serve_are_written(file: Path) -> None:
    cluster = Cluster()
    cluster.pods = [pod(1, "10.0.0.1"), pod(2, "10.0.0.2"), pod(3, None)]
    cluster.slices = [entry("10.0.0.2", "10.0.0.1")]
    cluster.names(file).refresh()
    assert lines(file) == [
        "10.0.0.1\tgluster-1.default.svc.cluster.local",
        "10.0.0.2\tgluster-2.default.svc.cluster.local",
        "127.0.0.1 localhost",
        f"10.0.0.1\t{SERVICE}",
        f"10.0.0.2\t{SERVICE}",
    ]


def test_a_member_that_moved_has_its_new_address_only(file: Path) -> None:
    cluster = Cluster()
    cluster.pods = [pod(1, "10.0.0.1")]
    found = cluster.names(file)
    found.refresh()
    cluster.pods = [pod(1, "10.0.0.9", "2026-02-01T00:00:00Z"), pod(1, "10.0.0.1")]
    found.refresh()
    assert lines(file) == ["10.0.0.9\tgluster-1.default.svc.cluster.local", "127.0.0.1 localhost"]


def test_what_kubernetes_no_longer_says_stays(file: Path) -> None:
    cluster = Cluster()
    cluster.pods, cluster.slices = [pod(1, "10.0.0.1")], [entry("10.0.0.1")]
    found = cluster.names(file)
    found.refresh()
    before = file.read_text()
    cluster.pods, cluster.slices = None, []
    found.refresh()
    assert file.read_text() == before


def test_a_shorter_file_has_no_rest_of_the_longer(file: Path) -> None:
    cluster = Cluster()
    cluster.slices = [entry("10.0.0.1", "10.0.0.2")]
    found = cluster.names(file)
    found.refresh()
    cluster.slices = [entry("10.0.0.2")]
    found.refresh()
    assert lines(file)[1:] == [f"10.0.0.2\t{SERVICE}"]


def test_an_address_that_is_not_ready_serves_nobody() -> None:
    away = {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]}
    assert names.serving([away, entry("10.0.0.2"), {"endpoints": None}]) == ["10.0.0.2"]


def test_those_who_answer_are_asked_first(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    cluster.pods = [pod(n, f"10.0.0.{n}") for n in (1, 2, 3)]
    found = cluster.names(file)
    found.refresh()
    monkeypatch.setattr(names, "_answers", lambda name: name.startswith("gluster-2."))
    assert found.servers() == [
        "gluster-2.default.svc.cluster.local",
        SERVICE,
        "gluster-1.default.svc.cluster.local",
        "gluster-3.default.svc.cluster.local",
    ]

"""The hosts file of the holder: members that come, go and move, with and without Kubernetes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
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

    def names(self, file: Path, *more: Any) -> Names:
        return Names(Settings(), lambda: self._of(self.pods), lambda: self._of(self.slices), file, *more)


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


class Probes:
    """Who answers, and who was asked."""

    def __init__(self, alive: Callable[[str], bool] = lambda name: True) -> None:
        self.alive, self.asked = alive, list[str]()

    def __call__(self, name: str) -> bool:
        self.asked.append(name)
        return self.alive(name)


def member(number: int) -> str:
    return f"gluster-{number}.default.svc.cluster.local"


def started(file: Path, members: int, serving: int, probes: Probes, seed: int = 1) -> Names:
    """Of a holder that knows so many members, the first of which serve."""
    cluster = Cluster()
    cluster.pods = [pod(n, f"10.0.{n // 250}.{n % 250}") for n in range(1, members + 1)]
    cluster.slices = [entry(*(f"10.0.{n // 250}.{n % 250}" for n in range(1, serving + 1)))]
    found = cluster.names(file, probes, random.Random(seed))
    found.refresh()
    return found


def test_those_who_answer_are_named_first(file: Path) -> None:
    servers = started(file, 3, 3, Probes(lambda name: name == member(2))).servers()
    assert servers[0] == member(2)
    assert sorted(servers[1:]) == sorted([SERVICE, member(1), member(3)])


def test_while_nobody_is_known_to_serve_the_service_is_asked(file: Path) -> None:
    assert started(file, 2, 0, Probes()).servers()[0] == SERVICE
    assert started(file, 0, 0, Probes()).servers() == [SERVICE, member(1), member(2)]


def test_those_who_serve_are_named_and_no_others(file: Path) -> None:
    """One that has not joined yet knows no volume, and a client that asks it ends."""
    servers = started(file, 6, 2, Probes()).servers()
    assert sorted(servers) == sorted([member(1), member(2), SERVICE])
    assert servers[-1] == SERVICE


def test_of_a_thousand_members_a_start_asks_few_and_starts_are_spread(file: Path) -> None:
    named = set[str]()
    for seed in range(40):
        probes = Probes()
        servers = started(file, 1000, 1000, probes, seed).servers()
        assert len(probes.asked) <= names.MOST_ASKED
        assert len(servers) == len(set(servers)) == names.MOST_NAMED
        assert SERVICE in servers, "the way to all the others"
        named |= set(servers)
    assert len(named) > 200


def test_members_that_do_not_answer_are_named_after_all_others(file: Path) -> None:
    servers = started(file, 1000, 1000, Probes(lambda name: name == SERVICE)).servers()
    assert servers[0] == SERVICE
    assert len(servers) == names.MOST_NAMED


def test_a_name_that_is_resolved_without_end_holds_no_start_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver knows no deadline."""
    monkeypatch.setattr(names, "PROBE_SECONDS", 0.05)
    resolved = threading.Event()
    probes = Probes(lambda name: name != member(2) and resolved.wait())
    found = started(file, 3, 3, probes)
    try:
        for _ in range(5):
            assert len(found.servers()) == 4
        assert sorted(set(probes.asked) - {member(2)}) == sorted([SERVICE, member(1), member(3)])
        assert all(probes.asked.count(name) == 1 for name in set(probes.asked) - {member(2)})
    finally:
        resolved.set()

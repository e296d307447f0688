"""Locks, certificates, variables and faults that need no cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from lab import environment, faults, pki
from lab.addresses import Link
from lab.errors import Busy, LabError
from lab.lock import locked
from lab.paths import Paths

LINK = Link("169.254.1.1", "169.254.1.2")
NODE_1 = "gluster-persistent-storage-node-1-disk.img"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.of(tmp_path / "state with blanks")
    paths.state.mkdir()
    return paths


def test_one_command_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock), pytest.raises(Busy, match=r"process \d+"), locked(lock):
        pass
    with locked(lock):
        pass
    assert not lock.exists()


def test_certificates_are_made_once_and_hold_every_name(paths: Paths) -> None:
    assert pki.ensure(paths, LINK, 2)
    before = (paths.pki / "ca.crt").read_bytes()
    assert not pki.ensure(paths, LINK, 2)
    assert (paths.pki / "ca.crt").read_bytes() == before
    server = x509.load_pem_x509_certificate((paths.pki / "apiserver.crt").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"10.77.0.1", "10.96.0.1", "127.0.0.1", LINK.hub}
    assert (paths.pki / "kn2.key").stat().st_mode & 0o777 == 0o600
    config = json.loads((paths.pki / "machine.kubeconfig").read_text())
    assert config["clusters"][0]["cluster"]["server"] == f"https://{LINK.hub}:6443"


def test_half_made_certificates_do_not_count(paths: Paths) -> None:
    paths.pki.with_suffix(".new").mkdir()
    assert pki.ensure(paths, LINK, 1)


def test_exports_are_what_a_shell_takes(paths: Paths) -> None:
    script = f'{environment.exports(paths)}\nprintf %s "$KUBECONFIG,$PULUMI_CONFIG_PASSPHRASE,${{PATH%%:*}}"'
    said = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"{paths.kubeconfig},,{paths.bin}"


def test_the_path_names_the_labs_commands_once(paths: Paths) -> None:
    once = environment.environment(paths, {"PATH": "/usr/bin"})
    assert environment.environment(paths, once) == once


def test_a_lost_disk_is_blank_and_of_the_same_size(paths: Paths) -> None:
    disk = paths.disks / "project" / "zone" / NODE_1
    disk.parent.mkdir(parents=True)
    disk.write_bytes(b"data" * 1000)
    assert faults.lose_disk(paths, 1, None) == disk
    assert disk.read_bytes() == bytes(4000)
    with pytest.raises(LabError, match="no gluster-persistent-storage-node-2"):
        faults.lose_disk(paths, 2, None)


def test_a_disk_that_is_attached_is_not_lost(paths: Paths) -> None:
    disk = paths.disks / "project" / "zone" / NODE_1
    disk.parent.mkdir(parents=True)
    disk.write_bytes(b"data")
    with pytest.raises(LabError, match=r"machine 3 has .*--now"):
        faults.lose_disk(paths, 1, 3)
    assert disk.read_bytes() == b"data"


def test_removing_a_lab_leaves_what_is_not_its_own(paths: Paths) -> None:
    (paths.state / "notes.txt").write_text("mine")
    (paths.state / "logs").mkdir()
    paths.remove()
    assert [p.name for p in paths.state.iterdir()] == ["notes.txt"]

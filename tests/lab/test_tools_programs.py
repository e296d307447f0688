"""Where programs come from: Debian, a Go toolchain, Pulumi's three ways; and that pins agree."""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.tools import apt, cache, engine, go, programs

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def pulumi_in(folder: Path, version: str = "v3.259.0") -> Path:
    script(folder / engine.LANGUAGE_HOST, "")
    return script(folder / "pulumi", f"echo {version}")


# Debian


def test_a_package_is_missing_if_one_of_its_programs_is() -> None:
    assert apt.missing({"shell": ("sh",), "strange": ("sh", "no-such-program")}) == ["strange"]


def test_a_package_of_plugins_is_known_by_their_paths(tmp_path: Path) -> None:
    plugin = tmp_path / "bridge"
    assert apt.missing({"plugins": (str(plugin),)}) == ["plugins"]
    script(plugin, "")
    assert apt.missing({"plugins": (str(plugin),)}) == []


def test_apt_is_not_called_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "missing", list)
    monkeypatch.setattr(apt, "watch", None)
    apt.ensure(pytest.fail)


def test_the_packages_are_named_where_apt_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "missing", lambda: ["runc", "kmod"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="runc kmod"):
        apt.ensure(print)


def test_no_daemon_is_started_by_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(apt, "POLICY", policy)
    with apt._no_daemons():
        assert os.waitstatus_to_exitcode(os.system(str(policy))) == 101
    assert not policy.exists()


def test_a_policy_of_the_machine_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = script(tmp_path / "policy-rc.d", "exit 0")
    monkeypatch.setattr(apt, "POLICY", policy)
    with apt._no_daemons():
        pass
    assert "exit 0" in policy.read_text()


# Go


@pytest.mark.parametrize(
    ("answer", "known"), [("go1.26.8", (1, 26)), ("go1.27rc1", (1, 27)), ("devel", (0, 0))]
)
def test_the_version_of_a_toolchain(tmp_path: Path, answer: str, known: tuple[int, int]) -> None:
    assert go.version(script(tmp_path / "go", f"echo {answer}")) == known


def test_a_new_enough_toolchain_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = script(tmp_path / "bin/go", "echo go1.99.0")
    monkeypatch.setenv("PATH", str(there.parent), prepend=":")
    assert go.toolchain(pytest.fail) == there


def test_an_old_toolchain_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = script(tmp_path / "bin/go", "echo go1.19.8")
    monkeypatch.setenv("PATH", str(there.parent), prepend=":")
    cached = cache.folder("go", go.PACKAGE)
    cached.mkdir(parents=True)
    assert go.toolchain(pytest.fail) == cached / "go/bin/go"


def test_go_mod_files_ask_for_no_newer_toolchain_than_is_looked_for() -> None:
    for program in (programs.KUBE, programs.CSI, engine.PROGRAM):
        asked = re.search(r"^go (\d+)\.(\d+)", (program.source / "go.mod").read_text(), re.MULTILINE)
        assert asked is not None
        assert (int(asked[1]), int(asked[2])) <= go.NEEDED


def test_versions_that_are_told_are_those_of_the_modules() -> None:
    kube = (programs.KUBE.source / "go.mod").read_text()
    assert f"k8s.io/kubernetes {programs.KUBERNETES}\n" in kube
    csi = (programs.CSI.source / "go.mod").read_text()
    for name, version in re.findall(r"(external-\w+) (v[\d.]+)", programs.CSI.version):
        assert re.search(rf"kubernetes-csi/{name}/v\d+ {re.escape(version)}\b", csi)
    assert f"github.com/pulumi/pulumi/pkg/v3 v{engine.VERSION}\n" in (
        engine.PROGRAM.source / "go.mod"
    ).read_text().replace(" // indirect", "")


def test_another_flag_is_another_build() -> None:
    other = go.Program("kube", "v1", programs.KUBE.packages, ("-race",))
    assert other.folder != programs.KUBE.folder


# Pulumi


def test_pulumi_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = pulumi_in(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(there.parent), prepend=":")
    assert engine.ensure(pytest.fail) == engine.Pulumi(there, "path", None)


def test_pulumi_of_the_cache_is_not_pulumi_on_the_path(tmp_path: Path) -> None:
    ours = pulumi_in(cache.root() / "pulumi-0123456789abcdef")
    lab_bin = tmp_path / "lab/bin"
    lab_bin.mkdir(parents=True)
    (lab_bin / "pulumi").symlink_to(ours)
    assert list(engine.on_path({"PATH": f"{lab_bin}:{ours.parent}"})) == []


def test_an_old_or_incomplete_pulumi_counts_as_none(tmp_path: Path) -> None:
    old = pulumi_in(tmp_path / "old", "v3.9.0")
    alone = script(tmp_path / "alone/pulumi", "echo v3.259.0")
    broken = pulumi_in(tmp_path / "broken")
    script(broken, "exit 1")
    assert list(engine.on_path({"PATH": f"{old.parent}:{alone.parent}:{broken.parent}"})) == []


def release(path: Path) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("pulumi", engine.LANGUAGE_HOST, engine.LANGUAGE_EXEC):
            member = tarfile.TarInfo(f"pulumi/{name}")
            member.size, member.mode = 2, 0o755
            archive.addfile(member, io.BytesIO(b"#!"))
    return f"file://{path}"


def test_the_official_release_is_taken_if_it_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(engine, "DOWNLOAD", release(tmp_path / "release.tar.gz"))
    found = engine.ensure(lambda line: None)
    assert (found.origin, found.language_exec) == ("download", None)
    assert os.access(found.program, os.X_OK)
    assert os.access(found.program.parent / engine.LANGUAGE_HOST, os.X_OK)


@pytest.mark.parametrize("content", [None, b"not an archive", b"cut"])
def test_pulumi_is_built_if_it_cannot_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "release.tar.gz"
    release(file)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:60] if content == b"cut" else content)
    sdk = tmp_path / "sdk"
    script(sdk / "python/cmd" / engine.LANGUAGE_EXEC, "").chmod(0o444)

    def build(program: go.Program, draft: Path, say: object) -> None:
        assert program is engine.PROGRAM
        assert list(draft.iterdir()) == []
        script(draft / "pulumi", "")

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(engine, "DOWNLOAD", f"file://{file}")
    monkeypatch.setattr(go, "build", build)
    monkeypatch.setattr(go, "module", lambda *_: sdk)
    said = list[str]()
    found = engine.ensure(said.append)
    assert found.origin == "built"
    assert found.language_exec is not None
    assert os.access(found.language_exec, os.X_OK)
    assert "cannot be downloaded" in said[0]

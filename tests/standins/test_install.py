"""Real plugins before stand-ins, and stand-ins that are never taken for real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.standins import install as module
from lab.standins.install import Origins, install
from tests.standins.workbench import ROOT

PYTHON = ROOT / ".venv/bin/python"
KUBERNETES = "resource-kubernetes-v{}"


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without plugins, on a machine where nothing can be downloaded."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    monkeypatch.setattr(module, "_failed", set())
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    executable(bin_ / "pulumi", "#!/bin/sh\nexit 1\n")
    executable(tmp_path / "runner", "# the SDK's\n")


def executable(file: Path, text: str = "#!/bin/sh\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def do(tmp_path: Path) -> Origins:
    return install(tmp_path / "home", tmp_path / "bin", PYTHON, tmp_path / "runner")


def test_stand_ins_where_there_is_nothing(tmp_path: Path) -> None:
    nothing = Origins("stand-in", "stand-in", "stand-in")
    assert do(tmp_path) == nothing
    plugins = tmp_path / "home/plugins"
    launchers = [file for file in plugins.glob("*/pulumi-*") if not file.name.endswith("-exec")]
    assert len(launchers) == 3
    before = {file: file.stat().st_mtime_ns for file in launchers}
    assert do(tmp_path) == nothing
    assert before == {file: file.stat().st_mtime_ns for file in launchers}
    assert Origins("real", "stand-in", "real").parts()["kubernetes provider"] == "real"


def test_a_real_plugin_in_the_usual_folder_takes_the_stand_in_s_place(tmp_path: Path) -> None:
    do(tmp_path)
    (mine,) = (tmp_path / "home/plugins").glob("resource-kubernetes-*")
    real = executable(tmp_path / "user/.pulumi/plugins" / mine.name / "pulumi-resource-kubernetes")
    assert do(tmp_path).kubernetes == "real"
    assert (mine / real.name).resolve() == real
    assert mine.is_dir()
    assert not mine.is_symlink()
    assert do(tmp_path).kubernetes == "real"


def test_stand_ins_of_another_lab_are_not_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    do(tmp_path)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    again = install(tmp_path / "other", tmp_path / "bin", PYTHON, tmp_path / "runner")
    assert again == Origins("stand-in", "stand-in", "stand-in")


def test_a_download_that_works_is_used(tmp_path: Path) -> None:
    script = """#!/bin/sh
folder=$PULUMI_HOME/plugins/resource-$4-v$5
mkdir -p $folder && echo '#!/bin/sh' >$folder/pulumi-resource-$4 && chmod +x $folder/pulumi-resource-$4
"""
    executable(tmp_path / "bin/pulumi", script)
    assert do(tmp_path).kubernetes == "real"


def test_a_download_that_fails_is_tried_once_a_run(tmp_path: Path) -> None:
    executable(tmp_path / "bin/pulumi", f"#!/bin/sh\necho x >>{tmp_path}/tries\nexit 1\n")
    do(tmp_path)
    do(tmp_path)
    assert (tmp_path / "tries").read_text() == "x\n"


def test_a_language_host_beside_pulumi_or_on_the_path_is_used(tmp_path: Path) -> None:
    do(tmp_path)
    host = executable(tmp_path / "bin/pulumi-language-python")
    assert do(tmp_path).language == "real"
    assert not list((tmp_path / "home/plugins").glob("language-*"))
    host.unlink()
    with pytest.raises(LabError, match="no pulumi-language-python"):
        install(tmp_path / "home", tmp_path / "bin", PYTHON, None)


def test_a_real_google_on_the_path_is_refused(tmp_path: Path) -> None:
    executable(tmp_path / "bin/pulumi-resource-gcp")
    with pytest.raises(LabError, match="off the PATH"):
        do(tmp_path)

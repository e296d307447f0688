"""A file system is asked by one process at a time, and one that hangs by no second one."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from gluster_sidecar import children, filesystem, sample_app
from gluster_sidecar.filesystem import Silent, Unavailable

from lab.waiting import wait_for


class Hung:
    """A file system that hangs: `stat` notes its process and sleeps, and no signal ends it."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "asked"
        program = folder / "stat"
        program.write_text(f"#!/bin/sh\necho $$ >> {self._note}\nexec sleep 600\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def askers(self) -> list[int]:
        return [int(line) for line in self._note.read_text().split()] if self._note.exists() else []

    def answers(self) -> None:
        """Whoever waits is gone, as a killed process whose request is answered."""
        for process in self.askers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@pytest.fixture
def hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hung]:
    made = Hung(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        patch.setattr(os, "killpg", lambda group, number: None)
        patch.setattr(children, "END_SECONDS", 0.01)
        yield made
    made.answers()
    gc.collect()  # the handles go with their warning, and not while another test runs


def has_asked(hung: Hung, lock: Path) -> None:
    """Asks until the process that hangs has begun."""

    def asked() -> bool:
        with pytest.raises(Silent):
            filesystem.ask("/", 0.1, lock)
        return hung.askers() != []

    wait_for("it is asked", asked, 30)


def test_the_numbers_are_those_of_the_system(tmp_path: Path) -> None:
    usage = filesystem.ask(str(tmp_path), 30, tmp_path / "lock")
    seen = os.statvfs(tmp_path)
    assert usage.total == seen.f_blocks * seen.f_frsize
    assert usage.inodes == seen.f_files
    assert 0 < usage.available <= usage.free <= usage.total


def test_an_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file") as caught:
        filesystem.ask(str(tmp_path / "nowhere"), 30, tmp_path / "lock")
    assert not isinstance(caught.value, Silent)
    filesystem.ask(str(tmp_path), 30, tmp_path / "lock")


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_one_that_hangs_is_asked_by_one_process_only(tmp_path: Path, hung: Hung) -> None:
    lock = tmp_path / "lock"
    has_asked(hung, lock)
    for _ in range(3):
        with pytest.raises(Silent, match="from before has had no answer yet"):
            filesystem.ask("/", 0.1, lock)
    assert len(hung.askers()) == 1
    (tmp_path / "stat").unlink()
    hung.answers()
    filesystem.ask("/", 30, lock)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_checks_of_the_sample_app_do_not_pile_up(
    tmp_path: Path, hung: Hung, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a process of its own, which knows nothing of those before."""
    folder = tmp_path / "mnt"
    folder.mkdir()
    monkeypatch.setattr(sample_app, "MOUNT", folder / "volume")
    monkeypatch.setattr(sample_app, "mounted", lambda: True)
    monkeypatch.setattr(sample_app, "CHECK_SECONDS", 0.1)
    has_asked(hung, folder)
    for _ in range(3):
        assert sample_app.check() == 1
        assert "has had no answer yet" in capsys.readouterr().err
    assert len(hung.askers()) == 1


def test_a_check_of_a_volume_that_answers_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_app, "MOUNT", tmp_path)
    monkeypatch.setattr(sample_app, "mounted", lambda: True)
    assert sample_app.check() == 0

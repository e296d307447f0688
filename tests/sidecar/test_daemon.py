"""What must hold of a disk before glusterd starts on it (law 6)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from gluster_sidecar import daemon
from gluster_sidecar.daemon import DiskError

from lab.waiting import wait_for

OWNER = {"cluster": "glusterfs-cluster", "namespace": "default", "node": 1}


def mounted(path: Path, kind: str = "ext4") -> str:
    return f"22 1 0:20 / / rw - overlay overlay rw\n99 22 7:1 / {path} rw,relatime - {kind} /dev/loop1 rw\n"


def test_a_folder_that_is_no_mount_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="not the mount of a disk"):
        daemon.check_disk(tmp_path, OWNER, mounted(tmp_path / "elsewhere"))
    with pytest.raises(DiskError, match="not the mount of a disk"):
        daemon.check_disk(tmp_path, OWNER, mounted(tmp_path, "tmpfs"))
    assert list(tmp_path.iterdir()) == []


def test_a_blank_disk_is_taken_and_known_again(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    daemon.check_disk(tmp_path, OWNER, mounted(tmp_path))
    (tmp_path / "brick").mkdir()
    daemon.check_disk(tmp_path, OWNER, mounted(tmp_path))


def test_another_nodes_disk_is_not_touched(tmp_path: Path) -> None:
    daemon.check_disk(tmp_path, OWNER, mounted(tmp_path))
    with pytest.raises(DiskError, match="nothing on it is touched"):
        daemon.check_disk(tmp_path, OWNER | {"node": 2}, mounted(tmp_path))


def test_a_read_only_disk_is_refused_before_glusterd_falls_over_it(tmp_path: Path) -> None:
    """glusterd 11.1 ends with a segmentation fault on one, again and again."""
    frozen = mounted(tmp_path).replace(" rw", " ro")
    assert frozen != mounted(tmp_path)
    with pytest.raises(DiskError, match="read-only"):
        daemon.check_disk(tmp_path, OWNER, frozen)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_with_strange_content_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "somebody").write_text("x")
    with pytest.raises(DiskError, match="somebody"):
        daemon.check_disk(tmp_path, OWNER, mounted(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["somebody"]


def test_state_is_seeded_once_without_an_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged, lib, disk = tmp_path / "packaged", tmp_path / "lib", tmp_path / "disk"
    (packaged / "groups").mkdir(parents=True)
    (packaged / "glusterd.info").write_text("UUID=of-the-package\n")
    lib.mkdir()
    disk.mkdir()
    monkeypatch.setattr(daemon, "PACKAGED_STATE", packaged)
    monkeypatch.setattr(daemon, "STATE", lib)
    state = daemon.place_state(disk)
    assert lib.resolve() == state
    assert (state / "groups").is_dir()
    assert not daemon.has_identity(state)
    (state / "glusterd.info").write_text("UUID=mine\n")
    assert daemon.has_identity(daemon.place_state(disk))


def test_a_blank_disk_waits_for_the_sidecar_and_takes_the_old_uuid(tmp_path: Path) -> None:
    start, stop = tmp_path / "start.json", threading.Event()
    waiter = threading.Thread(target=daemon.await_start, args=(tmp_path, start, stop))
    waiter.start()
    waiter.join(0.5)
    assert waiter.is_alive()
    draft = start.with_suffix(".new")
    draft.write_text(json.dumps({"uuid": "old", "opVersion": "110000"}))
    draft.rename(start)  # whole at once, as the sidecar does
    waiter.join(10)
    assert not waiter.is_alive()
    assert (tmp_path / "glusterd.info").read_text() == "UUID=old\noperating-version=110000\n"


def test_a_disk_with_state_never_takes_another_uuid(tmp_path: Path) -> None:
    (tmp_path / "glusterd.info").write_text("UUID=mine\n")
    start = tmp_path / "start.json"
    start.write_text(json.dumps({"uuid": "other", "opVersion": "110000"}))
    daemon.await_start(tmp_path, start, threading.Event())
    assert (tmp_path / "glusterd.info").read_text() == "UUID=mine\n"


def glusterd_that(does: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "glusterd").write_text(f"#!/bin/sh\n{does}\n")
    (folder / "glusterd").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(daemon, "RESTART_SECONDS", 0)


def supervised(note: Path, until: Callable[[], bool], mend: Callable[[], None] = lambda: None) -> None:
    stop = threading.Event()
    thread = threading.Thread(
        target=daemon.supervise,
        args=(stop, note.with_name("restart"), note, mend, daemon.Running(), lambda: None),
    )
    thread.start()
    try:
        wait_for("glusterd is seen to", until, 30)
    finally:
        stop.set()
        thread.join()


def test_a_glusterd_that_ends_as_soon_as_it_is_started_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    glusterd_that(f"echo x >> {tmp_path}/starts; exit 7", tmp_path, monkeypatch)
    note, starts = tmp_path / "problem", tmp_path / "starts"
    supervised(note, lambda: starts.exists() and len(starts.read_text().split()) > daemon.IN_VAIN_STARTS)
    assert "exit code 7" in note.read_text()


def test_what_a_glusterd_cannot_start_with_is_mended_before_it_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before the first start: what it can start with is nobody's to mend."""
    starts, mended = tmp_path / "starts", tmp_path / "mended"
    glusterd_that(f"echo x >> {starts}; test -e {mended} || exit 1; exec sleep 60", tmp_path, monkeypatch)
    seen: list[int] = []

    def mend() -> None:
        seen.append(len(starts.read_text().split()))
        mended.touch()

    supervised(tmp_path / "problem", lambda: starts.exists() and len(starts.read_text().split()) == 2, mend)
    assert seen == [1]


def test_a_glusterd_that_was_killed_once_is_no_problem_and_one_that_runs_again_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, starts = tmp_path / "problem", tmp_path / "starts"
    fails = f"echo x >> {starts}; test $(wc -l < {starts}) -gt {{}} || exit 7; exec sleep 60"
    glusterd_that(fails.format(1), tmp_path, monkeypatch)
    supervised(note, lambda: starts.exists() and len(starts.read_text().split()) == 2)
    assert not note.exists()
    starts.unlink()
    monkeypatch.setattr(daemon, "IN_VAIN_SECONDS", 1)
    glusterd_that(fails.format(daemon.IN_VAIN_STARTS), tmp_path, monkeypatch)
    seen: set[bool] = set()

    def said_and_taken_back() -> bool:
        seen.add(note.exists())
        return seen == {True, False} and not note.exists() and len(starts.read_text().split()) == 4

    supervised(note, said_and_taken_back)

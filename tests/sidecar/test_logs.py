"""Logs grow for years, and nobody but us bounds them."""

from __future__ import annotations

from pathlib import Path

from gluster_sidecar import logs


def test_a_log_that_is_too_long_begins_again_and_its_end_is_kept(tmp_path: Path) -> None:
    long, short = tmp_path / "bricks/data-brick.log", tmp_path / "cli.log"
    long.parent.mkdir()
    long.write_bytes(b"a" * 50 + b"b" * 100)
    short.write_bytes(b"x" * 100)
    with long.open("ab") as writer:  # as glusterfs has it open
        assert logs.bound(tmp_path, 100) == ["data-brick.log"]
        writer.write(b"goes on")
    assert long.read_bytes() == b"goes on"
    assert long.with_name("data-brick.log.1").read_bytes() == b"b" * 100
    assert short.read_bytes() == b"x" * 100
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["cli.log", "data-brick.log", "data-brick.log.1"]


def test_however_much_is_said_twice_as_much_is_kept_at_most(tmp_path: Path) -> None:
    file = tmp_path / "glustershd.log"
    for _ in range(20):
        with file.open("ab") as writer:
            writer.write(b"y" * 150)
        logs.bound(tmp_path, 100)
        assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 200


def test_one_that_cannot_be_bounded_does_not_keep_others_from_it(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").mkdir()
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(b"z" * 101)
    assert logs.bound(tmp_path, 100) == ["b.log"]
    assert logs.bound(tmp_path / "none", 100) == []

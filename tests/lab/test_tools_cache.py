"""Folders of the cache are whole or not there, made once, and do not pile up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.tools import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_it_is_under_the_users_cache_folder(tmp_path: Path) -> None:
    assert cache.folder("kind", "pin").parent == tmp_path / "gluster-stack"


def test_a_name_changes_with_any_content(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep/a").write_text("1")
    first = cache.digest(source, "flag")
    assert cache.digest(source, "other flag") != first
    (source / "deep/a").write_text("2")
    assert cache.digest(source, "flag") != first
    (source / "deep/a").write_text("1")
    assert cache.digest(source, "flag") == first
    (source / "deep/a").rename(source / "deep/b")
    assert cache.digest(source, "flag") != first


def test_a_name_does_not_change_with_compiled_python(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    before = cache.digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_text("x")
    assert cache.digest(tmp_path) == before


def test_texts_do_not_run_into_each_other() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")


def test_it_is_made_once() -> None:
    target, made = cache.folder("kind", "pin"), list[Path]()
    for _ in range(2):
        assert cache.obtain(target, made.append) == target
    assert len(made) == 1
    assert made[0] != target


def test_what_was_interrupted_is_not_there_and_is_begun_anew() -> None:
    target = cache.folder("kind", "pin")

    def interrupted(draft: Path) -> None:
        (draft / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.obtain(target, interrupted)
    assert not target.exists()
    cache.obtain(target, lambda draft: (draft / "whole").touch())
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from lab.tools import cache
def make(draft):
    with open(sys.argv[1], "a") as log: log.write("made\\n")
    time.sleep(0.3)
cache.obtain(cache.folder("kind", "pin"), make)
"""
    log = tmp_path / "log"
    both = [subprocess.Popen([sys.executable, "-c", program, str(log)]) for _ in range(2)]
    assert [process.wait(20) for process in both] == [0, 0]
    assert log.read_text() == "made\n"


def test_old_generations_go_and_recent_ones_stay() -> None:
    for age, pin in enumerate(["now", "day", "week"]):
        old = cache.obtain(cache.folder("kind", pin), lambda draft: None)
        os.utime(old, (0, old.stat().st_mtime - age * 2 * 24 * 3600))
    other = cache.obtain(cache.folder("kind-of", "pin"), lambda draft: None)
    os.utime(other, (0, 0))
    newest = cache.obtain(cache.folder("kind", "new"), lambda draft: None)
    left = {path for path in cache.root().iterdir() if path.name != "locks"}
    assert left == {newest, cache.folder("kind", "now"), other}


def test_use_keeps_a_generation_young() -> None:
    used = cache.obtain(cache.folder("kind", "pin"), lambda draft: None)
    os.utime(used, (0, 0))
    cache.obtain(used, lambda draft: None)
    assert used.stat().st_mtime > 0

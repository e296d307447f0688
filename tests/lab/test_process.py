"""Processes are told by pid and start time; a pid that was given to another process is left alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lab import process
from lab.process import Process, Registry
from lab.waiting import wait_for


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path, tmp_path, f"gltest{os.getpid()}")


def test_a_process_is_started_found_and_ended(registry: Registry) -> None:
    started = registry.start("sleeper", ["sleep", "60"])
    assert registry.get("sleeper") == started
    wait_for("the mark is seen", lambda: started in process.of_lab(registry.lab_id, frozenset()), 5)
    assert process.of_lab("gl000000", frozenset()) == []
    process.kill(started)
    assert registry.get("sleeper") is None
    assert registry.known("sleeper")
    assert process.of_lab(registry.lab_id, frozenset()) == []


def test_what_becomes_the_program_has_no_child_that_would_outlive_it(registry: Registry) -> None:
    started = registry.start("sleeper", ["sleep", "60"])
    root = Path(f"/proc/{started.pid}")
    wait_for("it became the program", lambda: (root / "comm").read_text() == "sleep\n", 5)
    faults_of_its_children = (root / "stat").read_text().rpartition(")")[2].split()[8]
    assert faults_of_its_children == "0", "what runs has faults; they are its parent's once waited for"
    process.kill(started)


def test_a_pid_of_another_life_is_not_touched(registry: Registry) -> None:
    started = registry.start("sleeper", ["sleep", "60"])
    earlier = Process(started.pid, started.started - 1)
    assert not process.alive(earlier)
    assert not process.send(earlier, signal.SIGKILL)
    process.kill(earlier)
    assert process.alive(started)
    process.kill(started)


def test_interrupts_are_not_ignored_by_what_is_started(registry: Registry) -> None:
    started = registry.start("sleeper", ["sleep", "60"])
    assert process.send(started, signal.SIGINT)
    wait_for("it ends", lambda: registry.get("sleeper") is None, 5)


def test_the_last_words_name_the_log(registry: Registry) -> None:
    started = registry.start("speaker", ["sh", "-c", "echo first; echo no such thing >&2; exec sleep 60"])
    wait_for("it spoke", lambda: "no such thing" in registry.last_words("speaker"), 5)
    assert str(registry.log("speaker")) in registry.last_words("speaker")
    process.kill(started)


def test_a_broken_record_is_no_process(registry: Registry) -> None:
    (registry.folder / "odd.json").write_text("{")
    assert registry.get("odd") is None

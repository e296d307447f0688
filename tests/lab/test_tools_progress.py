"""What runs for minutes is seen to run, can be stopped, and fails in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.tools import cache, progress
from lab.tools.progress import Progress, watch


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_output_comes_back_with_standard_error() -> None:
    said = list[str]()
    lines = watch(["sh", "-c", "echo a; echo b >&2"], Progress("it", said.append), log="it")
    assert lines == ["a", "b"]
    assert said == []


def test_where_nobody_sees_a_line_change_one_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TICK", 0.05)
    monkeypatch.setattr(progress, "QUIET_TICK", 0.1)
    said = list[str]()
    shown = Progress("building it", said.append)
    watch(["sh", "-c", "echo a; sleep 0.5"], shown, log="it", detail=lambda lines: f"{len(lines)} of 9")
    assert "building it: 0 s, 1 of 9" in said


def test_a_failure_shows_the_end_of_the_log_and_keeps_it_from_the_next_try() -> None:
    said = list[str]()
    with pytest.raises(LabError) as error:
        watch(["sh", "-c", "seq 100; echo reason; exit 3"], Progress("building it", said.append), log="it")
    log = cache.logs() / "it.failed.log"
    watch(["echo", "another try"], Progress("building it", said.append), log="it")
    assert str(error.value) == f"building it failed after 0 s: reason; all of it: {log}"
    assert said[progress.TAIL - 1].strip() == "reason"
    assert "1\n" in log.read_text()


def test_a_failure_without_a_word_gives_the_status() -> None:
    with pytest.raises(LabError, match="failed after 0 s: status 3"):
        watch(["sh", "-c", "exit 3"], Progress("it", print), log="it")


def test_an_interrupt_ends_the_program_and_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TICK", 0.05)
    pid = tmp_path / "pid"

    def interrupt(_: list[str]) -> str:
        if pid.exists() and pid.read_text().strip():
            raise KeyboardInterrupt
        return ""

    script = f"sleep 60 & echo $! > {pid}; wait"
    with pytest.raises(KeyboardInterrupt):
        watch(["sh", "-c", script], Progress("it", print), log="it", detail=interrupt)
    assert gone(int(pid.read_text()))


def test_a_program_does_not_outlive_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; exec sleep 60"
    program = f"""
from lab.tools.progress import Progress, watch
watch(["sh", "-c", {script!r}], Progress("it", print), log="it")
"""
    us = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    us.send_signal(signal.SIGKILL)
    us.wait()
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True  # its new parent has not looked yet
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False

"""What serves is asked, what hangs is ended, and what is not known is not believed (law 11)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gluster_sidecar import daemon, disk_probe, service
from gluster_sidecar.disk_probe import DiskProbe
from gluster_sidecar.model import Service
from gluster_sidecar.service import Kind, Part, Said, Watcher

from lab.waiting import wait_for

BRICK = Part(Kind.BRICK, 71, "71.4711.boot", "/b.socket", "/data/brick")
GLUSTERD = Part(Kind.GLUSTERD, 72, "72.4712.boot", "/g.socket")


@contextmanager
def listening(folder: Path, answer: bytes) -> Iterator[str]:
    """A socket at which every caller gets that answer, or none if it is empty."""
    path = str(folder / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            with server.accept()[0] as caller:
                caller.recv(100)
                if answer:
                    caller.sendall(answer)
                    caller.recv(100)

        thread = threading.Thread(target=serve, daemon=True)
        if answer:
            thread.start()
        yield path


def test_what_answers_is_told_from_what_listens_only_and_what_is_not_there(tmp_path: Path) -> None:
    with listening(tmp_path, b"x") as path:
        assert service.ask(path) is Said.ANSWERS
    (tmp_path / "s").unlink()
    with listening(tmp_path, b"") as path:
        assert service.ask(path, 0.1) is Said.SILENT
    assert service.ask(path, 0.1) is Said.ABSENT
    assert service.ask(str(tmp_path / "none"), 0.1) is Said.ABSENT


@dataclass
class Machine:
    """Its parts, what they say, and its clock."""

    folder: Path
    parts: list[Part] = field(default_factory=lambda: [BRICK, GLUSTERD])
    says: dict[str, Said] = field(default_factory=dict)
    disk: str = ""
    now: float = 1000.0
    asking: float = service.ASK_SECONDS
    """How long a question takes that nobody answers."""
    killed: list[int] = field(default_factory=list)

    def ask(self, path: str) -> Said:
        said = self.says.get(path, Said.ANSWERS)
        self.now += self.asking if said is Said.SILENT else 0
        return said

    def wrong(self) -> str:
        return self.disk

    def watcher(self) -> Watcher:
        (self.folder / "end").parent.mkdir(exist_ok=True)
        files = (self.folder / "bricks", self.folder / "service", self.folder / "end")
        return Watcher(lambda: self.parts, self, *files, self.ask, lambda: self.now)  # type: ignore[arg-type]

    def told(self) -> tuple[str, Service]:
        bricks, rest = ((self.folder / name).read_text() for name in ("bricks", "service"))
        return bricks.strip(), service.parse_service(rest)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setattr(os, "pidfd_open", lambda pid: os.open("/dev/null", os.O_RDONLY) if pid else 0)
    named = {part.pid: part.process for part in (BRICK, GLUSTERD)}
    monkeypatch.setattr(service, "process_of", lambda pid, boot: named[pid])

    def kill(handle: int, number: signal.Signals) -> None:
        assert number is signal.SIGKILL
        machine.killed.append(handle)

    monkeypatch.setattr(signal, "pidfd_send_signal", kill)
    return machine


def turns(machine: Machine, watcher: Watcher, seconds: float) -> None:
    end = machine.now + seconds
    while machine.now < end:
        watcher.turn()
        machine.now += service.TURN_SECONDS


def test_a_brick_that_answers_serves(machine: Machine) -> None:
    turns(machine, machine.watcher(), 100)
    assert machine.told() == ("71.4711.boot /data/brick", Service(healer=False))
    assert not machine.killed


def test_a_brick_that_answers_nobody_serves_nobody_and_is_ended(machine: Machine) -> None:
    watcher = machine.watcher()
    turns(machine, watcher, 10)
    machine.says["/b.socket"] = Said.SILENT
    watcher.turn()
    machine.now += service.AGAIN_SECONDS
    watcher.turn()
    assert machine.told()[0], "it may go on, and is then the same copy"
    assert machine.told()[1].silent == {"/data/brick"}
    assert not machine.killed
    turns(machine, watcher, service.HUNG_SECONDS[Kind.BRICK])
    assert machine.killed
    assert machine.told()[0] == ""
    assert "brick /data/brick did not answer for 60 s: it was killed" in machine.told()[1].ended[-1]


def test_a_process_that_answers_once_between_has_not_hung(machine: Machine) -> None:
    watcher = machine.watcher()
    for said in (Said.SILENT, Said.ANSWERS) * 6:
        machine.says["/b.socket"] = said
        machine.now += service.AGAIN_SECONDS
        watcher.turn()
    assert not machine.killed


def test_a_machine_that_stood_still_is_asked_once_more(machine: Machine) -> None:
    """All of its processes did, too."""
    watcher = machine.watcher()
    machine.says["/b.socket"], machine.asking = Said.SILENT, 1000
    watcher.turn()
    assert not machine.killed
    machine.says["/b.socket"] = Said.ANSWERS
    watcher.turn()
    assert not machine.killed


def test_a_brick_that_has_just_been_started_is_waited_for(machine: Machine) -> None:
    machine.says["/b.socket"] = Said.ABSENT
    turns(machine, machine.watcher(), 500)
    assert machine.told() == ("", Service(healer=False))
    assert not machine.killed


def test_on_a_disk_that_hangs_nothing_is_ended_unless_the_sidecar_says_so(machine: Machine) -> None:
    watcher = machine.watcher()
    watcher.turn()
    machine.disk = "the disk hangs"
    machine.says = {"/b.socket": Said.SILENT, "/g.socket": Said.SILENT}
    turns(machine, watcher, 500)
    assert not machine.killed
    assert machine.told()[1] == Service(frozenset({"/data/brick"}), True, "the disk hangs", False)
    (machine.folder / "end").write_text("71.4000.boot")  # an earlier start of the brick
    watcher.turn()
    assert not machine.killed
    (machine.folder / "end").write_text(BRICK.process)
    watcher.turn()
    assert len(machine.killed) == 1
    assert not (machine.folder / "end").exists()
    assert not machine.told()[1].may_end
    machine.now += service.TAKE_OUT_SECONDS
    watcher.turn()
    assert machine.told()[1].may_end


def test_a_brick_whose_disk_has_come_back_is_not_ended(machine: Machine) -> None:
    (machine.folder / "end").write_text(BRICK.process)
    machine.watcher().turn()
    assert not machine.killed
    assert not (machine.folder / "end").exists()


def test_what_has_never_answered_may_take_long_to_start(machine: Machine) -> None:
    """A glusterd whose names nobody resolves looks them up one after the other."""
    machine.says["/g.socket"] = Said.SILENT
    watcher = machine.watcher()
    turns(machine, watcher, 2 * service.HUNG_SECONDS[Kind.GLUSTERD])
    assert not machine.killed
    turns(machine, watcher, service.STARTING_SECONDS)
    assert machine.killed


def test_another_process_with_the_same_number_is_not_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "process_of", lambda pid, boot: f"{pid}.9999.{boot}")
    machine.says["/b.socket"] = Said.SILENT
    turns(machine, machine.watcher(), 100)
    assert not machine.killed


def test_what_nobody_keeps_up_is_taken_back(machine: Machine) -> None:
    watcher = machine.watcher()
    watcher.turn()
    machine.now += service.STALE_SECONDS / 2
    watcher.distrust_if_stale()
    assert machine.told()[0]
    machine.now += service.STALE_SECONDS
    watcher.distrust_if_stale()
    assert not (machine.folder / "bricks").exists()
    assert not (machine.folder / "service").exists()
    watcher.turn()
    assert machine.told()[0]


def test_a_disk_that_takes_a_write_too_long_says_so_while_it_lasts(tmp_path: Path) -> None:
    now, stop, in_it, may_end = [0.0], threading.Event(), threading.Event(), threading.Event()

    class Slow(DiskProbe):
        def write(self) -> None:
            DiskProbe.write(self)
            in_it.set()
            may_end.wait(30)

    disk = Slow(tmp_path / "probe", lambda: now[0])
    thread = threading.Thread(target=disk.run, args=(stop,))
    thread.start()
    assert in_it.wait(30)
    assert disk.wrong() == ""
    now[0] = disk_probe.DISK_SECONDS + 1
    assert "has not taken a synced write" in disk.wrong()
    stop.set()
    may_end.set()
    thread.join()
    assert disk.wrong() == ""


@pytest.mark.parametrize(("error", "told"), [(5, "Input/output error"), (28, "")], ids=["EIO", "full"])
def test_a_disk_that_refuses_writes_is_told_unless_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, told: str
) -> None:
    stop = threading.Event()

    class Broken(DiskProbe):
        writes = 0

        def write(self) -> None:
            self.writes += 1
            if self.writes == 2:
                stop.set()
            else:
                assert self.wrong() == "", "one alone may be an accident"
            raise OSError(error, os.strerror(error))

    monkeypatch.setattr(disk_probe, "WRITE_SECONDS", 0)
    disk = Broken(tmp_path / "probe")
    disk.run(stop)
    assert told in disk.wrong()
    assert bool(told) == bool(disk.wrong())


def test_a_thread_that_fails_begins_again_and_what_it_told_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "RESTART_SECONDS", 0)
    stop, told, times = threading.Event(), tmp_path / "told", list[bool]()

    def fails(stop: threading.Event) -> None:
        times.append(told.exists())
        told.touch()
        if len(times) < 3:
            raise ValueError("nobody thought of that")
        stop.wait()

    daemon.keep_on("it", fails, stop, lambda: told.unlink(missing_ok=True))
    wait_for("it ran for the third time", lambda: len(times) == 3, 30)
    stop.set()
    assert times == [False, False, False]


def test_a_glusterd_that_does_not_end_when_it_is_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "END_SECONDS", 0.1)
    child = subprocess.Popen(["sleep", "600"])
    os.kill(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    daemon.end(child)
    assert child.returncode == -signal.SIGKILL

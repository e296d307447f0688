"""`python3 -m gluster_sidecar.daemon`: starts glusterd on the node's disk and keeps it running.

Runs under a reaping init (tini): glusterd does not reap, and a killed brick that stays a zombie
looks alive to it (facts/gluster). glusterd's state and the brick are on the same disk. What it
checks before glusterd may write anything:
- the disk is a mount of its own (law 6: a missing mount is a stop, not an empty brick);
- the disk is this node's and no other's, by a note left on it the first time.
What it does when glusterd cannot start with what it left itself: state.py.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from . import evidence, logs, service
from .contract import BRICK_PORT_FIRST, BRICK_PORT_LAST, DATA_CONTAINER, MemberKey, host_name
from .disk import file_system_at, writable
from .disk_probe import DiskProbe
from .errors import SettingsError, SidecarError
from .run_files import PROBLEM_FILE, RESTART_FILE, START_FILE
from .settings import Identity, Settings
from .state import mend_state

log = logging.getLogger("gluster_sidecar.daemon")

STATE: Final = Path("/var/lib/glusterd")
"""Where glusterd and its helpers look for their state; some of them cannot be told another place."""
PACKAGED_STATE: Final = Path("/usr/share/gluster-stack/glusterd.d")
"""Option groups and hook scripts of the package, copied to each new disk."""
CONFIGURATION: Final = Path("/etc/glusterfs/glusterd.vol")
NAMES_SECONDS: Final = 30
"""How long a disk with state waits for the sidecar's names before it starts without: a cluster whose
Kubernetes is away must still serve."""
GLUSTERD_SOCKET: Final = "/run/glusterd.socket"
PROBE: Final = "gluster-health"
"""File at the root of the disk that is written to see whether the disk takes writes."""
RESTART_SECONDS: Final = 3
END_SECONDS: Final = 20
"""How long glusterd may take to end when it is asked to."""
IN_VAIN_SECONDS: Final = 10
"""A glusterd that ends within this time has not started: it refuses its disk or its configuration."""
IN_VAIN_STARTS: Final = 3
"""So many in a row are no accident."""


class DiskError(SidecarError):
    """The disk is not what glusterd may start on."""


def mount_type(mountinfo: str, directory: str) -> str | None:
    """The file system mounted at exactly `directory`, by the text of /proc/self/mountinfo; None if
    nothing is mounted there."""
    found = file_system_at(mountinfo, directory)
    return found[0] if found else None


def check_disk(disk: Path, owner: Mapping[str, object], mountinfo: str) -> None:
    """Raises DiskError unless `disk` is a mount that belongs to `owner`; notes the owner on a blank disk."""
    if mount_type(mountinfo, str(disk)) in (None, "overlay", "tmpfs"):
        raise DiskError(f"{disk} is not the mount of a disk: glusterd does not start on an empty folder")
    if not writable(str(disk), mountinfo):
        raise DiskError(f"{disk} is read-only: see the machine's log, mend the disk and delete this pod")
    note = disk / "gluster-node.json"
    if note.exists():
        found = json.loads(note.read_text())
        if found != dict(owner):
            raise DiskError(f"{disk} is the disk of {found}, not of {dict(owner)}: nothing on it is touched")
        return
    strange = sorted(entry.name for entry in disk.iterdir() if entry.name != "lost+found")
    if strange:
        raise DiskError(
            f"{disk} is not blank and not ours, it holds {', '.join(strange[:5])}: nothing is touched"
        )
    draft = note.with_suffix(".new")
    draft.write_text(json.dumps(dict(owner)))
    with draft.open() as handle:
        os.fsync(handle.fileno())
    draft.rename(note)


def place_state(disk: Path) -> Path:
    """Makes `STATE` lead to the disk, seeded from the package; returns the place on the disk."""
    state = disk / "glusterd"
    if not state.exists():
        draft = disk / "glusterd.new"
        shutil.rmtree(draft, ignore_errors=True)  # a copy that an earlier start did not finish
        shutil.copytree(PACKAGED_STATE, draft, symlinks=True)
        (draft / "glusterd.info").unlink(missing_ok=True)
        draft.rename(state)
    if not STATE.is_symlink():
        shutil.rmtree(STATE, ignore_errors=True)
        STATE.symlink_to(state)
    return state


def configuration() -> str:
    """glusterd.vol: as packaged, with the bricks' ports in our small range."""
    return (
        "volume management\n"
        "    type mgmt/glusterd\n"
        f"    option working-directory {STATE}\n"
        "    option transport-type socket\n"
        "    option transport.socket.keepalive-time 10\n"
        "    option transport.socket.keepalive-interval 2\n"
        # A command that is on its way to a machine whose power is cut holds the volume's lock until the
        # connection is given up: without this for up to 15 minutes, as TCP tries to send again. Seconds.
        "    option transport.tcp-user-timeout 10\n"
        "    option transport.socket.read-fail-log off\n"
        "    option ping-timeout 0\n"
        "    option event-threads 1\n"
        f"    option base-port {BRICK_PORT_FIRST}\n"
        f"    option max-port {BRICK_PORT_LAST}\n"
        "end-volume\n"
    )


def has_identity(state: Path) -> bool:
    info = state / "glusterd.info"
    return info.exists() and "UUID=" in info.read_text()


def await_start(state: Path, start_file: Path, stop: threading.Event) -> None:
    """Waits for the sidecar's word. A blank disk waits for ever: whether it is a known node's, and
    so gets its old UUID back, only the sidecar can tell (law 2)."""
    waited = 0.0
    while not start_file.exists() and not stop.is_set():
        if has_identity(state) and waited >= NAMES_SECONDS:
            log.warning(
                "no word from the sidecar for %d s: starts with the names it can resolve", NAMES_SECONDS
            )
            return
        stop.wait(0.2)
        waited += 0.2
    if stop.is_set() or has_identity(state):
        return
    known = json.loads(start_file.read_text())
    if uuid := known[MemberKey.UUID]:
        log.info("the blank disk of a known node gets its UUID %s back", uuid)
        version = known[MemberKey.OP_VERSION]
        works_at = f"operating-version={version}\n" if version else ""
        (state / "glusterd.info").write_text(f"UUID={uuid}\n{works_at}")


def note_ended(file: Path) -> None:
    """Answers the sidecar's request for a start of glusterd, if there is one: what ran before has ended.

    Not sooner: until then the sidecar must take no answer for one of the glusterd that is started.
    """
    with contextlib.suppress(FileNotFoundError):
        file.replace(file.with_suffix(".done"))  # keeps the time at which it was asked


@dataclass(slots=True)
class Running:
    """The glusterd that runs now, for those who ask whether it serves."""

    child: subprocess.Popen[bytes] | None = None

    def parts(self) -> list[service.Part]:
        """It and what it has started."""
        found, child = service.parts(), self.child
        if child is not None and child.poll() is None:
            with contextlib.suppress(OSError):
                boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
                process = service.process_of(child.pid, boot)
                found.append(service.Part(service.Kind.GLUSTERD, child.pid, process, GLUSTERD_SOCKET))
        return found


def end(child: subprocess.Popen[bytes]) -> None:
    """One that hangs does not end when it is asked to."""
    child.terminate()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("glusterd did not end within %d s of being asked: it is killed", END_SECONDS)
        child.kill()
        child.wait()


def supervise(
    stop: threading.Event,
    restart_file: Path,
    note: Path,
    mend: Callable[[], None],
    running: Running,
    watch: Callable[[], None],
) -> None:
    """Runs glusterd until `stop`; starts it again when it ends by itself, or when the sidecar asks.

    Bricks are processes of their own and go on meanwhile; glusterd starts those that do not run. One that
    ends each time as soon as it is started is tried again all the same, after `mend`, and said in `note`.
    `watch` is called all the time.
    """
    in_vain = 0
    while not stop.is_set():
        if in_vain:
            mend()
        note_ended(restart_file)
        child, began = subprocess.Popen(["glusterd", "-N", "--log-level=INFO", "-l", "-"]), time.monotonic()
        running.child = child
        asked = False
        while child.poll() is None and not stop.wait(0.5) and not asked:
            asked = restart_file.exists()
            watch()
            if in_vain and time.monotonic() - began > IN_VAIN_SECONDS:
                in_vain = 0
                note.unlink(missing_ok=True)
        if child.poll() is None:
            end(child)
            log.info("glusterd ended as %s", "the sidecar asked: starts it again" if asked else "asked")
        elif not stop.is_set():
            in_vain = in_vain + 1 if time.monotonic() - began <= IN_VAIN_SECONDS else 0
            log.error("glusterd ended with %s; starts it again", child.returncode)
            if in_vain >= IN_VAIN_STARTS:
                note.write_text(
                    f"glusterd ends as soon as it is started (exit code {child.returncode}): the reason is in"
                    f" the log of this pod's container {DATA_CONTAINER}; if the image's glusterfs is older"
                    " than what the disk has seen, go back to the newer image"
                )
            stop.wait(RESTART_SECONDS)


def keep_on(
    name: str, run: Callable[[threading.Event], None], stop: threading.Event, forget: Callable[[], None]
) -> None:
    """Runs `run` in a thread. An error that nobody thought of must not end it unseen: by `forget` what it
    told is taken back, and it begins again. It must not end the daemon either, and the bricks with it."""

    def persist() -> None:
        while not stop.is_set():
            try:
                run(stop)
            except Exception:
                log.exception("%s: begins again", name)
                forget()
                stop.wait(RESTART_SECONDS)

    threading.Thread(target=persist, name=name, daemon=True).start()


def main() -> int:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    stop, note = threading.Event(), Path(PROBLEM_FILE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings, identity = Settings.from_env(os.environ), Identity.from_env(os.environ)
        disk = Path(settings.disk)
        owner = {"cluster": settings.cluster_name, "namespace": settings.namespace, "node": identity.node}
        check_disk(disk, owner, Path("/proc/self/mountinfo").read_text())
        state = place_state(disk)
    except SettingsError as error:
        for problem in error.problems:
            print(f"gluster daemon: {problem}", file=sys.stderr)
        return 2
    except (SidecarError, OSError) as error:
        # Kept until the next start of this container, so that the sidecar can say it too.
        note.parent.mkdir(exist_ok=True)
        note.write_text(str(error))
        print(f"gluster daemon: {error}", file=sys.stderr)
        return 1
    note.unlink(missing_ok=True)
    CONFIGURATION.write_text(configuration())
    await_start(state, Path(START_FILE), stop)
    mend = partial(mend_state, state, host_name(identity.node, settings.namespace))
    running = Running()
    probe = DiskProbe(disk / PROBE)
    watcher = service.Watcher(running.parts, probe)
    teller = evidence.Teller(lambda: service.running_bricks(service.parts()))
    # Each beside glusterd: a disk that hangs must not keep it from being supervised.
    keep_on("what serves", watcher.run, stop, watcher.take_back)
    keep_on("the disk", probe.run, stop, lambda: None)  # while it does not run, the disk counts as hanging
    keep_on("what the bricks blame", teller.run, stop, lambda: teller.file.unlink(missing_ok=True))
    logs.keep_bounded(stop)
    supervise(stop, Path(RESTART_FILE), note, mend, running, watcher.distrust_if_stale)
    return 0


if __name__ == "__main__":
    sys.exit(main())

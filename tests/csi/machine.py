"""One machine as the driver sees it, with the image's own programs: glusterd, FUSE, holder, plugin.

A mount, process and network namespace over the image's root file system; no Kubernetes, so the test
plays the kubelet and the containers. What it does not imitate: propagation between the mount namespaces
of two pods (the lab has it); here holder and machine are one, and a "container" is a namespace of its
own that gets mounts from it. All of it is shared, as runc makes the root of a container that has a
Bidirectional mount.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gluster_sidecar
from gluster_sidecar.contract import driver_folder, driver_name

from lab import rootfs

PODS: Final = "/var/lib/kubelet/pods"
SOCKET: Final = f"{driver_folder('default')}/csi.sock"
SECONDS: Final = 60

INIT: Final = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {folder}
mkdir {folder}/upper {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir={rootfs},upperdir={folder}/upper,workdir={folder}/work {folder}/root
cd {folder}/root
mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys
mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs tmp
mkdir -p data var/lib/kubelet/pods var/lib/kubelet/plugins_registry src
truncate -s 600M {folder}/disk.img; mkfs.ext4 -q {folder}/disk.img; mount -o loop {folder}/disk.img data
mount --bind {package} usr/lib/python3/dist-packages/gluster_sidecar
mount -t tmpfs kubelet var/lib/kubelet; mkdir -p var/lib/kubelet/pods var/lib/kubelet/plugins_registry
ip link set lo up
echo "127.0.0.1 localhost member" > etc/hosts
mkdir -p old; pivot_root . old
exec /bin/bash -c '
umount -l /old; mount --make-rshared /
mkdir -p /run/gluster /var/log/glusterfs/bricks
glusterd
export GLUSTER_CSI_MACHINE=kn1 PYTHONDONTWRITEBYTECODE=1
again() {{ while :; do [ -e /run/go-$1 ] && (echo $BASHPID >/run/$1.pid; exec "${{@:2}}"); sleep 0.1; done; }}
again plugin python3 -m gluster_sidecar.csi.plugin >>/run/plugin.log 2>&1 &
again holder python3 -c "$HOLDER" >>/run/holder.log 2>&1 &
while :; do wait -n || sleep 0.2; done'
"""

HOLDER: Final = """
import logging, pathlib, signal, sys, threading
from gluster_sidecar import contract
from gluster_sidecar.csi import hold
from gluster_sidecar.csi.holder import Holder
from gluster_sidecar.csi.record import Record
logging.basicConfig(stream=sys.stderr, level=logging.INFO)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
folder = pathlib.Path(contract.driver_folder("default"))
folder.mkdir(parents=True, exist_ok=True)
record = Record(folder / "published.json")
holder = Holder(hold.PLACE, hold.LOGS, record, lambda: ["member"], contract.KUBELET_FOLDER)
hold.hold(holder, folder, stop)
"""
"""`gluster_sidecar.csi.hold` without an API server to ask for addresses."""


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {SECONDS} s: {what}"
        time.sleep(0.05)


@dataclass
class Container:
    """A mount namespace that got a target's mount, as a container gets it from its runtime."""

    machine: Machine
    process: subprocess.Popen[bytes]

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        return self.machine.enter(self.pid(), script)

    def pid(self) -> int:
        """Of the process inside; nsenter is its parent."""
        return _child(_child(self.process.pid))

    def runs(self) -> bool:
        try:
            return Path(f"/proc/{self.pid()}/comm").read_text() == "sleep\n"
        except (OSError, IndexError):
            assert self.process.poll() is None, "the container ended"
            return False

    def stop(self) -> None:
        os.kill(self.pid(), signal.SIGKILL)
        self.process.wait()


class Machine:
    def __init__(self, folder: Path, rootfs: Path, package: Path) -> None:
        self._unshare = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("bash", "-c", INIT.format(folder=folder, rootfs=rootfs, package=package)),
            ],
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOLDER": HOLDER},
        )
        try:
            self._set_up()
        except BaseException:
            self.stop()
            raise

    def _set_up(self) -> None:
        wait_for("glusterd answers", lambda: self._ok("gluster --timeout=5 --mode=script pool list"))
        self.shell(
            "gluster --mode=script volume create data member:/data/brick"
            " && gluster --mode=script volume start data"
        )
        self.start_holder()
        self.start_plugin()

    def init(self) -> int:
        """Process id of its PID 1."""
        return _child(self._unshare.pid)

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.init()}/root")

    @property
    def socket(self) -> Path:
        return Path(f"{self.root}{SOCKET}")

    def enter(self, pid: int, script: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "-t", str(pid), "--mount", "--net", "--pid", "--root", "sh", "-c", f"cd /; {script}"],
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )

    def shell(self, script: str) -> str:
        done = self.enter(self.init(), script)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def _ok(self, script: str) -> bool:
        try:
            return self.enter(self.init(), script).returncode == 0
        except (IndexError, OSError):
            assert self._unshare.poll() is None, "the machine ended"
            return False

    # -- the driver's two halves

    def start_holder(self) -> None:
        self.shell("touch /run/go-holder")
        wait_for("the holder answers", lambda: self._ok(f"{ASK.format(folder=driver_folder('default'))}"))

    def start_plugin(self) -> None:
        self.shell("touch /run/go-plugin")
        registry = f"/var/lib/kubelet/plugins_registry/{driver_name('default')}-reg.sock"
        wait_for("the plugin serves", lambda: self._ok(f"test -S {registry} && test -S {SOCKET}"))

    def kill_holder(self) -> None:
        """With all that it started, as the end of its container would; it stays away."""
        self.shell("rm /run/go-holder; kill -9 $(cat /run/holder.pid)")

        def ended() -> bool:
            self.kill_clients()  # one that it was just starting has its name a moment later
            return self.clients() == []

        wait_for("what it started ends with it", ended)

    def end_holder(self) -> None:
        """As the end of its pod, or of its machine, begins; it stays away."""
        self.shell("rm /run/go-holder; kill -TERM $(cat /run/holder.pid)")

    def holder_runs(self) -> bool:
        return self._ok("grep -q '^State:.[RSD]' /proc/$(cat /run/holder.pid)/status")

    def kill_clients(self) -> None:
        self.shell("kill -9 $(pgrep -x -r S,R,D glusterfs) || true")

    def kill_plugin(self) -> None:
        """A new one is started at once."""
        self.shell(f"rm {SOCKET}; kill -9 $(cat /run/plugin.pid)")
        self.start_plugin()

    def clients(self) -> list[str]:
        """Process ids of the FUSE clients: the one brick has no self-heal daemon of that name."""
        return self.enter(self.init(), "pgrep -x -r S,R,D glusterfs").stdout.split()

    def log(self) -> str:
        return self.shell("tail -n 40 /run/holder.log /run/plugin.log")

    # -- what a kubelet and a runtime do

    def target(self, pod: str) -> str:
        folder = f"{PODS}/{pod}/volumes/kubernetes.io~csi/pv"
        self.shell(f"mkdir -p {folder}")
        return f"{folder}/mount"

    def container(self, target: str, *, propagation: str) -> Container:
        """`propagation`: rslave as HostToContainer, rprivate as None."""
        script = (
            f"cd /; mkdir -p /mnt/volume; mount --make-rslave /; mount --rbind {target} /mnt/volume;"
            f"mount --make-{propagation} /mnt/volume; exec sleep infinity"
        )
        process = subprocess.Popen(
            [
                *("nsenter", "-t", str(self.init()), "--mount", "--net", "--pid", "--root"),
                # With processes of its own, as any container: the holder sees them, being the machine's.
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "unchanged"),
                *("sh", "-c", script),
            ],
            stdin=subprocess.DEVNULL,
        )
        made = Container(self, process)
        wait_for("the container runs", made.runs)
        return made

    def stop(self) -> None:
        self._unshare.kill()
        self._unshare.wait()


ASK: Final = """python3 -c 'import pathlib; from gluster_sidecar.csi import link
link.call(pathlib.Path("{folder}") / link.SOCKET, "ping")'"""


@contextmanager
def running() -> Iterator[Machine]:
    """A machine of the shipped image with this checkout's sidecar; gone at the end. Raises LabError."""
    image = rootfs.image()
    folder = Path(tempfile.mkdtemp(prefix="gcsi-"))
    made = Machine(folder, image, Path(gluster_sidecar.__file__).parent)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def _child(pid: int) -> int:
    """Raises IndexError while there is none."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def available() -> str:
    """Why this cannot run here; empty if it can."""
    missing = [tool for tool in ("unshare", "nsenter", "pivot_root", "mkfs.ext4") if not shutil.which(tool)]
    return f"needs {', '.join(missing)}" if missing else ""

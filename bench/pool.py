"""Four storage machines and a client's, as network namespaces on this machine, with the image's programs.

The daemons are configured as shipped; no sidecar turns an option back, so that volumes with and without
a profile stand side by side in one run. All share this machine's cores and disk, and its network costs
nothing: ratios say more than rates.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gluster_sidecar.run_files import START_FILE

ROOT: Final = Path(__file__).resolve().parents[1]
SERVERS: Final = (1, 2, 3, 4)
CLIENT: Final = 9
DISK_SIZE: Final = "6G"
REPLICAS: Final = 2

INIT: Final = """
set -e
mount --make-rprivate /
cd {folder}
mkdir -p upper work root
mount -t overlay overlay -o lowerdir={rootfs},upperdir=upper,workdir=work root
cd root
mkdir -p data
[ ! -e {folder}/disk.img ] || mount -o loop {folder}/disk.img data
mount --rbind /dev dev; mount -t proc proc proc; mount -t tmpfs tmpfs run
mount --bind {package} usr/lib/python3/dist-packages/gluster_sidecar
mount --bind {folder}/hosts etc/hosts
mkdir -p run/gluster $(dirname .{start})
echo '{{"uuid": ""}}' > .{start}
export PYTHONDONTWRITEBYTECODE=1 GLUSTER_SIDECAR_NODE_NUMBER={number} GLUSTER_SIDECAR_POD_NAME=bench
exec chroot . /usr/bin/tini -g -- {command}
"""
DAEMON: Final = "python3 -m gluster_sidecar.daemon"


def run(*command: str, text: str | None = None, seconds: float = 300) -> str:
    """Standard output; raises CalledProcessError with standard error in its notes."""
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, timeout=seconds
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.stdout[-2000:] + error.stderr[-2000:])
        raise


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 90) -> None:
    """Raises TimeoutError with `what` if `condition` does not hold within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


@dataclass
class Pool:
    folder: Path
    image: Path
    """The product's image as a folder."""
    name: str = field(default_factory=lambda: f"gb{secrets.token_hex(2)}")
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        hub = f"{self.name}-0"
        run("ip", "netns", "add", hub)
        run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", hub, "link", "set", "br0", "up")
        for number in (*SERVERS, CLIENT):
            self._start(number)
        for number in SERVERS:
            wait_for(f"glusterd of s{number}", lambda n=number: self._answers(n))  # type: ignore[misc]
        for number in SERVERS[1:]:
            self.gluster("peer", "probe", f"s{number}")
        for number in SERVERS:
            wait_for(f"the pool as s{number} sees it", lambda n=number: self._has_all(n))  # type: ignore[misc]

    def _start(self, number: int) -> None:
        folder, netns = self.folder / f"n{number}", f"{self.name}-{number}"
        folder.mkdir()
        if number in SERVERS:
            run("truncate", "-s", DISK_SIZE, f"{folder}/disk.img")
            run("mkfs.ext4", "-q", "-F", f"{folder}/disk.img")
        run("ip", "netns", "add", netns)
        # fmt: off
        run("ip", "-n", f"{self.name}-0", "link", "add", f"v{number}", "type", "veth",
            "peer", "name", "eth0", "netns", netns)
        # fmt: on
        self.plug(number, True)
        run("ip", "-n", f"{self.name}-0", "link", "set", f"v{number}", "master", "br0")
        run("ip", "-n", netns, "addr", "add", f"10.9.1.{number}/24", "dev", "eth0")
        run("ip", "-n", netns, "link", "set", "lo", "up")
        run("ip", "-n", netns, "link", "set", "eth0", "up")
        names = "".join(f"10.9.1.{n}\ts{n}\n" for n in SERVERS)
        (folder / "hosts").write_text(f"127.0.0.1\tlocalhost\n{names}")
        script = INIT.format(
            folder=folder,
            rootfs=self.image,
            package=ROOT / "sidecar/gluster_sidecar",
            start=START_FILE,
            number=number,
            command=DAEMON if number in SERVERS else "sleep infinity",
        )
        with (folder / "init.log").open("ab") as log:
            namespaces = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
            self.processes[number] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{netns}", "unshare", *namespaces, "bash", "-c", script],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        for line in run("ip", "netns", "list").splitlines():
            if line.startswith(f"{self.name}-"):
                run("ip", "netns", "del", line.split()[0])

    def plug(self, number: int, on: bool) -> None:
        """Puts a machine's network cable in, or pulls it: no connection is closed in an orderly way."""
        run("ip", "-n", f"{self.name}-0", "link", "set", f"v{number}", "up" if on else "down")

    # -- what runs on the machines ---------------------------------------------------------------------

    def pid(self, number: int) -> int:
        """Of a machine's PID 1, by which its files are at /proc/PID/root."""
        return int(run("pgrep", "-P", str(self.processes[number].pid)).split()[0])

    def inside(self, number: int, *command: str, text: str | None = None) -> str:
        spaces = ("--mount", "--net", "--pid", "--root", "--wd=/")
        return run("nsenter", "-t", str(self.pid(number)), *spaces, *command, text=text)

    def _answers(self, number: int) -> bool:
        try:
            return "localhost" in self.inside(number, "gluster", "--mode=script", "pool", "list")
        except (subprocess.CalledProcessError, IndexError):
            return False

    def _has_all(self, number: int) -> bool:
        status = self.inside(number, "gluster", "--mode=script", "peer", "status")
        return status.count("Peer in Cluster (Connected)") == len(SERVERS) - 1

    def gluster(self, *words: str) -> str:
        return self.inside(SERVERS[0], "gluster", "--mode=script", *words)

    def create(self, volume: str, options: Mapping[str, str]) -> None:
        """A started volume of two sets of two copies. Options before the start: no client has others."""
        bricks = [f"s{n}:/data/{volume}" for n in SERVERS]
        self.gluster("volume", "create", volume, "replica", str(REPLICAS), *bricks, "force")
        for key, value in options.items():
            self.gluster("volume", "set", volume, key, value)
        self.gluster("volume", "start", volume)

    @contextmanager
    def mounted(self, volume: str, place: str = "", *options: str) -> Iterator[str]:
        """A new client's mount by hand, on the client's machine: its path there."""
        point = f"/mnt/{place or volume}"
        said = "".join(f",{option}" for option in options)
        command = ("mount", "-t", "glusterfs", "-o", f"log-level=WARNING{said}", f"s1:/{volume}", point)
        self.inside(CLIENT, "mkdir", "-p", point)
        self.inside(CLIENT, *command)
        try:
            yield point
        finally:
            self.inside(CLIENT, "umount", point)

    def seen_from_here(self, path: str) -> str:
        """A path of the client's machine, for programs of this one."""
        return f"/proc/{self.pid(CLIENT)}/root{path}"

    def files(self, script: Path, *words: str) -> dict[str, float]:
        """What a Python script that runs on the client's machine prints as JSON."""
        found: dict[str, float] = json.loads(
            self.inside(CLIENT, "python3", "-", *words, text=script.read_text())
        )
        return found

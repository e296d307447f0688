"""`python3 -m gluster_sidecar.sample_app`: an application that keeps its files on the volume.

Mounts the volume inside its own container (nothing can leak to the machine and no other pod can
be hurt), writes one line a second to a file named after the pod, and reads it back. `--check` is its probe.
Never writes unless the path is a mount of the volume: the folder beneath must stay empty.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .contract import host_name
from .daemon import mount_type
from .errors import SettingsError, SidecarError
from .settings import Settings

log = logging.getLogger("gluster_sidecar.sample_app")

MOUNT: Final = Path("/mnt/glusterfs")
FUSE_TYPE: Final = "fuse.glusterfs"
CHECK_SECONDS: Final = 60


class MountError(SidecarError):
    """The volume is not mounted and could not be."""


def mounted() -> bool:
    return mount_type(Path("/proc/self/mountinfo").read_text(), str(MOUNT)) == FUSE_TYPE


def mount(settings: Settings) -> None:
    """Mounts the volume from whichever member answers. Raises MountError."""
    server = f"{settings.cluster_name}.{settings.namespace}.svc.cluster.local"
    MOUNT.mkdir(parents=True, exist_ok=True)
    # The Service's name stands for every member with a running brick; the first nodes by name are
    # asked when the one it resolved to has just died.
    backup = ":".join(host_name(node, settings.namespace) for node in (1, 2))
    options = f"backup-volfile-servers={backup},log-level=WARNING,_netdev"
    command = ["mount", "-t", "glusterfs", "-o", options, f"{server}:/{settings.volume_name}", str(MOUNT)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0 or not mounted():
        raise MountError(
            f"{server}:/{settings.volume_name} cannot be mounted: {(done.stderr or done.stdout).strip()}"
        )


def work(stop: threading.Event) -> None:
    """Appends a line a second and checks that the last one can be read."""
    file = MOUNT / f"{os.uname().nodename}.log"
    log.info("writes %s", file)
    while not stop.wait(1):
        line = f"{datetime.now(UTC).isoformat()}\n"  # noqa: TID251
        try:
            with file.open("a+") as handle:
                handle.write(line)
                handle.flush()
                os.fsync(handle.fileno())
            if not file.read_text().endswith(line):
                log.error("%s does not end with what was written", file)
        except OSError as error:
            log.error("%s: %s", file, error)


def check() -> int:
    """Exit code 0 if the volume is mounted and answers."""
    if not mounted():
        print(f"{MOUNT} is not a mount of the volume", file=sys.stderr)
        return 1
    # In a process of its own, for a call into a dead mount may hang.
    done = subprocess.run(["stat", "-f", str(MOUNT)], capture_output=True, text=True, timeout=CHECK_SECONDS)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="sample_app", description=__doc__)
    parser.add_argument("--check", action="store_true", help="is the volume mounted and alive?")
    if parser.parse_args().check:
        return check()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        mount(Settings.from_env(os.environ))
    except SettingsError as error:
        for problem in error.problems:
            print(f"sample app: {problem}", file=sys.stderr)
        return 2
    except SidecarError as error:
        print(f"sample app: {error}", file=sys.stderr)
        return 1
    try:
        work(stop)
    finally:
        subprocess.run(["umount", "-l", str(MOUNT)], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python3 -m gluster_sidecar.sample_app`: an application that keeps its files on the volume.

Knows nothing of GlusterFS: its pod names a claim, and the volume is at /mnt/glusterfs. Writes one line a
second to a file named after the pod, and reads it back. `--check` is its probe, for a person to copy: it
fails while the folder is not the volume, or does not answer.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from . import filesystem
from .daemon import mount_type

log = logging.getLogger("gluster_sidecar.sample_app")

MOUNT: Final = Path("/mnt/glusterfs")
FUSE_TYPE: Final = "fuse.glusterfs"
CHECK_SECONDS: Final = 30


def mounted() -> bool:
    return mount_type(Path("/proc/self/mountinfo").read_text(), str(MOUNT)) == FUSE_TYPE


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
            # No reason to end: the client comes back, and the same path is whole again.
            log.error("%s: %s", file, error)


def check() -> int:
    """Exit code 0 if the volume is mounted and answers."""
    if not mounted():
        print(f"{MOUNT} is not a mount of the volume", file=sys.stderr)
        return 1
    # The kubelet comes again and again: what a check from before left behind keeps the next one away.
    try:
        filesystem.ask(str(MOUNT), CHECK_SECONDS, MOUNT.parent)
    except filesystem.Unavailable as error:
        print(f"{MOUNT}: {error}", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="sample_app", description=__doc__)
    parser.add_argument("--check", action="store_true", help="is the volume mounted and alive?")
    if parser.parse_args().check:
        return check()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if not mounted():
        # Never writes into a folder that is not the volume.
        print(
            f"sample app: {MOUNT} is not a mount of the volume: does the pod name the claim?", file=sys.stderr
        )
        return 1
    work(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())

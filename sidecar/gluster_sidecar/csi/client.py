"""One FUSE process and the mount that it serves, seen by this container alone."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gluster_sidecar import children

from . import mounts, options
from .errors import Code, Refusal

log = logging.getLogger(__name__)

START_SECONDS: Final = 60
"""The kubelet gives a publish two minutes."""
STOP_SECONDS: Final = 10
LOOK_SECONDS: Final = 10
LOG_BYTES: Final = 8_000_000
_NO_VOLUME: Final = "failed to fetch volume file"


def answers(path: str, seconds: float = LOOK_SECONDS) -> str | None:
    """None if the file system at `path` answers, else what is wrong with it.

    In a process of its own: a look at a mount whose servers are silent may take for ever.
    """
    try:
        done = children.run(["stat", "-f", path], seconds)
    except children.NoAnswer as error:
        return f"no answer within {seconds:.0f} s: {error}"
    return None if done.status == 0 else done.errors.strip()


class Client:
    """Not thread-safe: its owner holds `lock` around all but looking."""

    def __init__(self, volume: str, chosen: Sequence[str], place: Path, logs: Path) -> None:
        self.volume = volume
        self.place = place
        self.lock = threading.Lock()
        self._arguments = options.arguments(chosen)
        self._log = logs / f"{place.name}.log"
        self.pause = 0.0
        """Seconds before it is started again."""
        self.process: subprocess.Popen[bytes] | None = None
        """The one that runs, or ended by itself; None once it was ended on purpose."""

    def device(self) -> str | None:
        """Number of the file system it serves now; None if it serves none."""
        if self.process is None or self.process.poll() is not None:
            return None
        found = mounts.at(str(self.place))
        return found[-1].device if found and found[-1].kind == mounts.FUSE else None

    def start(self, servers: Sequence[str]) -> subprocess.Popen[bytes]:
        """Returns when the volume answers. Raises Refusal; then no process is left."""
        process = self._begin(servers)
        try:
            self._await(process)
        except BaseException:
            self.stop()
            raise
        return process

    def _begin(self, servers: Sequence[str]) -> subprocess.Popen[bytes]:
        self.stop()
        self.place.mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_bytes(b"")
        command = ["glusterfs", "--no-daemon", "--process-name=fuse", f"--log-file={self._log}"]
        command += [*self._arguments, *(f"--volfile-server={server}" for server in servers)]
        command += [f"--volfile-id=/{self.volume}", str(self.place)]
        log.info("volume %s: %s", self.volume, " ".join(command))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,  # the init's stop reaches us alone: we end the clients, in our order
        )
        return self.process

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        wrong: str | None = "not mounted yet"
        while time.monotonic() < end:
            if process.poll() is not None:
                raise self._why_ended()
            if self.device() is not None:
                wrong = answers(str(self.place), max(0.1, end - time.monotonic()))
                if wrong is None:
                    return
            time.sleep(0.05)
        raise Refusal(Code.UNAVAILABLE, f"volume {self.volume} does not answer: {wrong}; {self.last_words()}")

    def _why_ended(self) -> Refusal:
        text = self._log.read_text(errors="replace")
        if _NO_VOLUME in text:
            return Refusal(
                Code.NOT_FOUND,
                f"the cluster has no started volume {self.volume}: `gluster volume info` shows them",
            )
        return Refusal(Code.UNAVAILABLE, f"volume {self.volume} cannot be mounted: {self.last_words()}")

    def last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        errors = [line for line in lines if "] E [" in line] or lines
        return errors[-1].rpartition("] ")[2].strip() if errors else "it said nothing"

    def stop(self) -> None:
        """Ends the process, which flushes first, and takes its mount away."""
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        mounts.clear(str(self.place))

    def trim_log(self) -> None:
        """The process appends, so what was said before can be cut off under its feet."""
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            os.truncate(self._log, 0)


Servers = Callable[[], Sequence[str]]
"""Where the volume file can be fetched now, the best first."""

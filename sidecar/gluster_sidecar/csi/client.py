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

from gluster_sidecar import filesystem

from . import mounts, options
from .errors import Code, Refusal

log = logging.getLogger(__name__)

START_SECONDS: Final = 60
"""The kubelet gives a publish two minutes."""
STOP_SECONDS: Final = 10
KILL_SECONDS: Final = 5
"""How long a killed process may take to be gone: one that hangs in the kernel stays."""
LOOK_SECONDS: Final = 10.0
LOG_BYTES: Final = 8_000_000
_NO_VOLUME: Final = "failed to fetch volume file"


class Client:
    """Not thread-safe: whoever starts, ends or mounts it holds `lock`, and never for longer than that takes
    when nothing answers. `key`: names it on this machine. `turn`: held by whatever process looks into its
    mount, see `filesystem`.
    """

    def __init__(self, key: str, volume: str, chosen: Sequence[str], place: Path, logs: Path) -> None:
        self.key = key
        self.volume = volume
        self.place = place / key
        self.turn = place / f"{key}.turn"
        self.lock = threading.Lock()
        self._arguments = options.arguments(chosen)
        self._log = logs / f"{key}.log"
        self._silent: float | None = None
        self._left: subprocess.Popen[bytes] | None = None
        self.asked = 0.0
        """When a call wanted it last, by the monotonic clock."""
        self.pause = 0.0
        """Seconds before it is started again."""
        self.process: subprocess.Popen[bytes] | None = None
        """The one that runs, or ended by itself; None once it was ended on purpose."""

    # -- whether it hangs

    def is_silent(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self._silent is not None

    def went_silent(self) -> Refusal:
        """To be called when it did not answer in time; what to tell whoever waits for it."""
        if self._silent is None:
            self._silent = time.monotonic()
            log.error("volume %s does not answer: %s", self.volume, self._who())
        age = time.monotonic() - self._silent
        return Refusal(
            Code.UNAVAILABLE,
            f"volume {self.volume} does not answer, for {age:.0f} s now ({self._who()}): `gluster volume"
            f" status {self.volume}` in a storage pod shows whether its bricks run; if all of them do, delete"
            " the gluster-client pod of this machine, which restarts the clients of all pods here",
        )

    def answered(self) -> None:
        if self._silent is not None:
            log.info("volume %s answers again", self.volume)
        self._silent = None

    def _who(self) -> str:
        process = self.process
        return f"client process {process.pid}" if process else f"its client said: {self.last_words()}"

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
        if self._left is not None:
            raise Refusal(
                Code.UNAVAILABLE,
                f"volume {self.volume}: its former client, process {self._left.pid}, was killed and does not"
                " end: it waits for a disk or a device of this machine; if that lasts, restart the machine",
            )
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
        wrong = "not mounted yet"
        while time.monotonic() < end:
            if process.poll() is not None:
                raise self._why_ended()
            if self.device() is not None:
                # Or all targets of this client would be peers, and what is laid upon one reach the others.
                mounts.make_private(str(self.place))
                try:
                    filesystem.ask(str(self.place), max(0.1, end - time.monotonic()), self.turn)
                except filesystem.Unavailable as error:
                    wrong = str(error)
                else:
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
        """Ends the process, which flushes first, and takes its mount away. One that cannot be ended is
        remembered: there never is a second one beside it."""
        process, self.process = self.process, None
        self._left = self._left if self._left and self._left.poll() is None else None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.error("volume %s: client process %d does not end and is killed", self.volume, process.pid)
                self._left = None if _killed(process) else process
        mounts.clear(str(self.place))

    def trim_log(self) -> None:
        """The process appends, so what was said before can be cut off under its feet."""
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            os.truncate(self._log, 0)


def _killed(process: subprocess.Popen[bytes]) -> bool:
    """Whether it is gone."""
    process.kill()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


Servers = Callable[[], Sequence[str]]
"""Where the volume file can be fetched now, the best first."""

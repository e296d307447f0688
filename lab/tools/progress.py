"""Running what takes minutes: one live line with the elapsed time, and the whole output in a log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.tools import cache

Say = Callable[[str], None]

TICK: Final = 1.0
"""Seconds between two looks at what runs."""
QUIET_TICK: Final = 30.0
"""Seconds between two lines where nobody sees a line change."""
DIES_WITH_US: Final = ("setpriv", "--pdeathsig", "TERM")
"""Put before a program: it ends even if this process is killed without a chance to end it."""
TAIL: Final = 15
"""Lines of the log that are shown when it fails."""


class Progress:
    """One line that changes in place on a terminal; elsewhere a line now and then."""

    def __init__(self, title: str, say: Say) -> None:
        self.title = title
        self.say = say
        self.began = time.monotonic()
        self._live = sys.stderr.isatty()
        self._said = self.began

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self.began

    def show(self, detail: str) -> None:
        text = f"{self.title}: {self.elapsed:.0f} s{', ' + detail if detail else ''}"
        if self._live:
            width = max(os.get_terminal_size(sys.stderr.fileno()).columns - 1, 20)
            print(f"\r\x1b[K{text[:width]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._said >= QUIET_TICK:
            self._said = time.monotonic()
            self.say(text)

    def done(self, last: str = "") -> None:
        """Clears the line; `last` is said in its place."""
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        if last:
            self.say(last)


def nothing(_: list[str]) -> str:
    return ""


def watch(
    argv: Sequence[str],
    progress: Progress,
    *,
    log: str,
    detail: Callable[[list[str]], str] = nothing,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """Runs a program to its end; its output, standard error included, as lines.

    `detail` turns the lines so far into what the live line says beside the time. Raises LabError if the
    program fails, after saying the end of its output; all of it is in the log. Ends it if interrupted.
    """
    path = cache.logs() / f"{log}.log"
    with path.open("wb") as output:
        try:
            process = subprocess.Popen(
                [*DIES_WITH_US, "nice", "-n", "5", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=env,
                process_group=0,
            )
        except FileNotFoundError as error:
            raise LabError(f"{progress.title}: {error.filename} is not installed") from error
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(TICK)
            if process.returncode is not None:
                break
            progress.show(detail(_lines(path)))
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    lines = _lines(path)
    if process.returncode != 0:
        progress.done()
        for line in lines[-TAIL:]:
            progress.say(f"    {line}")
        said = next((line for line in reversed(lines) if line.strip()), f"status {process.returncode}")
        took = f"after {progress.elapsed:.0f} s"
        path = path.replace(path.with_suffix(".failed.log"))  # the next try would write over it
        raise LabError(f"{progress.title} failed {took}: {said.strip()[-300:]}; all of it: {path}")
    return lines


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines()

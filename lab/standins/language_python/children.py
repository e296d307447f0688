"""Processes that the host starts; they end when their call ends, or on `stop`."""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import grpc

PATIENCE: Final = 5.0
"""Seconds between asking a process to end and ending it."""
_Chunk = tuple[str, bytes]


class Children:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock, self._running = threading.Lock(), set[subprocess.Popen[bytes]]()

    @contextlib.contextmanager
    def start(
        self,
        argv: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        context: grpc.ServicerContext,
        piped: bool,
    ) -> Iterator[subprocess.Popen[bytes]]:
        pipe = subprocess.PIPE if piped else None
        child = subprocess.Popen(
            argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        with self._lock:
            self._running.add(child)
        # The call is over early when the engine has given it up.
        context.add_callback(lambda: _end(child))
        try:
            yield child
        finally:
            _end(child)
            with self._lock:
                self._running.discard(child)

    def interrupt(self) -> None:
        """Asks all to end, and returns at once."""
        for child in self._all():
            threading.Thread(target=_end, args=(child,), daemon=True).start()

    def stop(self) -> None:
        for child in self._all():
            _end(child)

    def _all(self) -> list[subprocess.Popen[bytes]]:
        with self._lock:
            return list(self._running)


def _end(child: subprocess.Popen[bytes]) -> None:
    """As the real host does it: `Cancel` and `WaitDelay` of its exec.Cmd (pulumi's PRs 22374 and 22397).

    The SDK's runner has no word for a KeyboardInterrupt: who wants no traceback sets SIGINT to SIG_DFL.
    """
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()


def output(child: subprocess.Popen[bytes]) -> Iterator[_Chunk]:
    """What it writes, as it comes: `stdout` or `stderr`, and the bytes."""
    chunks: queue.Queue[_Chunk | None] = queue.Queue()

    def read(name: str, pipe: IO[bytes]) -> None:
        while data := pipe.read1(65536):  # type: ignore[attr-defined]
            chunks.put((name, data))
        pipe.close()
        chunks.put(None)

    pipes = [(name, pipe) for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr)) if pipe]
    for name, pipe in pipes:
        threading.Thread(target=read, args=(name, pipe), daemon=True).start()
    left = len(pipes)
    while left:
        chunk = chunks.get()
        if chunk is None:
            left -= 1
        else:
            yield chunk

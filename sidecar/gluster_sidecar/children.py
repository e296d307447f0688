"""The one place that runs a program and waits for its answer. Nothing here waits for ever.

`subprocess.run(timeout=...)` kills the program alone, and then waits for its end and for everybody who holds
its output. A child of it lives on (`glfsheal`, which the gluster CLI starts: one more at each look), and a
process whose request a FUSE server has taken does not die by SIGKILL before that server answers.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from .errors import SidecarError

ANSWER_BYTES: Final = 64 << 20
"""`volume status` of 1,000 bricks is 1 MB."""
LOOK_SECONDS: Final = 0.05
"""Between two looks whether a program has ended that has closed its output, or gave it to a child."""
END_SECONDS: Final = 1.0
"""How long a killed program may take to be gone. One that is not is left to itself."""


class NoAnswer(SidecarError):
    """The program could not be started, did not end in time, or said more than anybody can read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended (0: well; negative: by that signal), and what it said."""

    status: int
    output: str
    errors: str


def run(
    command: Sequence[str], seconds: float, most: int = ANSWER_BYTES, *, holds: Sequence[int] = ()
) -> Answer:
    """Runs a program in a session of its own, without input, for at most so many `seconds`. When it has
    ended, or its time is over, or it has said more than `most` bytes, what is left of its group is killed.

    `holds`: descriptors that the program has open until it is gone, though it may not die when it is killed.
    Bytes that are no UTF-8 are replaced. Raises NoAnswer.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=holds,
        )
    except OSError as error:
        raise NoAnswer(str(error)) from error
    assert process.stdout
    assert process.stderr
    said: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    deadline = time.monotonic() + max(seconds, 0)
    try:
        wrong = _listen(process.pid, said, deadline, most)
    finally:
        _end(process, said, most)
    if wrong:
        raise NoAnswer(wrong)
    output, errors = (bytes(text).decode(errors="replace") for text in said.values())
    return Answer(process.returncode, output, errors)


def _listen(pid: int, said: dict[IO[bytes], bytearray], deadline: float, most: int) -> str:
    """Until the program has ended; what is wrong, if it has not. It is not reaped: its group is still its."""
    with selectors.DefaultSelector() as open_:
        for pipe in said:
            os.set_blocking(pipe.fileno(), False)
            open_.register(pipe, selectors.EVENT_READ, pipe)
        while not _ended(pid):
            left = deadline - time.monotonic()
            if left <= 0:
                return "timed out"
            if not open_.get_map():
                time.sleep(min(left, LOOK_SECONDS))
                continue
            for key, _ in open_.select(min(left, LOOK_SECONDS)):
                if not _take(said, key.data):
                    open_.unregister(key.fileobj)
            if any(len(text) > most for text in said.values()):
                return f"it said more than {most} bytes"
    return ""


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _take(said: dict[IO[bytes], bytearray], pipe: IO[bytes]) -> bool:
    """Whether there may be more to come."""
    try:
        chunk = os.read(pipe.fileno(), 1 << 16)
    except BlockingIOError:
        return True
    said[pipe] += chunk
    return bool(chunk)


def _end(process: subprocess.Popen[bytes], said: dict[IO[bytes], bytearray], most: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)  # else it is reaped when the next one is started
    for pipe in said:
        before = -1
        while before < len(said[pipe]) <= most:  # what it said last, with nobody left to say more
            before = len(said[pipe])
            _take(said, pipe)
        pipe.close()

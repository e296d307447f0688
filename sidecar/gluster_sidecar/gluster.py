"""The only place that runs the gluster CLI (law 8).

Through glusterd's socket in the shared /run, never by exec into a pod; always in script mode, for
one-shot commands otherwise ask questions that nobody answers (facts/field 0.6); always with a
time limit, for glusterd itself holds a caller for up to 120 s while it has not yet noticed that a
peer is gone (facts/gluster).
"""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Final, Protocol

from . import children
from .errors import ActionError

log = logging.getLogger(__name__)

READ_SECONDS: Final = 20
CHANGE_SECONDS: Final = 120


class Gluster(Protocol):
    """What the sidecar asks of glusterd."""

    def ask(self, *words: str, seconds: int = READ_SECONDS) -> ET.Element:
        """Runs a command that only reads; its XML answer. Raises ActionError."""

    def volfile(self, volume: str) -> str:
        """The volume file that glusterd gives to clients of `volume`. Raises ActionError."""

    def change(self, *words: str) -> None:
        """Runs a command that changes the cluster. Raises ActionError if glusterd refuses it."""


class Cli:
    """`Gluster` by the real CLI."""

    def __init__(self, program: str = "gluster", tally: Counter[str] | None = None) -> None:
        """`tally`: counts the commands (`metrics.HELP`)."""
        self._program = program
        self._tally: Counter[str] = Counter() if tally is None else tally

    def ask(self, *words: str, seconds: int = READ_SECONDS) -> ET.Element:
        self._tally['gluster_commands_total{kind="ask"}'] += 1
        return self._run(words, seconds)

    def volfile(self, volume: str) -> str:
        self._tally['gluster_commands_total{kind="ask"}'] += 1
        return self._plain(("system::", "getspec", volume), READ_SECONDS)

    def change(self, *words: str) -> None:
        log.info("gluster %s", " ".join(words))
        self._tally['gluster_commands_total{kind="change"}'] += 1
        self._run(words, CHANGE_SECONDS)

    def _run(self, words: tuple[str, ...], seconds: int) -> ET.Element:
        answer = self._plain(("--xml", *words), seconds)
        try:
            root = ET.fromstring(answer)
        except ET.ParseError as error:
            raise ActionError(f"gluster {' '.join(words)}: no XML in its answer: {answer[:200]!r}") from error
        if root.findtext("opRet", "0") != "0":
            why = root.findtext("opErrstr") or f"error {root.findtext('opErrno')}"
            raise ActionError(f"gluster {' '.join(words)}: {why.strip()}")
        return root

    def _plain(self, words: tuple[str, ...], seconds: int) -> str:
        command = [self._program, "--mode=script", f"--timeout={seconds}", *words]
        try:
            # The CLI's own limit is for glusterd's answer; ours is for a CLI that hangs.
            done = children.run(command, seconds + 10)
        except children.NoAnswer as error:
            raise ActionError(f"gluster {' '.join(words)}: {error}") from error
        # With --xml a refusal is an answer too, and says more than the exit code.
        if done.status != 0 and not done.output.lstrip().startswith("<?xml"):
            raise ActionError(f"gluster {' '.join(words)}: {(done.errors or done.output).strip()}")
        return done.output

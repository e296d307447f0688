"""What is published on this machine, on the machine's disk: a new holder goes on from it."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

from .errors import Refusal
from .request import Use

log = logging.getLogger(__name__)


class Record:
    """Target paths and what each shows. Thread-safe; every change is on disk before it returns."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._uses = _read(file)

    def get(self, target: str) -> Use | None:
        with self._lock:
            return self._uses.get(target)

    def all(self) -> dict[str, Use]:
        with self._lock:
            return dict(self._uses)

    def put(self, target: str, use: Use) -> None:
        """Raises OSError; then nothing has changed."""
        with self._lock:
            self._write({**self._uses, target: use})

    def drop(self, target: str) -> None:
        with self._lock:
            if target in self._uses:
                self._write({key: use for key, use in self._uses.items() if key != target})

    def _write(self, uses: dict[str, Use]) -> None:
        draft = self._file.with_suffix(".new")
        with draft.open("w") as handle:
            json.dump({target: use.to_json() for target, use in uses.items()}, handle, indent=1)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(self._file)
        self._uses = uses


def _read(file: Path) -> dict[str, Use]:
    try:
        found = json.loads(file.read_text())
        return {target: Use.from_json(use) for target, use in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, Refusal) as error:
        # The kubelet publishes and unpublishes all the same: mounts are known by their floor, too.
        log.error("%s cannot be read and is begun anew: %s", file, error)
        return {}

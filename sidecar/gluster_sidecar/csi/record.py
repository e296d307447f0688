"""What is published on this machine, on the machine's disk: a new holder goes on from it."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any, TypeVar

from .errors import Refusal
from .request import Use

log = logging.getLogger(__name__)

T = TypeVar("T")


class Record:
    """Target paths and what each shows. Thread-safe; every change is on disk before it returns.

    An entry that does not parse is set aside: kept in the file as it is, until its target is published or
    unpublished. The kubelet does both all the same: mounts are known by their floor, too.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._uses: dict[str, Use] = {}
        self._aside: dict[str, Any] = {}
        for target, found in _read(file).items():
            try:
                self._uses[target], unknown = Use.recorded(found)
            except Refusal as refusal:
                log.error("%s: the entry of %s is set aside: %s", file, target, refusal)
                self._aside[target] = found
                continue
            if unknown:
                log.warning("%s is of a newer version; not known of %s: %s", file, target, ", ".join(unknown))

    def get(self, target: str) -> Use | None:
        with self._lock:
            return self._uses.get(target)

    def all(self) -> dict[str, Use]:
        with self._lock:
            return dict(self._uses)

    def aside(self) -> list[str]:
        """Targets whose entries do not parse."""
        with self._lock:
            return sorted(self._aside)

    def put(self, target: str, use: Use) -> None:
        """Raises OSError; then nothing has changed."""
        with self._lock:
            self._write({**self._uses, target: use}, _without(self._aside, target))

    def drop(self, target: str) -> None:
        with self._lock:
            if target in self._uses or target in self._aside:
                self._write(_without(self._uses, target), _without(self._aside, target))

    def _write(self, uses: dict[str, Use], aside: dict[str, Any]) -> None:
        draft = self._file.with_suffix(".new")
        with draft.open("w") as handle:
            json.dump({**aside, **{target: use.to_json() for target, use in uses.items()}}, handle, indent=1)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(self._file)
        self._uses, self._aside = uses, aside


def _without(entries: dict[str, T], target: str) -> dict[str, T]:
    return {key: value for key, value in entries.items() if key != target}


def _read(file: Path) -> dict[str, Any]:
    """The entries, parsed or not. A file that is no JSON object is set aside under another name."""
    try:
        found = json.loads(file.read_text())
        if isinstance(found, dict):
            return found
        wrong = "no JSON object"
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        wrong = str(error)
    aside = file.with_suffix(".unreadable")  # one at most: the next replaces it
    file.replace(aside)
    log.error("%s cannot be read, is kept as %s and begun empty: %s", file, aside.name, wrong)
    return {}

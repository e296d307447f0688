"""`python3 -m gluster_sidecar.csi.show`: shows folders of a client's mount at targets.

A process of its own, for all that looks into a mount may hang, and a thread that hangs there keeps its locks
and is never lost again. This one is killed when its time is over; from then on it does nothing more, even if
the volume answers later.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gluster_sidecar import children, filesystem

from . import group, mounts
from .errors import Code, Refusal
from .request import Use

AT_ONCE: Final = 100
"""Targets that one process is told, for what can be said to a program is limited."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of one target."""

    refusal: Refusal | None = None
    note: str = ""
    """What a person should know although it is mounted."""


def ask(
    place: Path, uses: Mapping[str, Use], without_floor: Sequence[str], seconds: float, lock: Path
) -> dict[str, Shown]:
    """Shows `uses` of the client that is mounted at `place`, by target. Raises filesystem.Silent."""
    end = time.monotonic() + seconds
    shown: dict[str, Shown] = {}
    for first in range(0, len(uses), AT_ONCE):
        part = dict(list(uses.items())[first : first + AT_ONCE])
        told = {
            "place": str(place),
            "uses": {target: use.to_json() for target, use in part.items()},
            "without_floor": [target for target in without_floor if target in part],
        }
        command = [sys.executable, "-m", __name__, json.dumps(told)]
        with filesystem.turn(lock, end - time.monotonic()) as held:
            try:
                answer = children.run(command, end - time.monotonic(), holds=[held])
            except children.NoAnswer as error:
                raise filesystem.Silent(f"no answer within {seconds:.0f} s: {error}") from error
        if answer.status != 0:
            raise Refusal(Code.INTERNAL, f"cannot show {place}: {answer.errors.strip()[-1000:]}")
        found = json.loads(answer.output)
        shown |= {target: _shown(**words) for target, words in found.items()}
    return shown


def _shown(code: str = "", message: str = "", note: str = "") -> Shown:
    return Shown(Refusal(Code(code), message) if code else None, note)


# -- what the child does


def main(told: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    place = Path(told["place"])
    answers = dict[str, dict[str, str]]()
    for target, words in told["uses"].items():
        try:
            note = _show(place, target, Use.from_json(words), floor=target in told["without_floor"])
            answers[target] = {"note": note}
        except Refusal as refusal:
            answers[target] = {"code": refusal.code, "message": str(refusal)}
        except OSError as error:
            answers[target] = {"code": Code.INTERNAL, "message": f"{target}: {error}"}
    return answers


def _show(place: Path, target: str, use: Use, *, floor: bool) -> str:
    handle = _open(place, use)
    try:
        note = _give(handle, use) if floor else ""
        if floor:
            os.makedirs(target, mode=0o750, exist_ok=True)
            mounts.lay_floor(target)
        aside = place.with_name(f"{place.name}.aside")
        mounts.bind(f"/proc/self/fd/{handle}", target, read_only=use.read_only, scratch=aside)
    finally:
        os.close(handle)
    return note


def _open(place: Path, use: Use) -> int:
    try:
        return mounts.open_directory(str(place), use.directory, make=use.make_directory)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refusal(
            Code.NOT_FOUND,
            f'volume {use.volume} has no folder {use.directory}: make it, or set makeDirectory to "true"',
        ) from error
    except OSError as error:
        raise Refusal(
            Code.UNAVAILABLE, f"folder {use.directory or '/'} of volume {use.volume}: {error.strerror}"
        ) from error


def _give(folder: int, use: Use) -> str:
    """Gives the folder to the pod's fsGroup, if it is nobody's yet. A note if it is somebody else's."""
    if use.group is None or use.read_only:
        return ""
    try:
        given = group.give(folder, use.group)
    except OSError as error:
        raise Refusal(
            Code.FAILED_PRECONDITION,
            f"fsGroup {use.group}: {use.words()} cannot be given to that group: {error.strerror}",
        ) from error
    return "" if given else f"fsGroup {use.group}: {use.words()} belongs to another group and stays so"


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)

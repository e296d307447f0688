"""Keeps the stack of mounts at a target low, however often the client is restarted.

A container has the mount that was uppermost when it was started, and gets a later one only if that is laid,
on the machine, upon the mount that it has. So of the dead mounts at a target those are kept that a running
container hangs on, and the lowest, so that nothing beneath is ever seen; the others go. Which they are the
kernel tells: a container's mount names the peer group of the one that it follows. The stack is therefore no
higher than the number of running containers, and three.

Works on mounts alone and never looks into a file system: all of these are dead.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from . import mounts
from .mounts import Mount

LOW: Final = 2
"""A floor and one mount: there is nothing to take away."""


def lower(targets: Collection[str], scratch: Path) -> None:
    """Takes the dead mounts that no container has away from the targets, before another is laid upon them.

    All mounts there but the floor must be dead. A container that is being started at this moment may be
    missed: it meets errors, as at any moment at which the client is dead, and must be started again.
    """
    stacks = {target: stack for target in targets if len(stack := mounts.at(target)) > LOW}
    if not stacks:
        return
    followed = _followed({group for stack in stacks.values() for one in stack for group in one.groups()})
    for target, stack in stacks.items():
        kept = plan(stack, followed)
        if len(kept) < len(stack):
            _rebuild(target, stack, kept, scratch)


def plan(stack: Sequence[Mount], followed: Collection[int]) -> list[Mount]:
    """Those that stay, the lowest first."""
    return [one for index, one in enumerate(stack) if index < LOW or one.shared in followed]


def _rebuild(target: str, stack: Sequence[Mount], kept: Sequence[Mount], scratch: Path) -> None:
    """Only the uppermost can be reached. So from the first that goes, all are taken away, and those that are
    kept are held aside meanwhile: a clone is in the same peer group, so who follows it loses nothing.
    """
    good = next(index for index, one in enumerate(stack) if index >= len(kept) or one != kept[index])
    held = list[Path]()
    mounts.clear(str(scratch))
    scratch.mkdir(parents=True, exist_ok=True)
    mounts.lay_private(str(scratch))
    try:
        for one in reversed(stack[good:]):
            if one in kept:
                held.append(scratch / str(len(held)))
                held[-1].mkdir()
                mounts.clone(target, str(held[-1]))
            mounts.detach(target)
        for place in reversed(held):
            mounts.clone(str(place), target)
            mounts.detach(str(place))  # before anything is laid upon its group
    finally:
        mounts.clear(str(scratch))


def _followed(groups: Collection[int]) -> set[int]:
    """Those of the peer groups that a mount of a container follows, in whatever namespace of the machine."""
    return {group for found in _namespaces() for group in followed(found, groups)}


def followed(found: Sequence[Mount], groups: Collection[int]) -> set[int]:
    """Those of `groups` that a mount of one namespace follows on its own account.

    Not counted is one that lies upon another of them: it is a copy of a stack, in the machine's own
    namespace, or in one that sees all mounts of the machine, and what is laid on top reaches it by itself.
    """
    copies = {one.number for one in found if not one.groups().isdisjoint(groups)}
    return {
        group
        for one in found
        if one.number in copies and one.parent not in copies
        for group in one.groups() & set(groups)
    }


def _namespaces() -> Iterator[list[Mount]]:
    """The mounts of each mount namespace that a process is in."""
    seen = set[int]()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            namespace = os.stat(f"/proc/{process}/ns/mnt").st_ino
            if namespace not in seen:
                found = mounts.parse(Path(f"/proc/{process}/mountinfo").read_text())
                seen.add(namespace)
                yield found
        except OSError:
            continue  # it has ended

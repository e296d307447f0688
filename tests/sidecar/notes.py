"""What an actor notes, without Kubernetes: the same as `Executor` writes and `documents.notes` reads."""

from __future__ import annotations

from dataclasses import replace

from gluster_sidecar import actions as do
from gluster_sidecar.model import Notes


def noted(notes: Notes, step: do.Note) -> Notes:
    match step:
        case do.NoteHealth(whole, away):
            return replace(notes, whole=whole, away=away)
        case do.NoteUnproven(bricks):
            return replace(notes, unproven=bricks)
        case do.NoteRebalance(bricks, after):
            return replace(notes, rebalance_bricks=bricks, rebalance_after=after)
        case do.NoteBalanced(bricks):
            return replace(notes, balanced=bricks)
        case do.NoteReplaced(bricks):
            return replace(notes, replaced=bricks)
        case do.NoteOptions(keys):
            return replace(notes, options=keys)

"""What a step does, in words for a person: Events and logs show no values of Python. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from . import actions as do
from .contract import node_of_host


def words(step: do.Action) -> str:
    """One sentence without its full stop, for "the sidecar ..."."""
    match step:
        case do.ProbePeer(host):
            return f"invites {_node(host)} into the pool"
        case do.DetachPeer(host, force):
            return f"takes {_node(host)} out of the pool" + (
                ", by force, for it does not answer" if force else ""
            )
        case do.CreateVolume(name, replica, bricks, arbiter):
            kind = "two copies and an arbiter" if arbiter else f"{replica} copies"
            return f"creates volume {name} with {kind} on {_bricks(bricks)}"
        case do.StartVolume(name):
            return f"starts volume {name}"
        case do.SetOption(_, key, value):
            return f"sets option {key} to {value}"
        case do.ResetOption(_, key):
            return f"gives option {key} its default again"
        case do.AddBricks(_, bricks):
            return f"adds {_bricks(bricks)}"
        case do.StartRebalance():
            return "starts to spread the data over all bricks"
        case do.StopRebalance():
            return "stops spreading the data, for a lost brick comes first"
        case do.LaunchHeal():
            return "has the entries healed that wait"
        case do.StartRemoval(_, bricks):
            return f"starts to move the data off {_bricks(bricks)}"
        case do.StopRemoval(_, bricks):
            return f"stops moving the data off {_bricks(bricks)}"
        case do.CommitRemoval(_, bricks):
            return f"takes {_bricks(bricks)} out of the volume: all data has moved"
        case do.ReplaceBrick(_, old, new):
            return f"puts {_brick(new)} in the place of {_brick(old)}"
        case do.DeletePod(name):
            return f"replaces pod {name}"
        case do.RestartGlusterd(reason):
            return f"starts its glusterd anew: {reason}"
        case do.EndBrick(_, reason):
            return f"ends its brick: {reason}"
        case do.GrantStart(node):
            return f"lets node {node} start its glusterd anew"
        case _:
            return _of_objects(step)


def _of_objects(step: do.Action) -> str:
    match step:
        case do.HoldData(node, bricks):
            return f"guards node {node}, whose disk may hold data in {', '.join(sorted(bricks))}"
        case do.ReleaseData(node):
            return f"takes the guard off node {node}"
        case do.FreeVolume(node):
            return f"gives the volume of node {node} to its claim of today"
        case do.LiftFinalizer(node, _, reason):
            return f"lets the member of node {node} go: {reason}"
        case do.HoldMember(node):
            return f"puts the finalizer back on the member of node {node}"
        case do.RemakeMember(node, leaves):
            return f"creates the member of node {node} again" + (", which is to be drained" if leaves else "")
        case do.ForgetMember(node):
            return f"deletes the member of node {node}, which is left over"
        case do.SpendOverride(node):
            return f"has used the word of an operator that the copy of node {node} is right, and removes it"
        case do.NoteHealth(whole):
            return f"notes {len(whole)} bricks as whole"
        case do.NoteUnproven(bricks):
            return f"notes {len(bricks)} bricks as not proven"
        case do.NoteRebalance(bricks):
            return f"notes that the data is to be spread over {len(bricks)} bricks"
        case do.NoteBalanced(bricks):
            return f"notes the data as spread over {len(bricks)} bricks"
        case do.NoteReplaced(bricks):
            return f"notes {len(bricks)} bricks as replaced"
        case do.NoteOptions(keys):
            return f"notes {len(keys)} options as set for the stack"
    assert_never(step)  # type: ignore[arg-type]


def _node(host: str) -> str:
    node = node_of_host(host)
    return host if node is None else f"node {node}"


def _brick(brick: str) -> str:
    host, _, path = brick.partition(":")
    return f"brick {path} of {_node(host)}"


def _bricks(bricks: Iterable[str]) -> str:
    return ", ".join(map(_brick, bricks))

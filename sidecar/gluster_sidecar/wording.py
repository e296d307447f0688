"""What a step does, in words for a person: Events and logs show no values of Python. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from .actions import (
    Action,
    AddBricks,
    CommitRemoval,
    CreateVolume,
    DeletePod,
    DetachPeer,
    ForgetMember,
    FreeVolume,
    GrantStart,
    HoldData,
    HoldMember,
    LaunchHeal,
    LiftFinalizer,
    NoteBalanced,
    NoteHealth,
    NoteOptions,
    NoteRebalance,
    NoteReplaced,
    NoteUnproven,
    ProbePeer,
    ReleaseData,
    RemakeMember,
    ReplaceBrick,
    ResetOption,
    RestartGlusterd,
    SetOption,
    StartRebalance,
    StartRemoval,
    StartVolume,
    StopRebalance,
    StopRemoval,
)
from .contract import node_of_host


def words(step: Action) -> str:
    """One sentence without its full stop, for "the sidecar ..."."""
    match step:
        case ProbePeer(host):
            return f"invites {_node(host)} into the pool"
        case DetachPeer(host, force):
            return f"takes {_node(host)} out of the pool" + (
                ", by force, for it does not answer" if force else ""
            )
        case CreateVolume(name, replica, bricks, arbiter):
            kind = "two copies and an arbiter" if arbiter else f"{replica} copies"
            return f"creates volume {name} with {kind} on {_bricks(bricks)}"
        case StartVolume(name):
            return f"starts volume {name}"
        case SetOption(_, key, value):
            return f"sets option {key} to {value}"
        case ResetOption(_, key):
            return f"gives option {key} its default again"
        case AddBricks(_, bricks):
            return f"adds {_bricks(bricks)}"
        case StartRebalance():
            return "starts to spread the data over all bricks"
        case StopRebalance():
            return "stops spreading the data, for a lost brick comes first"
        case LaunchHeal():
            return "has the entries healed that wait"
        case StartRemoval(_, bricks):
            return f"starts to move the data off {_bricks(bricks)}"
        case StopRemoval(_, bricks):
            return f"stops moving the data off {_bricks(bricks)}"
        case CommitRemoval(_, bricks):
            return f"takes {_bricks(bricks)} out of the volume: all data has moved"
        case ReplaceBrick(_, old, new):
            return f"puts {_brick(new)} in the place of {_brick(old)}"
        case DeletePod(name):
            return f"replaces pod {name}"
        case RestartGlusterd(reason):
            return f"starts its glusterd anew: {reason}"
        case GrantStart(node):
            return f"lets node {node} start its glusterd anew"
        case _:
            return _of_objects(step)


def _of_objects(step: Action) -> str:
    match step:
        case HoldData(node, bricks):
            return f"guards node {node}, whose disk may hold data in {', '.join(sorted(bricks))}"
        case ReleaseData(node):
            return f"takes the guard off node {node}"
        case FreeVolume(node):
            return f"gives the volume of node {node} to its claim of today"
        case LiftFinalizer(node, _, reason):
            return f"lets the member of node {node} go: {reason}"
        case HoldMember(node):
            return f"puts the finalizer back on the member of node {node}"
        case RemakeMember(node, leaves):
            return f"creates the member of node {node} again" + (", which is to be drained" if leaves else "")
        case ForgetMember(node):
            return f"deletes the member of node {node}, which is left over"
        case NoteHealth(whole):
            return f"notes {len(whole)} bricks as whole"
        case NoteUnproven(bricks):
            return f"notes {len(bricks)} bricks as not proven"
        case NoteRebalance(bricks):
            return f"notes that the data is to be spread over {len(bricks)} bricks"
        case NoteBalanced(bricks):
            return f"notes the data as spread over {len(bricks)} bricks"
        case NoteReplaced(bricks):
            return f"notes {len(bricks)} bricks as replaced"
        case NoteOptions(keys):
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

"""The verbs: one value for each thing that can be done to the cluster, and `Wait`.

A step carries all that its execution needs; `execute.py` adds nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Something cannot be done safely before something changes; `reason` says what, for a person."""

    reason: str
    alone: bool = False
    """It concerns a part of the cluster only: the rules below go on, each by its own gates."""


@dataclass(frozen=True, slots=True)
class ProbePeer:
    host: str


@dataclass(frozen=True, slots=True)
class DetachPeer:
    host: str
    force: bool = False
    """For a peer without bricks that does not answer."""


@dataclass(frozen=True, slots=True)
class CreateVolume:
    name: str
    replica: int
    bricks: tuple[str, ...]
    arbiter: bool = False


@dataclass(frozen=True, slots=True)
class StartVolume:
    name: str


@dataclass(frozen=True, slots=True)
class SetOption:
    name: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ResetOption:
    """Gives an option its default."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class AddBricks:
    """Never with a replica count: growth must not change the kind of the volume (mistake 19)."""

    name: str
    bricks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartRebalance:
    name: str


@dataclass(frozen=True, slots=True)
class StopRebalance:
    """What has been moved stays moved; it is started again later."""

    name: str


@dataclass(frozen=True, slots=True)
class LaunchHeal:
    """Has the heal daemons go through what is known to wait, at once: by themselves they do so every ten
    minutes (`cluster.heal-timeout`), and when a brick comes back that they saw going."""

    name: str


@dataclass(frozen=True, slots=True)
class StartRemoval:
    name: str
    bricks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StopRemoval:
    name: str
    bricks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommitRemoval:
    name: str
    bricks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplaceBrick:
    """Puts a new, empty brick in the place of another; the rest of its set heals it."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Its controller creates another from its template of today. Carried out only on this very pod."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class RestartGlusterd:
    """On this node: bricks that died are started, those that run go on."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndBrick:
    """On this node: the brick whose process that is (`Own.processes`) is killed."""

    process: str
    reason: str


@dataclass(frozen=True, slots=True)
class GrantStart:
    """Lets a node start its glusterd anew, once, for what it has `asked` since."""

    node: int
    asked: str


@dataclass(frozen=True, slots=True)
class NoteHealth:
    """As the fields of `Notes`."""

    whole: frozenset[str]
    away: Mapping[int, datetime]


@dataclass(frozen=True, slots=True)
class NoteUnproven:
    """As `Notes.unproven`: before a replacement, and again after it."""

    bricks: frozenset[str]


@dataclass(frozen=True, slots=True)
class NoteRebalance:
    """Written down before the rebalance is started, so that whoever acts next can tell its result
    from the one before."""

    bricks: frozenset[str]
    after: str


@dataclass(frozen=True, slots=True)
class NoteBalanced:
    bricks: frozenset[str]


@dataclass(frozen=True, slots=True)
class NoteReplaced:
    """As `Notes.replaced`: before a replacement, and before what was replaced once is removed by a
    removal."""

    bricks: frozenset[str]


@dataclass(frozen=True, slots=True)
class NoteOptions:
    """As `Notes.options`: before any of them is set, and once those that were taken back are reset."""

    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class HoldData:
    """Writes on a node's controller and claim which bricks on its disk may hold data: from then on the API
    server refuses to delete them. Fails if they are being deleted already."""

    node: int
    bricks: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReleaseData:
    """Lets a node's controller and claim be deleted. Carried out only if the plan still names `plan`, and the
    guard nothing but `bricks`; without a plan, only if every member is being deleted."""

    node: int
    plan: frozenset[int] | None
    bricks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FreeVolume:
    """Takes the identity of an earlier claim off a node's PersistentVolume: its claim of today gets it."""

    node: int


@dataclass(frozen=True, slots=True)
class LiftFinalizer:
    """Lets Kubernetes finish the deletion of a member object. Carried out only if the plan still names
    `plan`, spares included (None: there is none): a stale view of it once lost a node undrained
    (facts/pulumi 7)."""

    node: int
    plan: frozenset[int] | None
    reason: str


@dataclass(frozen=True, slots=True)
class HoldMember:
    """Puts our finalizer back on a living member object."""

    node: int


@dataclass(frozen=True, slots=True)
class RemakeMember:
    """Creates a node's member object, should it be missing; `leaves`: and asks for its deletion, so that it
    goes as soon as the node is drained, for no stack knows of it."""

    node: int
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class ForgetMember:
    """Asks for the deletion of the member of a node that has neither a controller nor a claim: Pulumi was
    killed after it had made it, and knows nothing of it."""

    node: int


@dataclass(frozen=True, slots=True)
class SpendOverride:
    """Removes an operator's word that the node's copy is right: it is used once."""

    node: int


Note = NoteHealth | NoteUnproven | NoteRebalance | NoteBalanced | NoteReplaced | NoteOptions
Action = (
    ProbePeer
    | DetachPeer
    | CreateVolume
    | StartVolume
    | SetOption
    | ResetOption
    | AddBricks
    | StartRebalance
    | StopRebalance
    | LaunchHeal
    | StartRemoval
    | StopRemoval
    | CommitRemoval
    | ReplaceBrick
    | DeletePod
    | RestartGlusterd
    | EndBrick
    | GrantStart
    | Note
    | HoldData
    | ReleaseData
    | FreeVolume
    | LiftFinalizer
    | HoldMember
    | RemakeMember
    | ForgetMember
    | SpendOverride
)
Step = Action | Wait


def trial(step: Step) -> tuple[str, ...]:
    """What a try is remembered under: whoever does the same to the same thing tries again.

    Less than the step itself: a replacement that was refused is tried with another folder.
    """
    match step:
        case SetOption(_, key, value):
            about: tuple[str, ...] = (key, value)
        case ResetOption(_, key):
            about = (key,)
        case ProbePeer(host) | DetachPeer(host):
            about = (host,)
        case HoldData() | ReleaseData() | LiftFinalizer() | RemakeMember() | ForgetMember() | SpendOverride():
            about = (str(step.node),)
        case ReplaceBrick(_, old):
            about = (old,)
        case StartRemoval(_, bricks) | StopRemoval(_, bricks) | CommitRemoval(_, bricks):
            about = bricks
        case _:
            about = ()
    return (type(step).__name__, *about)

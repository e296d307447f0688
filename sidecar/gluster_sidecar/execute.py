"""Does what the planner decided; decides nothing itself.

The only conditions here are those that must be true at the very moment of the deed, and they come
with the step as plain values (`LiftFinalizer.plan`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from .actions import (
    Action,
    AddBricks,
    CommitRemoval,
    CreateVolume,
    DeletePod,
    DetachPeer,
    EndBrick,
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
    SpendOverride,
    StartRebalance,
    StartRemoval,
    StartVolume,
    StopRebalance,
    StopRemoval,
)
from .contract import (
    BRICKS_ANNOTATION,
    CLUSTER_LABEL,
    DRAIN_FINALIZER,
    KIND_LABEL,
    NODE_LABEL,
    OVERRIDE_ANNOTATION,
    PLAN_NAME,
    STATUS_NAME,
    Kind,
    MemberKey,
    StatusKey,
    controller_name,
    member_name,
    volume_name,
)
from .documents import Unreadable, bricks_guarded, is_there, members, plan
from .errors import ActionError, ApiError
from .gluster import Gluster
from .kubernetes import Api, Object
from .model import Member, Plan
from .run_files import END_FILE, RESTART_FILE, put
from .settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Executor:
    settings: Settings
    gluster: Gluster
    api: Api
    restart_file: Path = Path(RESTART_FILE)
    end_file: Path = Path(END_FILE)

    @property
    def _namespace(self) -> str:
        return f"/api/v1/namespaces/{self.settings.namespace}"

    @property
    def _maps(self) -> str:
        return f"{self._namespace}/configmaps"

    def apply(self, action: Action) -> None:
        """Raises ActionError or ApiError; what came of it shows in the next look."""
        log.info("does %s", action)
        change = self.gluster.change
        match action:
            case ProbePeer(host):
                change("peer", "probe", host)
            case DetachPeer(host, force):
                change("peer", "detach", host, *(["force"] if force else []))
            case CreateVolume(name, replica, bricks, arbiter):
                kind = ("replica", str(replica), *(("arbiter", "1") if arbiter else ()))
                change("volume", "create", name, *kind, "transport", "tcp", *bricks)
            case StartVolume(name):
                change("volume", "start", name)
            case SetOption(name, key, value):
                change("volume", "set", name, key, value)
            case ResetOption(name, key):
                change("volume", "reset", name, key)
            case AddBricks(name, bricks):
                change("volume", "add-brick", name, *bricks)
            case StartRebalance(name):
                change("volume", "rebalance", name, "start")
            case StopRebalance(name):
                change("volume", "rebalance", name, "stop")
            case LaunchHeal(name):
                change("volume", "heal", name)
            case StartRemoval(name, bricks):
                change("volume", "remove-brick", name, *bricks, "start")
            case StopRemoval(name, bricks):
                change("volume", "remove-brick", name, *bricks, "stop")
            case CommitRemoval(name, bricks):
                change("volume", "remove-brick", name, *bricks, "commit")
            case ReplaceBrick(name, old, new):
                change("volume", "replace-brick", name, old, new, "commit", "force")
            case DeletePod(name, uid):
                self.api.delete(f"{self._namespace}/pods/{name}", {"preconditions": {"uid": uid}})
            case RestartGlusterd():
                self.restart_file.parent.mkdir(exist_ok=True)
                self.restart_file.touch()
            case EndBrick(process):
                put(self.end_file, process)
            case GrantStart(node, asked):
                body = {"data": {str(MemberKey.START_GRANTED): asked}}
                self.api.merge(f"{self._maps}/{member_name(node)}", body)
            case NoteHealth(whole, away):
                since = "\n".join(f"{node}={at.isoformat()}" for node, at in sorted(away.items()))
                self._note({StatusKey.WHOLE: _words(whole), StatusKey.AWAY: since})
            case NoteUnproven(noted):
                self._note({StatusKey.UNPROVEN: _words(noted)})
            case NoteRebalance(noted, after):
                self._note({StatusKey.REBALANCE_BRICKS: _words(noted), StatusKey.REBALANCE_AFTER: after})
            case NoteBalanced(noted):
                self._note({StatusKey.BALANCED: _words(noted)})
            case NoteReplaced(noted):
                self._note({StatusKey.REPLACED: _words(noted)})
            case NoteOptions(keys):
                self._note({StatusKey.OPTIONS: _words(keys)})
            case HoldData(node, bricks):
                self._hold(node, bricks)
            case ReleaseData(node, expected, bricks):
                self._release(node, expected, bricks)
            case FreeVolume(node):
                self._free(f"/api/v1/persistentvolumes/{volume_name(node, self.settings.namespace)}")
            case LiftFinalizer():
                self._lift(action)
            case HoldMember(node):
                self._finalizers(self.api.get(f"{self._maps}/{member_name(node)}"), add=True)
            case RemakeMember(node, leaves):
                self._remake(node, leaves)
            case ForgetMember(node):
                # Read afresh: the stack creates a node's controller and claim before its member.
                if self._is_there(node):
                    raise ActionError(f"node {node} has a controller or a claim: its member stays")
                self.api.delete(f"{self._maps}/{member_name(node)}", {})
            case SpendOverride(node):
                gone = {"metadata": {"annotations": {OVERRIDE_ANNOTATION: None}}}
                self.api.merge(f"{self._maps}/{member_name(node)}", gone)
            case _:
                assert_never(action)

    def _note(self, data: dict[StatusKey, str]) -> None:
        self.api.merge(f"{self._maps}/{STATUS_NAME}", {"data": {str(k): v for k, v in data.items()}})

    def _guarded(self, node: int) -> Iterator[tuple[str, Object | None]]:
        """Path and content of the node's claim and controller; None for one that is not there.

        The claim first: it is the last before the disk. Listed, for which no right by name is needed.
        """
        name = controller_name(node)
        for kind in ("persistentvolumeclaims", "replicationcontrollers"):
            path = f"{self._namespace}/{kind}"
            found = self.api.get(path, {"fieldSelector": f"metadata.name={name}"})["items"]
            yield f"{path}/{name}", next(iter(found), None)

    def _hold(self, node: int, bricks: frozenset[str]) -> None:
        """Both are written before either is complained of: one that goes must not leave the other open."""
        going = []
        for path, found in self._guarded(node):
            answer = found and self._annotate(node, path, found, bricks_guarded(found) | bricks)
            # Who deleted it before this write was not refused.
            if answer is None or "deletionTimestamp" in answer["metadata"]:
                going.append(path.split("/")[-2])
        if going:
            raise ActionError(f"{' and '.join(going)} of node {node} are going: nothing is put on its disk")

    def _release(self, node: int, expected: frozenset[int] | None, proven: frozenset[str]) -> None:
        self._require_plan(node, expected)
        if expected is None and (living := self._living()):
            raise ActionError(f"the members of nodes {living} live: this is no teardown")
        for path, found in self._guarded(node):
            if found is None:
                continue
            if expected is not None and not bricks_guarded(found) <= proven:
                raise ActionError(f"node {node} is guarded for another brick by now: observes again")
            self._annotate(node, path, found, frozenset())

    def _living(self) -> list[int]:
        """Nodes that are there to stay: a member without a controller and a claim is a leftover."""
        living = [one.node for one in self._members() if not one.terminating]
        return [node for node in living if self._is_there(node)]

    def _is_there(self, node: int) -> bool:
        return any(found is not None for _, found in self._guarded(node))

    def _annotate(self, node: int, path: str, found: Object, bricks: frozenset[str]) -> Object | None:
        """Only as it was found; None if it has gone."""
        seen = {"resourceVersion": found["metadata"]["resourceVersion"]}
        notes = {BRICKS_ANNOTATION: _words(bricks) or None}
        try:
            return self.api.merge(path, {"metadata": {**seen, "annotations": notes}})
        except ApiError as error:
            if error.status == 404:
                return None
            if error.status == 403:
                # Each node's Role is a resource of its own: one that the stack knows no more has none.
                raise ActionError(f"no right to write the guard of node {node}: {error}") from error
            raise

    def _free(self, path: str) -> None:
        """Only as it was seen: to take the identity of the claim that it has off a volume loses that claim
        for good (seen on 1.34)."""
        found = self.api.get(path)
        if found.get("status", {}).get("phase") == "Released":
            seen = {"resourceVersion": found["metadata"]["resourceVersion"]}
            earlier = {"claimRef": {"uid": None, "resourceVersion": None}}
            self.api.merge(path, {"metadata": seen, "spec": earlier})

    def _require_plan(self, node: int, expected: frozenset[int] | None) -> None:
        """Raises ActionError unless the plan is what the decision saw. Read afresh, right before the deed."""
        fresh = self._plan()
        if (fresh.named if fresh else None) != expected:
            raise ActionError(f"the plan changed while node {node} was about to be released: observes again")

    def _lift(self, step: LiftFinalizer) -> None:
        self._require_plan(step.node, step.plan)
        document = self._get_or_none(f"{self._maps}/{member_name(step.node)}")
        if document is not None and "deletionTimestamp" in document["metadata"]:
            self._finalizers(document, add=False)

    def _finalizers(self, document: Object, *, add: bool) -> None:
        meta = document["metadata"]
        others = [name for name in meta.get("finalizers", ()) if name != DRAIN_FINALIZER]
        self.api.merge(
            f"{self._maps}/{meta['name']}",
            {
                "metadata": {
                    "resourceVersion": meta["resourceVersion"],
                    "finalizers": [*others, DRAIN_FINALIZER] if add else others,
                }
            },
        )

    def _remake(self, node: int, leaves: bool) -> None:
        # The stack's own labels and annotations are the same on every member but for the number,
        # so a living sibling is the pattern: `pulumi up --refresh` then finds nothing to mend.
        living = [item["metadata"] for item in self._siblings() if is_there(item)]
        labels = {KIND_LABEL: str(Kind.MEMBER), CLUSTER_LABEL: self.settings.cluster_name}
        pattern: Object = living[0] if living else {"labels": labels}
        annotations = pattern.get("annotations") or {}
        meta: Object = {
            "name": member_name(node),
            "labels": {**pattern.get("labels", {}), NODE_LABEL: str(node)},
            "annotations": {k: v for k, v in annotations.items() if k != OVERRIDE_ANNOTATION},
            "finalizers": [DRAIN_FINALIZER],
        }
        wanted = self._plan()
        data = {MemberKey.NODE: str(node)}
        if wanted is not None and node in wanted.spares:
            data[MemberKey.SPARE] = "true"
        if leaves:
            # Written down for the next leader, should this one die before it asks for the deletion.
            data[MemberKey.LEAVES] = "true"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        path = f"{self._maps}/{member_name(node)}"
        made = self._get_or_none(path) or self.api.create(self._maps, body)
        if leaves:
            self.api.delete(path, {"preconditions": {"uid": made["metadata"]["uid"]}})

    def _siblings(self) -> list[Object]:
        """All membership objects, read afresh."""
        found = self.api.get(self._maps, {"labelSelector": f"{KIND_LABEL}={Kind.MEMBER}"})["items"]
        return [dict(item) for item in found]

    def _members(self) -> list[Member]:
        return list(members(self._siblings())[0].values())

    def _plan(self) -> Plan | None:
        """Read afresh."""
        try:
            return plan(self._get_or_none(f"{self._maps}/{PLAN_NAME}"))
        except Unreadable as error:
            raise ActionError(str(error)) from error

    def _get_or_none(self, path: str) -> Object | None:
        try:
            return self.api.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def _words(bricks: frozenset[str]) -> str:
    return " ".join(sorted(bricks))

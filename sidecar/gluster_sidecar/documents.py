"""Kubernetes' objects as the nouns of `model`: the one place where what others may have written is read.

Anybody may change a ConfigMap. One that does not parse is set aside and named (`Cluster.unreadable`), and
everything else goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from .contract import (
    BRICKS_ANNOTATION,
    DRAIN_FINALIZER,
    KIND_LABEL,
    NODE_LABEL,
    OVERRIDE_ANNOTATION,
    PLAN_NAME,
    STATUS_NAME,
    TEMPLATE_ANNOTATION,
    Kind,
    MemberKey,
    MemberState,
    PlanKey,
    StatusKey,
    member_name,
    parse_left,
    parse_nodes,
    settled_mark,
)
from .errors import ObservationError
from .kubernetes import Object
from .model import Blame, Guarded, Member, Notes, Plan, Pod

SHOWN: Final = 40
"""Characters of a value that a person is shown."""


class Unreadable(ObservationError):
    """An object of ours that does not parse; which, by which key and value, and what is wrong."""

    def __init__(self, name: str, key: str, value: object, wrong: str) -> None:
        super().__init__(f"ConfigMap {name}: {key} is {repr(value)[:SHOWN]}: {wrong}")


def pod(item: Object) -> Pod | None:
    """A node's pod; None for one without a node number."""
    meta, status = item["metadata"], item.get("status", {})
    number = (meta.get("labels") or {}).get(NODE_LABEL, "")
    if not number.isdecimal():
        return None
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return Pod(
        node=int(number),
        name=meta["name"],
        created=datetime.fromisoformat(meta["creationTimestamp"].replace("Z", "+00:00")),
        address=status.get("hostIP"),
        running=status.get("phase") == "Running",
        ready=conditions.get("Ready") == "True",
        terminating="deletionTimestamp" in meta,
        uid=meta.get("uid", ""),
        template=(meta.get("annotations") or {}).get(TEMPLATE_ANNOTATION, ""),
    )


def guarded(item: Object) -> tuple[int, Guarded] | None:
    """A node's number, and its controller or claim; None for an object without a node number."""
    meta, template = item["metadata"], (item.get("spec") or {}).get("template") or {}
    number = (meta.get("labels") or {}).get(NODE_LABEL, "")
    if not number.isdecimal():
        return None
    marks = (template.get("metadata") or {}).get("annotations") or {}
    return int(number), Guarded(
        bricks=bricks_guarded(item),
        terminating="deletionTimestamp" in meta,
        template=marks.get(TEMPLATE_ANNOTATION, ""),
        released=(item.get("status") or {}).get("phase")
        == "Pending",  # or so it may be: see `Observer._bound`
    )


def bricks_guarded(item: Object) -> frozenset[str]:
    """Paths of the bricks that the guard on a controller or claim names."""
    return frozenset((item["metadata"].get("annotations") or {}).get(BRICKS_ANNOTATION, "").split())


def is_there(item: Object | None) -> bool:
    """An object that is being deleted is gone, unless a finalizer of ours is on it."""
    return item is not None and "deletionTimestamp" not in item["metadata"]


def members(items: Iterable[Object]) -> tuple[dict[int, Member], list[str]]:
    """By node; and what is wrong with those that are set aside."""
    found, wrong = dict[int, Member](), list[str]()
    for item in items:
        try:
            if (one := member(item)) is not None:
                found[one.node] = one
        except Unreadable as error:
            wrong.append(str(error))
    return found, wrong


def member(item: Object) -> Member | None:
    """A membership object; None for any other ConfigMap of ours. Raises Unreadable."""
    meta, data = item["metadata"], item.get("data") or {}
    if (meta.get("labels") or {}).get(KIND_LABEL) != Kind.MEMBER:
        return None
    number = data.get(MemberKey.NODE)
    if (node := _count(number)) is None:
        raise Unreadable(meta["name"], MemberKey.NODE, number, "no number of a node")
    if meta["name"] != member_name(node):
        raise Unreadable(
            meta["name"], MemberKey.NODE, number, f"the member of that node is {member_name(node)}"
        )
    return Member(
        node=node,
        terminating="deletionTimestamp" in meta,
        held=DRAIN_FINALIZER in (meta.get("finalizers") or ()),
        joined=data.get(MemberKey.JOINED) == "true",
        state=_state(data.get(MemberKey.STATE)),
        uuid=data.get(MemberKey.UUID) or None,
        op_version=data.get(MemberKey.OP_VERSION) or None,
        brick=data.get(MemberKey.BRICK, ""),
        process=data.get(MemberKey.PROCESS, ""),
        blames=_blames(data.get(MemberKey.BLAMES, "")),
        unhealed=tuple(data.get(MemberKey.UNHEALED, "").splitlines()),
        knows=_nodes(data.get(MemberKey.KNOWS, "")),
        place=data.get(MemberKey.PLACE) or None,
        spare=data.get(MemberKey.SPARE) == "true",
        disk=data.get(MemberKey.DISK, ""),
        lost=frozenset(data.get(MemberKey.LOST, "").split()),
        heals=_count(data.get(MemberKey.HEALS)),
        caught_up=data.get(MemberKey.CAUGHT_UP, ""),
        start_asked=data.get(MemberKey.START_ASKED, ""),
        start_granted=data.get(MemberKey.START_GRANTED, ""),
        used=_count(data.get(MemberKey.USED)),
        free=_count(data.get(MemberKey.FREE)),
        inodes_used=_count(data.get(MemberKey.INODES_USED)),
        inodes_free=_count(data.get(MemberKey.INODES_FREE)),
        waits=joined if (joined := data.get(MemberKey.JOINED, "")) != "true" else "",
        left=parse_left(data.get(MemberKey.LEFT, "")),
        left_plan=data.get(MemberKey.LEFT_PLAN, ""),
        leaves=data.get(MemberKey.LEAVES) == "true",
        override=" ".join((meta.get("annotations") or {}).get(OVERRIDE_ANNOTATION, "").split()),
    )


def plan(item: Object | None) -> Plan | None:
    """The plan; one that is being deleted is gone (nothing holds it). Raises Unreadable."""
    if item is None or not is_there(item):
        return None
    data = item.get("data") or {}
    grace = data.get(PlanKey.GRACE, "")
    if grace and _count(grace) is None:
        raise Unreadable(PLAN_NAME, PlanKey.GRACE, grace, "no number of seconds")
    return Plan(
        nodes=_plan_nodes(item, PlanKey.NODES),
        spares=_plan_nodes(item, PlanKey.SPARES),
        template=data.get(PlanKey.TEMPLATE, ""),
        options=_options(data.get(PlanKey.OPTIONS) or "{}"),
        grace_seconds=int(grace) if grace else None,
        mark=settled_mark(data),
        version=item["metadata"].get("resourceVersion", ""),
    )


def _plan_nodes(item: Object, key: PlanKey) -> frozenset[int]:
    text = (item.get("data") or {}).get(key)
    if text is None and key is PlanKey.NODES:
        raise Unreadable(PLAN_NAME, key, text, "a plan names its nodes")
    try:
        return parse_nodes(text or "")
    except ValueError:
        raise Unreadable(PLAN_NAME, key, text, "no list of node numbers") from None


def _options(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        raise Unreadable(PLAN_NAME, PlanKey.OPTIONS, text, "no JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Unreadable(PLAN_NAME, PlanKey.OPTIONS, text, "no JSON object of texts")
    return found


def as_it_is(known: Mapping[int, Member]) -> Plan:
    """What stands for a plan that cannot be read: everybody stays, nobody comes, and nothing is settled. That
    there is no plan would mean that the stack is being destroyed."""
    spares = frozenset(node for node, one in known.items() if one.spare)
    return Plan(nodes=frozenset(known) - spares, spares=spares)


def notes(item: Object | None) -> tuple[Notes, list[str]]:
    """What the leaders noted; and what is wrong with it. Of what cannot be read, nothing is known."""
    data: dict[str, Any] = (item or {}).get("data") or {}
    wrong = list[str]()
    away, peers = dict[int, datetime](), frozenset[int]()
    try:
        away = _times(data.get(StatusKey.AWAY, ""))
    except ValueError:
        key = StatusKey.AWAY
        wrong.append(str(Unreadable(STATUS_NAME, key, data[key], "no times by node")))
    try:
        peers = parse_nodes(data.get(StatusKey.PEERS, ""))
    except ValueError:
        key = StatusKey.PEERS
        wrong.append(str(Unreadable(STATUS_NAME, key, data[key], "no list of node numbers")))
    found = Notes(
        balanced=frozenset(data.get(StatusKey.BALANCED, "").split()),
        rebalance_bricks=frozenset(data.get(StatusKey.REBALANCE_BRICKS, "").split()),
        rebalance_after=data.get(StatusKey.REBALANCE_AFTER, ""),
        whole=frozenset(data.get(StatusKey.WHOLE, "").split()),
        unproven=frozenset(data.get(StatusKey.UNPROVEN, "").split()),
        replaced=frozenset(data.get(StatusKey.REPLACED, "").split()),
        options=frozenset(data.get(StatusKey.OPTIONS, "").split()),
        watch=data.get(StatusKey.WATCH, ""),
        away=away,
        peers=peers,
    )
    return found, wrong


def format_blames(blames: Mapping[str, Blame]) -> str:
    """As `MemberKey.BLAMES`.

    >>> format_blames({"b:/d": Blame("7.1", blamed=False), "a:/d": Blame("", blamed=True)})
    'a:/d - blamed\\nb:/d 7.1 clear'
    """
    words = {True: "blamed", False: "clear"}
    return "\n".join(f"{brick} {b.process or '-'} {words[b.blamed]}" for brick, b in sorted(blames.items()))


def _blames(text: str) -> dict[str, Blame]:
    """Of a line that does not parse, nothing is known."""
    found = dict[str, Blame]()
    for line in text.splitlines():
        match line.split():
            case [brick, process, ("clear" | "blamed") as word]:
                found[brick] = Blame("" if process == "-" else process, word == "blamed")
    return found


def _times(text: str) -> dict[int, datetime]:
    pairs = (line.partition("=") for line in text.split())
    return {int(node): datetime.fromisoformat(at) for node, _, at in pairs}


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _state(text: str | None) -> MemberState:
    try:
        return MemberState(text or MemberState.STARTING)
    except ValueError:
        return MemberState.STARTING


def _nodes(text: str) -> frozenset[int]:
    try:
        return parse_nodes(text)
    except ValueError:
        return frozenset()

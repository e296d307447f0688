"""glusterd's answers to the model. Pure; fields are read by name, nothing is matched by substring.

Shapes as glusterfs 10 and 11 print them (cli/src/cli-xml-output.c).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from .contract import node_of_host
from .errors import ObservationError
from .model import Brick, Peer, Task, TaskState, Volume

# `gf_defrag_status_t` of glusterfs (rpc/xdr/src/cli1-xdr.x).
_TASK_STATES = {
    "0": TaskState.STOPPED,
    "1": TaskState.RUNNING,
    "2": TaskState.STOPPED,
    "3": TaskState.DONE,
    "4": TaskState.FAILED,
    # A layout alone was mended, by hand: the data is not spread by that.
    "5": TaskState.RUNNING,
    "6": TaskState.STOPPED,
    "7": TaskState.STOPPED,
    "8": TaskState.FAILED,
    # Forgotten because a brick was replaced or reset.
    "9": TaskState.STOPPED,
    "10": TaskState.STOPPED,
}
# `GD_FRIEND_STATE_BEFRIENDED`: "Peer in Cluster" (xlators/mgmt/glusterd/src/glusterd-sm.h).
_BEFRIENDED = "3"
# `GD_FRIEND_STATE_REJECTED`: "Peer Rejected".
_REJECTED = "6"
_STARTED = "1"
_SELF = "localhost"


def _text(element: ET.Element, name: str) -> str:
    found = element.findtext(name)
    if found is None:
        raise ObservationError(f"gluster's answer has no <{name}> in <{element.tag}>")
    return found


def op_version(root: ET.Element) -> str:
    """`volume get all cluster.op-version --xml`: of the glusterd that was asked."""
    options = {_text(one, "Option"): _text(one, "Value") for one in root.iterfind("volGetopts/Opt")}
    if not options.get("cluster.op-version", "").isdecimal():
        raise ObservationError(f"gluster tells no operating version: {options}")
    return options["cluster.op-version"]


def peers(root: ET.Element) -> dict[str, Peer]:
    """`pool list --xml`: all peers but the one asked, each by its node's name if it has that among its
    names, else by the first."""
    found = {}
    for peer in root.iterfind("peerStatus/peer"):
        if _text(peer, "hostname") == _SELF:
            continue
        names = [_text(peer, "hostname"), *(n.text or "" for n in peer.iterfind("hostnames/hostname"))]
        host = next((name for name in names if node_of_host(name) is not None), names[0])
        found[host] = Peer(
            host=host,
            uuid=_text(peer, "uuid"),
            connected=_text(peer, "connected") == "1",
            in_cluster=_text(peer, "state") == _BEFRIENDED,
            rejected=_text(peer, "state") == _REJECTED,
        )
    return found


def own_uuid(root: ET.Element) -> str:
    """The same answer: the UUID of the glusterd that was asked.

    Not by `get-state`: that fails on every node once a brick was replaced (glusterd_get_state of 11.1
    knows no name for the state that a rebalance is in from then on).
    """
    for peer in root.iterfind("peerStatus/peer"):
        if _text(peer, "hostname") == _SELF:
            return _text(peer, "uuid")
    raise ObservationError("gluster's list of the pool lacks the one that was asked")


def volume(root: ET.Element, name: str) -> Volume | None:
    """`volume info all --xml`: the volume of that exact name, or None if there is none."""
    for element in root.iterfind("volInfo/volumes/volume"):
        if _text(element, "name") != name:
            continue
        bricks = []
        for brick in element.iterfind("bricks/brick"):
            host, _, path = _text(brick, "name").partition(":")
            bricks.append(Brick(host, path))
        return Volume(
            name=name,
            started=_text(element, "status") == _STARTED,
            replica=int(_text(element, "replicaCount")),
            bricks=tuple(bricks),
            arbiter=element.findtext("arbiterCount", "0") != "0",
            options={_text(o, "name"): _text(o, "value") for o in element.iterfind("options/option")},
        )
    return None


def with_status(known: Volume, root: ET.Element) -> Volume:
    """`volume status NAME --xml` added to what `volume info` said.

    A brick that the answer does not mention (its node is away) is not online.
    """
    online = {}
    for node in root.iterfind("volStatus/volumes/volume/node"):
        path = _text(node, "path")
        if path.startswith("/"):  # the self-heal daemons stand in the same list, named `localhost` or a UUID
            online[f"{_text(node, 'hostname')}:{path}"] = _text(node, "status") == "1"
    rebalance = removal = None
    for task in root.iterfind("volStatus/volumes/volume/tasks/task"):
        kind, state = _text(task, "type"), _TASK_STATES.get(_text(task, "status"))
        if state is None:
            raise ObservationError(
                f"gluster reports a task in state {_text(task, 'status')}, which is not known"
            )
        bricks = tuple(brick.text or "" for brick in task.iterfind("params/brick"))
        seen = Task(id=_text(task, "id"), state=state, bricks=bricks)
        if kind == "Rebalance":
            rebalance = seen
        elif kind == "Remove brick":
            removal = seen
    return replace(
        known,
        bricks=tuple(replace(brick, online=online.get(brick.id, False)) for brick in known.bricks),
        rebalance=rebalance,
        removal=removal,
        detailed=True,
    )


def removal_result(root: ET.Element, hosts: Collection[str], me: str) -> tuple[TaskState, int]:
    """`volume remove-brick NAME BRICKS status --xml`: as `rebalance_result`; a file that was skipped stays on
    a brick that leaves, so it is one that could not be moved."""
    return _result(root.find("volRemoveBrick"), hosts, me, ("failures", "skipped"))


def rebalance_result(root: ET.Element, hosts: Collection[str], me: str) -> tuple[TaskState, int]:
    """`volume rebalance NAME status --xml`: whether it still runs on any node, and how much of it failed:
    files that could not be moved, and nodes of `hosts` that have not done their share. Files that were
    skipped, because the other disk is fuller, stay where they are and are no failure.

    Each node moves a share of its own. `volume status` tells of the node that is asked alone, and a node
    whose glusterd was started anew in between may have forgotten its share ("not started").
    """
    return _result(root.find("volRebalance"), hosts, me, ("failures",))


def _result(
    answer: ET.Element | None, hosts: Collection[str], me: str, counts: Iterable[str]
) -> tuple[TaskState, int]:
    total = answer.find("aggregate") if answer is not None else None
    if answer is None or total is None:
        raise ObservationError("gluster's answer on a task has no <aggregate>")
    states = {_text(n, "nodeName"): _TASK_STATES.get(_text(n, "status")) for n in answer.iterfind("node")}
    states[me] = states.pop(_SELF, states.get(me))
    idle = sum(states.get(host) is not TaskState.DONE for host in hosts)
    running = TaskState.RUNNING in states.values()
    failed = sum(int(_text(total, count)) for count in counts)
    return TaskState.RUNNING if running else TaskState.DONE, failed + idle


def heals(root: ET.Element) -> dict[str, int | None]:
    """`volume heal NAME info summary --xml`: entries that wait on each brick; None for a brick that
    did not answer."""
    found: dict[str, int | None] = {}
    for brick in root.iterfind("healInfo/bricks/brick"):
        count = (
            _text(brick, "totalNumberOfEntries") if brick.find("totalNumberOfEntries") is not None else "-"
        )
        found[_text(brick, "name")] = int(count) if count.isdecimal() else None
    return found


def clients(root: ET.Element) -> dict[str, dict[str, int]]:
    """`volume status NAME clients --xml`: by brick that runs, from which address how many are connected."""
    found: dict[str, dict[str, int]] = {}
    for node in root.iterfind("volStatus/volumes/volume/node"):
        if _text(node, "status") != "1":
            continue
        hosts = (_text(client, "hostname") for client in node.iterfind("clientsStatus/client"))
        counts = Counter(host.rpartition(":")[0] for host in hosts)  # each connection has a port of its own
        found[f"{_text(node, 'hostname')}:{_text(node, 'path')}"] = dict(counts)
    return found


def split_brain(root: ET.Element) -> int | None:
    """The same answer: entries of which no copy is known to be right; None unless every brick answered."""
    counts = [
        brick.findtext("numberOfEntriesInSplitBrain", "-") for brick in root.iterfind("healInfo/bricks/brick")
    ]
    return sum(map(int, counts)) if counts and all(map(str.isdecimal, counts)) else None

"""How guards are written and taken off, on objects that others change meanwhile."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import pytest
from gluster_sidecar import actions as do
from gluster_sidecar.contract import BRICKS_ANNOTATION
from gluster_sidecar.errors import ActionError, ApiError, Conflict
from gluster_sidecar.execute import Executor
from gluster_sidecar.gluster import Cli
from gluster_sidecar.kubernetes import Api, Object
from gluster_sidecar.settings import Settings

NAMESPACE = "/api/v1/namespaces/default"
PLAN = f"{NAMESPACE}/configmaps/gluster-plan"
KINDS = ("persistentvolumeclaims", "replicationcontrollers")


class Server(Api):
    """Lists, merge patches and deletions, with the versions of objects."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.before: Callable[[str, str], None] = lambda method, path: None

    def put(self, path: str, **data: object) -> None:
        meta = {"name": path.rpartition("/")[2], "uid": path, "resourceVersion": "1"}
        self.objects[path] = {"metadata": meta, **data}

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        if query and (name := query.get("fieldSelector", "").removeprefix("metadata.name=")):
            found = self.objects.get(f"{path}/{name}")
            return {"items": [copy.deepcopy(found)] if found else []}
        if query:
            return {"items": [one for one in self.objects.values() if "labels" in one["metadata"]]}
        if path not in self.objects:
            raise ApiError("not found", 404)
        return copy.deepcopy(self.objects[path])

    def merge(self, path: str, body: object) -> Object:
        assert isinstance(body, dict)
        self.before("PATCH", path)
        meta = self.objects[path]["metadata"]
        change = body["metadata"]
        if change.get("resourceVersion", meta["resourceVersion"]) != meta["resourceVersion"]:
            raise Conflict("another wrote first", 409)
        notes = {**meta.get("annotations", {}), **change.get("annotations", {})}
        meta["annotations"] = {key: value for key, value in notes.items() if value is not None}
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        return copy.deepcopy(self.objects[path])

    def delete(self, path: str, options: Object) -> Object:
        return self.objects.pop(path)

    def held(self, node: int) -> list[str]:
        """What claim and controller say."""
        metas = [self.objects[path]["metadata"] for path in paths(node)]
        return [meta.get("annotations", {}).get(BRICKS_ANNOTATION, "") for meta in metas]


def paths(node: int) -> list[str]:
    return [f"{NAMESPACE}/{kind}/gluster-{node}" for kind in KINDS]


@pytest.fixture
def server() -> Server:
    server = Server()
    server.put(PLAN, data={"nodes": "1,2"})
    for node in (2, 3):
        for path in paths(node):
            server.put(path)
    return server


@pytest.fixture
def executor(server: Server) -> Executor:
    return Executor(Settings(), Cli(), server)


def test_a_claim_that_is_going_leaves_no_controller_unguarded(server: Server, executor: Executor) -> None:
    server.objects[paths(2)[0]]["metadata"]["deletionTimestamp"] = "now"
    with pytest.raises(ActionError, match="persistentvolumeclaims of node 2 are going"):
        executor.apply(do.HoldData(2, frozenset({"/data/brick"})))
    assert server.held(2)[1] == "/data/brick"


def test_a_guard_only_grows_whatever_an_old_look_knew(server: Server, executor: Executor) -> None:
    executor.apply(do.HoldData(3, frozenset({"/data/brick"})))
    executor.apply(do.HoldData(3, frozenset({"/data/brick-2"})))
    assert server.held(3) == ["/data/brick /data/brick-2"] * 2


def test_a_right_that_is_missing_is_told_as_a_step_that_failed(server: Server, executor: Executor) -> None:
    def forbid(method: str, path: str) -> None:
        raise ApiError("patch is forbidden", 403)

    server.before = forbid
    with pytest.raises(ActionError, match="no right to write the guard of node 3"):
        executor.apply(do.HoldData(3, frozenset({"/data/brick"})))


def test_a_late_release_does_not_take_off_a_newer_guard(server: Server, executor: Executor) -> None:
    """A leader stands still between its look and its write; the plan names the node again meanwhile."""
    executor.apply(do.HoldData(3, frozenset({"/data/brick"})))
    writes = 0

    def other_leader(method: str, path: str) -> None:
        nonlocal writes
        writes += 1
        if writes == 1:
            executor.apply(do.HoldData(3, frozenset({"/data/brick-2"})))

    server.before = other_leader
    with pytest.raises(Conflict):
        executor.apply(do.ReleaseData(3, frozenset({1, 2}), frozenset({"/data/brick"})))
    with pytest.raises(ActionError, match="guarded for another brick"):
        executor.apply(do.ReleaseData(3, frozenset({1, 2}), frozenset({"/data/brick"})))
    assert server.held(3) == ["/data/brick /data/brick-2"] * 2


def test_a_node_that_became_a_spare_is_not_released(server: Server, executor: Executor) -> None:
    executor.apply(do.HoldData(3, frozenset({"/data/brick"})))
    server.objects[PLAN]["data"]["spares"] = "3"
    with pytest.raises(ActionError, match="the plan changed"):
        executor.apply(do.ReleaseData(3, frozenset({1, 2}), frozenset({"/data/brick"})))
    assert server.held(3) == ["/data/brick"] * 2


def test_in_a_teardown_only_members_of_nodes_that_are_there_count(server: Server, executor: Executor) -> None:
    del server.objects[PLAN]
    executor.apply(do.HoldData(2, frozenset({"/data/brick"})))
    for node in (3, 4):
        server.put(f"{NAMESPACE}/configmaps/gluster-member-{node}", data={"node": str(node)})
        labels = {"gluster-stack.dev/kind": "member"}
        server.objects[f"{NAMESPACE}/configmaps/gluster-member-{node}"]["metadata"]["labels"] = labels
    with pytest.raises(ActionError, match=r"the members of nodes \[3\] live"):
        executor.apply(do.ReleaseData(2, None))
    for path in paths(3):
        del server.objects[path]
    executor.apply(do.ReleaseData(2, None))
    assert server.held(2) == [""] * 2


def test_a_leftover_member_goes_only_if_its_node_has_nothing(server: Server, executor: Executor) -> None:
    member = f"{NAMESPACE}/configmaps/gluster-member-3"
    server.put(member, data={"node": "3"})
    with pytest.raises(ActionError, match="its member stays"):
        executor.apply(do.ForgetMember(3))
    for path in paths(3):
        del server.objects[path]
    executor.apply(do.ForgetMember(3))
    assert member not in server.objects

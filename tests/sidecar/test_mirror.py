"""A copy that is kept up by a watch, and is believed only while it is."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping

import pytest
from gluster_sidecar.errors import ApiError
from gluster_sidecar.kubernetes import Api, Mirror, Object, Silence

from lab.waiting import wait_for


def thing(name: str, version: int, **more: object) -> Object:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, **more}


class Script(Api):
    """What the API server says, one answer after the other: of a list its objects, of a watch its events. An
    exception is raised in the place of an answer or an event."""

    def __init__(self) -> None:
        self.lists: queue.Queue[list[Object] | BaseException] = queue.Queue()
        self.events: queue.Queue[Object | BaseException | None] = queue.Queue()
        """None ends a watch."""
        self.asked: list[str] = []

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        items = self.lists.get()
        if isinstance(items, BaseException):
            raise items
        return {"metadata": {"resourceVersion": "100"}, "items": items}

    def watch(self, path: str, query: Mapping[str, str]) -> Iterator[Object]:
        self.asked.append(query["resourceVersion"])
        while (event := self.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def mirror(script: Script) -> Iterator[Mirror]:
    mirror = Mirror(script, "/things", {}, lambda: None, retry_seconds=0.01)
    mirror.start()
    yield mirror
    mirror.stop()
    script.lists.put([])
    script.events.put(None)


def names(mirror: Mirror) -> list[str] | None:
    known = mirror.known()
    return None if known is None else sorted(item["metadata"]["name"] for item in known)


def test_it_follows_what_changes_and_asks_from_where_it_was(script: Script, mirror: Mirror) -> None:
    assert names(mirror) is None, "not listed yet"
    script.lists.put([thing("a", 1)])
    wait_for("listed", lambda: names(mirror) == ["a"], 30)
    script.events.put({"type": "ADDED", "object": thing("b", 101)})
    script.events.put({"type": "DELETED", "object": thing("a", 102)})
    wait_for("followed", lambda: names(mirror) == ["b"], 30)
    script.events.put({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "150"}}})
    script.events.put(None)
    wait_for("watched again", lambda: script.asked == ["100", "150"], 30)


def test_a_version_that_is_too_old_has_all_listed_again(script: Script, mirror: Mirror) -> None:
    script.lists.put([thing("a", 1)])
    script.events.put({"type": "ERROR", "object": {"code": 410}})
    script.lists.put([thing("c", 2)])
    wait_for("listed again", lambda: names(mirror) == ["c"], 30)


@pytest.mark.parametrize(
    "broken",
    [
        ApiError("the stream broke"),
        {"type": "ADDED", "object": {"metadata": {}}},
        OSError(24, "Too many open files"),
        MemoryError(),
    ],
    ids=["stream", "odd object", "no handles", "no memory"],
)
def test_whatever_breaks_it_nobody_believes_it_until_it_is_listed_again(
    script: Script, mirror: Mirror, broken: Object | BaseException
) -> None:
    script.lists.put([thing("a", 1)])
    wait_for("listed", lambda: names(mirror) == ["a"], 30)
    script.events.put(broken)
    wait_for("distrusted", lambda: names(mirror) is None, 30)
    script.lists.put([thing("b", 2)])
    wait_for("trusted again", lambda: names(mirror) == ["b"], 30)


def test_where_nothing_happens_it_is_listed_again_and_believed_meanwhile(
    script: Script, mirror: Mirror
) -> None:
    """On a quiet cluster every cycle failed for a moment, each minute and a half."""
    script.lists.put([thing("a", 1)])
    wait_for("listed", lambda: names(mirror) == ["a"], 30)
    script.events.put(Silence("nothing for so long"))
    wait_for("taken", script.events.empty, 30)
    assert names(mirror) == ["a"]
    script.lists.put([thing("b", 2)])
    wait_for("listed again", lambda: names(mirror) == ["b"], 30)
    script.events.put(Silence("nothing for so long"))
    script.lists.put(ApiError("the connection has died"))
    wait_for("distrusted", lambda: names(mirror) is None, 30)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_copy_whose_thread_has_ended_is_not_believed(script: Script, mirror: Mirror) -> None:
    script.lists.put([thing("a", 1)])
    wait_for("listed", lambda: names(mirror) == ["a"], 30)
    thread = next(t for t in threading.enumerate() if t.name == "watch /things")
    script.events.put(SystemExit())
    thread.join(30)
    with pytest.raises(ApiError, match="nobody follows it"):
        mirror.objects()

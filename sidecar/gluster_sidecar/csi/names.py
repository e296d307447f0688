"""Where the members are: their names in this pod's hosts file, and who serves the volume file now.

The bricks' names resolve by cluster DNS as well, but a client must go on when DNS is slow or down, and
find a member that moved. So the addresses come from the API as they change, as they do for the
sidecars; when the API is down, too, the last ones known stay.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

from gluster_sidecar import hosts
from gluster_sidecar.contract import GLUSTERD_PORT, host_name
from gluster_sidecar.documents import pod
from gluster_sidecar.errors import ApiError
from gluster_sidecar.kubernetes import Object
from gluster_sidecar.settings import Settings

log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 2.0
_RESOLVE_SECONDS: Final = 1.0
"""The resolver knows no deadline: it is left behind after this."""
MOST_NAMED: Final = 8
"""Servers named to one client: each dead one that it tries costs it 3 s or more."""
MOST_ASKED: Final = 16
"""Servers that one start asks whether they answer, all at once."""
_BEGIN: Final = "# gluster-client: members with a running brick"
_END: Final = "# gluster-client: end"

Objects = Callable[[], list[Object]]
"""Raises ApiError while they are not known."""


def service_name(settings: Settings) -> str:
    return f"{settings.cluster_name}.{settings.namespace}.svc.cluster.local"


def addresses(pods: Iterable[Object]) -> dict[int, str]:
    """Of each node's machine; that of the pod made last, should there be two."""
    found = [seen for item in pods if (seen := pod(item)) is not None]
    return {p.node: p.address for p in sorted(found, key=lambda p: p.created) if p.address}


def serving(slices: Iterable[Object]) -> list[str]:
    """Addresses behind the clients' Service."""
    return sorted(
        {
            address
            for item in slices
            for endpoint in item.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready", True)
            for address in endpoint["addresses"]
        }
    )


def with_service(text: str, name: str, behind: Sequence[str]) -> str:
    """A hosts file in which `name` is these addresses; without a line for it if there are none."""
    kept, ours = [], False
    for line in text.splitlines():
        if line in (_BEGIN, _END):
            ours = line == _BEGIN
        elif not ours:
            kept.append(line)
    block = [_BEGIN, *(f"{address}\t{name}" for address in behind), _END] if behind else []
    return "\n".join([*kept, *block]) + "\n"


class Names:
    """Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        pods: Objects,
        slices: Objects,
        file: Path = hosts.FILE,
        answers: Callable[[str], bool] | None = None,
        lot: random.Random | None = None,
    ) -> None:
        self._settings, self._pods, self._slices, self._file = settings, pods, slices, file
        self._answers, self._lot = answers or _answers, lot or random.Random()
        self._pool = ThreadPoolExecutor(max_workers=2 * MOST_ASKED, thread_name_prefix="probe")
        self._asked: dict[str, Future[bool]] = {}
        self._lock = threading.Lock()
        self._nodes: Mapping[int, str] = {}
        self._behind: Sequence[str] = ()

    def refresh(self) -> None:
        """Brings the hosts file up to date. What is not known now stays as it was known last."""
        with self._lock:
            self._nodes = addresses(_known(self._pods)) or self._nodes
            self._behind = serving(_known(self._slices)) or self._behind
            text = self._file.read_text()
            new = hosts.merged(text, self._nodes, self._settings.namespace)
            new = with_service(new, service_name(self._settings), self._behind)
            if new != text:
                with self._file.open("r+") as handle:  # a mount of its own: no rename can replace it
                    handle.write(new)
                    handle.truncate()
                log.info("members: %s; serving: %s", dict(self._nodes), list(self._behind))

    def servers(self) -> list[str]:
        """The clients' Service and some members that serve, drawn by lot so that the clients of a large
        cluster do not all hang on the same few; those that answer now before those that do not.

        Without this order a client that begins with a machine without power waits for TCP to give up,
        for two minutes. A member that does not serve may know no volume yet, and the client would end.
        """
        with self._lock:
            serving = [node for node, address in self._nodes.items() if address in self._behind]
            nodes = serving or sorted(self._nodes) or [1, 2]
        service = service_name(self._settings)
        drawn = (
            self._lot.sample(nodes, min(len(nodes), MOST_ASKED - 1)) if serving else nodes[: MOST_ASKED - 1]
        )
        members = [host_name(node, self._settings.namespace) for node in drawn]
        alive = self._alive([service, *members])
        best = sorted(members, key=lambda name: name not in alive)[: MOST_NAMED - 1]
        names = [*best, service] if serving else [service, *best]
        return sorted(names, key=lambda name: name not in alive)

    def _alive(self, names: Sequence[str]) -> set[str]:
        """Those that answer in time. One that has not answered yet to a start before is not asked again."""
        with self._lock:
            self._asked = {name: one for name, one in self._asked.items() if not one.done()}
            for name in names:
                if name not in self._asked:
                    self._asked[name] = self._pool.submit(self._answers, name)
            asked = {name: self._asked[name] for name in names}
        wait(asked.values(), PROBE_SECONDS + _RESOLVE_SECONDS)
        for one in asked.values():
            one.cancel()  # if it waits for a thread yet
        return {name for name, one in asked.items() if one.done() and not one.cancelled() and one.result()}


def _known(objects: Objects) -> list[Object]:
    try:
        return objects()
    except ApiError as error:
        log.warning("addresses stay as they are: %s", error)
        return []


def _answers(name: str) -> bool:
    try:
        socket.create_connection((name, GLUSTERD_PORT), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True

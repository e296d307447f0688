"""The lab's network: a hub with a bridge, a namespace for every node, one link to the machine.

Nothing here leads out. The hub does not forward, nodes have no default route, and the machine's own
forwarding is never touched; only the hub's end of the link is known to the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.addresses import (
    BRIDGE,
    HUB,
    SERVICE_NETWORK,
    Link,
    link_candidates,
    node_address,
    node_name,
    pod_range,
)
from lab.errors import LabError
from lab.paths import Paths
from lab.run import ok, run

NETNS = Path("/run/netns")


@dataclass(frozen=True)
class Network:
    paths: Paths
    nodes: int

    @property
    def machine_end(self) -> str:
        """Name of the machine's end of the link to the hub."""
        return f"{self.paths.id}r"

    def ensure_hub(self, link: Link) -> bool:
        """True if something was missing."""
        hub = self.paths.hub
        made = _make_namespace(hub)
        if self.machine_end not in links():
            _ip(f"link add {self.machine_end} type veth peer name root0 netns {hub}")
            made = True
        if BRIDGE not in links(hub):
            _ip(f"link add {BRIDGE} type bridge", netns=hub)
            made = True
        _ip(
            "link set lo up",
            f"addr replace {HUB}/24 dev {BRIDGE}",
            f"link set {BRIDGE} up",
            f"addr replace {link.hub}/30 dev root0",
            "link set root0 up",
            f"route replace blackhole {SERVICE_NETWORK}",
            *(f"route replace {pod_range(n)} via {node_address(n)}" for n in self._numbers()),
            netns=hub,
        )
        _ip(
            f"addr replace {link.machine}/30 dev {self.machine_end}",
            f"link set {self.machine_end} up",
        )
        # A new namespace takes the machine's value, which is 1 where Docker runs.
        _sysctl(hub, "net.ipv4.ip_forward=0")
        return made

    def ensure_node(self, node: int) -> bool:
        """True if something was missing or the cable was cut."""
        netns, hub, port = self.paths.netns(node), self.paths.hub, node_name(node)
        made = _make_namespace(netns)
        if port not in links(hub):
            _ip(f"link add {port} type veth peer name eth0 netns {netns}", netns=hub)
            made = True
        made |= not self.plugged(node)
        _ip(f"link set {port} master {BRIDGE}", f"link set {port} up", netns=hub)
        _ip(
            "link set lo up",
            f"addr replace {node_address(node)}/24 dev eth0",
            "link set eth0 up",
            # Only for the route lookup that comes before a service's address is replaced.
            f"route replace {SERVICE_NETWORK} via {HUB}",
            *(f"route replace {pod_range(n)} via {node_address(n)}" for n in self._numbers() if n != node),
            netns=netns,
        )
        _sysctl(netns, "net.ipv4.ip_forward=1")
        return made

    def plug(self, node: int, connected: bool) -> None:
        """Puts the node's cable into the bridge or pulls it."""
        _ip(f"link set {node_name(node)} {'up' if connected else 'down'}", netns=self.paths.hub)

    def plugged(self, node: int) -> bool:
        return "UP" in links(self.paths.hub).get(node_name(node), [])

    def _numbers(self) -> Iterable[int]:
        return range(1, self.nodes + 1)


def links(netns: str | None = None) -> dict[str, list[str]]:
    """Flags of every link of a namespace by the link's name; none where there is no namespace."""
    if netns is not None and not is_namespace(netns):
        return {}
    where = [] if netns is None else ["-n", netns]
    return {link["ifname"]: link["flags"] for link in json.loads(run(["ip", "-j", *where, "link"]) or "[]")}


def choose_link(lab_id: str) -> Link:
    """The first link-local pair that nothing on the machine uses. Raises LabError if all are used."""
    used = {
        info["local"] for link in json.loads(run(["ip", "-j", "-4", "addr"])) for info in link["addr_info"]
    } | {route["dst"] for route in json.loads(run(["ip", "-j", "-4", "route"]))}
    for link in link_candidates(lab_id):
        network, _, last = link.machine.rpartition(".")
        if not used & {link.machine, link.hub, f"{network}.{int(last) - 1}/30"}:
            return link
    raise LabError("every link-local address is in use: `ip -4 addr` shows by whom")


def is_namespace(name: str) -> bool:
    """Whether a namespace of that name exists; a bare file of a broken `ip netns add` does not count."""
    file = NETNS / name
    return file.exists() and file.stat().st_dev != NETNS.stat().st_dev


def namespaces(lab_id: str) -> list[str]:
    """Names of all the lab's network namespaces, also of broken ones."""
    return sorted(path.name for path in NETNS.glob(f"{lab_id}-*")) if NETNS.is_dir() else []


def inodes(lab_id: str) -> frozenset[int]:
    """What tells a process of the lab by its network."""
    return frozenset((NETNS / n).stat().st_ino for n in namespaces(lab_id) if is_namespace(n))


def remove(lab_id: str) -> None:
    """Removes namespaces, and with them every link in them, and the machine's end of the link."""
    for name in namespaces(lab_id):
        if is_namespace(name):
            run(["ip", "netns", "del", name])
        else:
            (NETNS / name).unlink(missing_ok=True)
    for name in left_links(lab_id):
        # A pair dies with the namespace of its other end, a moment later: then there is nothing to do.
        ok(["ip", "link", "del", name])


def left_links(lab_id: str) -> list[str]:
    return sorted(name for name in links() if name.startswith(lab_id))


def _make_namespace(name: str) -> bool:
    if is_namespace(name):
        return False
    (NETNS / name).unlink(missing_ok=True)
    run(["ip", "netns", "add", name])
    return True


def _ip(*commands: str, netns: str | None = None) -> None:
    where = [] if netns is None else ["-n", netns]
    run(["ip", *where, "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))


def _sysctl(netns: str, setting: str) -> None:
    run(["nsenter", f"--net={NETNS / netns}", "sysctl", "-qw", setting])

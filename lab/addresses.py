"""Every name and address of a lab, computed from its state directory and a node's number. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HUB: Final = "10.77.0.1"
"""The bridge in the hub: API server, DNS and the nodes' way to the service range."""
NODE_NETWORK: Final = "10.77.0.0/24"
POD_NETWORK: Final = "10.78.0.0/16"
SERVICE_NETWORK: Final = "10.96.0.0/16"
API_SERVICE: Final = "10.96.0.1"
DNS_SERVICE: Final = "10.96.0.10"
DOMAIN: Final = "cluster.local"
API_PORT: Final = 6443
BRIDGE: Final = "lab0"
MAX_NODES: Final = 99


def lab_id(state: str) -> str:
    """The id that every kernel object of the lab carries; `state` is the absolute state directory.

    >>> lab_id("/work/main/.lab") == lab_id("/work/main/.lab") != lab_id("/work/other/.lab")
    True
    """
    return "gl" + hashlib.sha256(state.encode()).hexdigest()[:6]


def node_name(node: int) -> str:
    return f"kn{node}"


def node_address(node: int) -> str:
    return f"10.77.0.{10 + node}"


def pod_range(node: int) -> str:
    """Addresses of the pods of one node."""
    return f"10.78.{node}.0/24"


@dataclass(frozen=True)
class Link:
    """The two ends of the pair that joins the machine's own network to the hub, a /30."""

    machine: str
    hub: str


def link_candidates(identity: str) -> Iterator[Link]:
    """Every link-local /30 in an order of the lab's own, so that labs seldom try the same first.

    169.254.169.x is left out: clouds answer there.
    """
    blocks = [(a, b) for a in range(1, 255) if a != 169 for b in range(0, 256, 4)]
    first = int(identity.removeprefix("gl"), 16) % len(blocks)
    for a, b in blocks[first:] + blocks[:first]:
        yield Link(machine=f"169.254.{a}.{b + 1}", hub=f"169.254.{a}.{b + 2}")

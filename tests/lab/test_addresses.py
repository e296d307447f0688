"""Names and addresses: stable, apart from each other, and never in a cloud's own range."""

from __future__ import annotations

import ipaddress
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from lab import addresses


@given(st.text(), st.text())
def test_an_id_is_stable_short_and_differs_with_the_folder(one: str, other: str) -> None:
    identity = addresses.lab_id(one)
    assert identity == addresses.lab_id(one)
    assert identity.startswith("gl")
    assert len(identity) == 8
    assert (one == other) == (identity == addresses.lab_id(other))


def test_machines_and_their_pods_have_room_of_their_own() -> None:
    numbers = range(1, addresses.MAX_NODES + 1)
    nodes = [ipaddress.IPv4Address(addresses.node_address(n)) for n in numbers]
    pods = [ipaddress.IPv4Network(addresses.pod_range(n)) for n in numbers]
    assert len(set(nodes)) == len(nodes)
    assert all(node in ipaddress.IPv4Network(addresses.NODE_NETWORK) for node in nodes)
    assert ipaddress.IPv4Address(addresses.HUB) not in nodes
    assert all(pod.subnet_of(ipaddress.IPv4Network(addresses.POD_NETWORK)) for pod in pods)
    assert not any(a.overlaps(b) for a in pods for b in pods if a is not b)


@given(st.integers(0, 2**24 - 1))
def test_links_are_pairs_of_one_block_outside_the_clouds_own(number: int) -> None:
    for link in islice(addresses.link_candidates(f"gl{number:06x}"), 50):
        block = ipaddress.IPv4Network(f"{link.machine}/30", strict=False)
        assert [str(host) for host in block.hosts()] == [link.machine, link.hub]
        assert block.subnet_of(ipaddress.IPv4Network("169.254.0.0/16"))
        assert not block.overlaps(ipaddress.IPv4Network("169.254.169.0/24"))


def test_every_block_is_tried_once() -> None:
    links = list(addresses.link_candidates("gl000123"))
    assert len(links) == len(set(links)) == 253 * 64

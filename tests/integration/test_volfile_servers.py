"""A mounted client follows the volume whatever becomes of the servers that it was told of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.bare import bare
from tests.integration.pool import Pool, wait_for
from tests.integration.seen import answers
from tests.simulation.pool import host

pytestmark = [pytest.mark.lab]

LOG = "/var/log/client.log"


@pytest.fixture
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with bare(tmp_path_factory.mktemp("servers"), 1, 2, 3) as pool:
        for node in (2, 3):
            pool.gluster(1, "peer", "probe", host(node))
        wait_for("all know all", lambda: pool.gluster(1, "pool", "list").count("Connected") == 3)
        pool.gluster(1, "volume", "create", "data", "replica", "2", *bricks("brick"), "force")
        pool.gluster(1, "volume", "start", "data")
        yield pool


def bricks(name: str) -> list[str]:
    return [f"{host(node)}:/data/{name}" for node in (1, 2)]


def test_a_client_whose_last_server_has_gone_for_good_sees_the_volume_grow(pool: Pool) -> None:
    """It stayed with that server for ever, and half of the files were not there for it ("No such file"), from
    the next growth on: seen on 11.1-6 without sidecar/patches/client-all-servers.patch."""
    servers = " ".join(f"--volfile-server={host(node)}" for node in (1, 2, 3))
    pool.shell(1, f"mkdir -p /m; glusterfs {servers} --volfile-id=/data --log-file={LOG} /m")
    wait_for("it is mounted", lambda: "data-client-1" in graph(pool))
    pool.power_off(3)
    # Each glusterd that ends moves it to the next.
    wait_for("it asks the server that has gone", lambda: asks_the_last(pool), 180)
    wait_for("both are in the pool again", lambda: both_know_each_other(pool))
    pool.gluster(1, "volume", "add-brick", "data", *bricks("more"), "force")
    wait_for("it sees the new bricks", lambda: "data-client-3" in graph(pool))


def both_know_each_other(pool: Pool) -> bool:
    living = all(answers(pool, node) for node in (1, 2))
    return living and all(pool.gluster(n, "pool", "list").count("Connected") == 2 for n in (1, 2))


def graph(pool: Pool) -> str:
    return pool.shell(1, "ls /m/.meta/graphs/active/ 2>/dev/null || true")


def asks_the_last(pool: Pool) -> bool:
    if f"next volfile server {host(3)}" in pool.shell(1, f"cat {LOG}"):
        return True
    for node in (1, 2):
        pool.shell(node, "kill -9 $(pidof glusterd) || true")
    return False

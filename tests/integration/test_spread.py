"""Data is spread when every node has done its share of it, whatever was started anew meanwhile."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from gluster_sidecar import parse
from gluster_sidecar.contract import host_name
from gluster_sidecar.model import TaskState

from tests.integration.pool import running, wait_for
from tests.integration.seen import fill

pytestmark = pytest.mark.lab

NODES = (1, 2, 3, 4)


def test_a_node_whose_glusterd_is_started_anew_midway_does_its_share_all_the_same(tmp_path: Path) -> None:
    """`up` said that all holds, and clients missed the files of that node's share."""
    with running(tmp_path, *NODES) as pool:
        pool.want(1, 2)
        pool.settled(1, 2)
        fill(pool, 800)
        pool.want(*NODES)
        wait_for("the rebalance begins", lambda: "StartRebalance" in pool.log(1))
        pool.shell(2, "kill -9 $(pidof glusterd)")
        pool.settled(*NODES)
        answer = ET.fromstring(pool.gluster(1, "--xml", "volume", "rebalance", "data", "status"))
        hosts = {host_name(node, "default") for node in NODES}
        assert parse.rebalance_result(answer, hosts, host_name(1, "default")) == (TaskState.DONE, 0)

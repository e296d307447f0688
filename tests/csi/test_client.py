"""The process of a client that does not end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gluster_sidecar.csi import client
from gluster_sidecar.csi.client import Client
from gluster_sidecar.csi.errors import Code, Refusal


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """One that no signal of ours ends, as one that waits for a disk."""
    process = subprocess.Popen(["sleep", "600"])
    for method in ("terminate", "kill"):
        monkeypatch.setattr(process, method, lambda: None)
    monkeypatch.setattr(client, "STOP_SECONDS", 0.01)
    monkeypatch.setattr(client, "KILL_SECONDS", 0.01)
    yield process
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_no_second_client_is_started_beside_one_that_does_not_end(
    tmp_path: Path, stuck: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Client("key", "data", [], tmp_path / "place", tmp_path / "logs")
    one.process = stuck
    one.stop()
    monkeypatch.setenv("PATH", str(tmp_path))  # no glusterfs: a start that is tried fails otherwise
    for _ in range(2):
        with pytest.raises(Refusal, match=f"process {stuck.pid}, was killed and does not end") as caught:
            one.start(["member"])
        assert caught.value.code == Code.UNAVAILABLE
        one.stop()
    os.kill(stuck.pid, signal.SIGKILL)
    stuck.wait()
    with pytest.raises(FileNotFoundError):
        one.start(["member"])

"""A volume that hangs: its brick is stopped, so the client has taken the requests and never answers them.

Whoever waits for such an answer does not die by SIGKILL. All others go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
import pytest

from tests.csi.machine import Machine, running, wait_for
from tests.csi.test_grpc import Driver, capability, refused
from tests.csi.test_mounts import Pod

pytestmark = pytest.mark.lab
STATUS = grpc.StatusCode
HUNG = (STATUS.UNAVAILABLE, STATUS.ABORTED)
MANY = 24
"""More claims than the plugin has workers."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with running() as made:
        made.shell(
            # As a disk that hangs: the brick's connection is alive, and no timeout ends the wait.
            "gluster --mode=script volume set data network.ping-timeout 0"
            " && gluster --mode=script volume create well member:/data/well"
            " && gluster --mode=script volume start well"
        )
        yield made


@pytest.fixture
def driver(machine: Machine) -> Iterator[Driver]:
    made = Driver(machine.socket)
    yield made
    made.channel.close()


@pytest.fixture
def pods(machine: Machine, driver: Driver, request: pytest.FixtureRequest) -> Iterator[Any]:
    made: list[Pod] = []

    def pod() -> Pod:
        made.append(Pod(machine, driver, f"{request.node.name[:40]}-{len(made)}"))
        return made[-1]

    yield pod
    for one in made:
        one.end()
        assert one.layers() == []
    wait_for("no client is left", lambda: machine.clients() == [])


@contextmanager
def hung(machine: Machine) -> Iterator[None]:
    machine.shell("pkill -STOP -f '^/usr/sbin/glusterfsd .*data-brick'")
    try:
        yield
    finally:
        machine.shell("pkill -CONT -f '^/usr/sbin/glusterfsd .*data-brick'")


def askers(machine: Machine) -> list[str]:
    """Processes of the holder that ask something of a mount."""
    script = "pgrep -f '^(stat|/usr/bin/stat) -f|^[^ ]*python3 -m gluster_sidecar.csi.show' || true"
    return machine.shell(script).split()


def code_of(call: Any, **fields: Any) -> grpc.StatusCode | None:
    """None if it succeeded."""
    try:
        call(**fields)
    except grpc.RpcError as error:
        code = error.code()
        assert isinstance(code, grpc.StatusCode)
        return code
    return None


def threads(machine: Machine) -> int:
    """Of the holder."""
    return len(machine.shell("ls /proc/$(cat /run/holder.pid)/task").split())


def is_mounted(pod: Pod) -> bool:
    return code_of(pod.publish) is None


def test_claims_that_hang_at_their_start_keep_no_other_from_being_mounted(
    pods: Any, machine: Machine
) -> None:
    """Each has options of its own, and so a client of its own."""
    sick = [pods() for _ in range(MANY)]
    with hung(machine), ThreadPoolExecutor(MANY) as kubelet:
        calls = [
            kubelet.submit(
                code_of,
                pod.publish,
                volume_capability=capability(mount_flags=[f"attribute-timeout={number}"]),
            )
            for number, pod in enumerate(sick)
        ]
        wait_for("clients are started", lambda: len(machine.clients()) >= 4)
        well = pods().publish(volume_context={"volume": "well"})
        machine.shell(f"touch {well.target}/file && rm {well.target}/file")
        assert all(call.result() in HUNG for call in calls)
        assert len(askers(machine)) <= MANY
        for pod in sick:
            pod.end()
            assert not pod.is_there()
    machine.kill_clients()  # they wait for the kubelet's next attempt


def test_a_client_that_begins_to_hang_holds_nobody_up(pods: Any, machine: Machine, driver: Driver) -> None:
    old, new, well = pods().publish(), pods(), pods()
    before = threads(machine)
    with hung(machine):
        words = refused(STATUS.UNAVAILABLE, new.publish)
        assert "volume data does not answer" in words
        assert "gluster volume status data" in words, "the way out"
        for _ in range(5):
            assert driver.stats(volume_path=old.target).volume_condition.abnormal
            assert code_of(new.publish) in HUNG
        assert len(askers(machine)) == 1, "one waits for an answer, and no second one beside it"
        wait_for("no thread is left behind", lambda: threads(machine) <= before)
        assert "volume data does not answer" in machine.log()
        well.publish(volume_context={"volume": "well"})
        new.end()
        assert not new.is_there()
    wait_for("it is mounted when the volume answers again", partial(is_mounted, new))
    wait_for("it is well", lambda: not driver.stats(volume_path=old.target).volume_condition.abnormal)
    assert askers(machine) == []


def test_a_pod_of_a_client_that_hangs_can_go(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    with hung(machine):
        refused(STATUS.UNAVAILABLE, pods().publish)
        pod.end()
        assert not pod.is_there()
        wait_for("its client ends, and whoever asked it", lambda: machine.clients() == askers(machine) == [])


def test_a_client_that_is_ended_for_its_hanging_comes_back(
    pods: Any, machine: Machine, driver: Driver
) -> None:
    """The process itself hangs: requests are not even taken. The way out that the refusal names."""
    old, new = pods().publish(), pods()
    container = old.container()
    (client,) = machine.clients()
    machine.shell(f"kill -STOP {client}")
    assert f"client process {client}" in refused(STATUS.UNAVAILABLE, new.publish)
    assert driver.stats(volume_path=old.target).volume_condition.abnormal
    machine.shell(f"kill -9 {client}")
    wait_for("it is mounted", partial(is_mounted, new))
    wait_for("who runs has it again", lambda: container.shell("ls /mnt/volume").returncode == 0)
    wait_for("it is well", lambda: not driver.stats(volume_path=old.target).volume_condition.abnormal)


def test_a_client_that_does_not_end_on_demand_is_killed_and_keeps_nobody(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    machine.shell(f"kill -STOP {machine.clients()[0]}")
    pod.end()
    assert not pod.is_there()
    wait_for("it is killed", lambda: machine.clients() == [])
    pods().publish()

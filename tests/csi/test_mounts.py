"""The driver on a real volume: what pods see at every moment, whatever dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import pytest
from gluster_sidecar.csi.proto import csi_pb2 as csi

from tests.csi.machine import Container, Machine, running, wait_for
from tests.csi.test_grpc import MODE, Driver, capability, refused

pytestmark = pytest.mark.lab
STATUS = grpc.StatusCode
GONE = ("Transport endpoint is not connected", "Software caused connection abort")
"""What the kernel says of a FUSE mount without its process."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with running() as made:
        yield made


@pytest.fixture
def driver(machine: Machine) -> Iterator[Driver]:
    machine.start_holder()  # a test that failed may have left none
    made = Driver(machine.socket)
    yield made
    made.channel.close()


class Pod:
    """A pod's volume on the machine and a container that has it."""

    def __init__(self, machine: Machine, driver: Driver, name: str) -> None:
        self.machine, self.driver, self.name = machine, driver, name
        self.target = machine.target(name)
        self.containers: list[Container] = []

    def publish(self, **fields: Any) -> Pod:
        self.driver.publish(target_path=self.target, **fields)
        return self

    def container(self, propagation: str = "rslave") -> Container:
        made = self.machine.container(self.target, propagation=propagation)
        self.containers.append(made)
        return made

    def layers(self) -> list[str]:
        """Kinds of what is mounted at the target, the lowest first."""
        lines = self.machine.shell("cat /proc/self/mountinfo").splitlines()
        return [line.split(" - ")[1].split()[0] for line in lines if line.split()[4] == self.target]

    def answers(self) -> bool:
        return self.machine.enter(self.machine.init(), f"ls {self.target}").returncode == 0

    def is_there(self) -> bool:
        return self.machine.shell(f"test -e {self.target} && echo yes || echo no") == "yes\n"

    def end(self) -> None:
        for container in self.containers:
            container.stop()
        self.containers.clear()
        self.driver.unpublish(target_path=self.target)


@pytest.fixture
def pods(machine: Machine, driver: Driver, request: pytest.FixtureRequest) -> Iterator[Any]:
    made: list[Pod] = []

    def pod() -> Pod:
        made.append(Pod(machine, driver, f"{request.node.name[:40]}-{len(made)}".replace("[", "-")))
        return made[-1]

    yield pod
    for one in made:
        one.end()
        assert one.layers() == []
        assert not one.is_there()
    wait_for("no client is left", lambda: machine.clients() == [])


# --- publish and unpublish


def test_publish_and_unpublish_twice_each(pods: Any, machine: Machine) -> None:
    pod = pods()
    for _ in range(2):
        pod.publish()
        assert pod.layers() == ["tmpfs", "fuse.glusterfs"]
    machine.shell(f"echo hello > {pod.target}/twice; rm {pod.target}/twice")
    for _ in range(2):
        pod.end()
        assert pod.layers() == []
        assert not pod.is_there()


def test_a_call_while_another_is_under_way_is_to_be_asked_again(pods: Any, machine: Machine) -> None:
    """Or an unpublish would end before what it is to take away is there."""
    pod = pods()

    def is_aborted(call: Any) -> bool:
        try:
            call(target_path=pod.target)
        except grpc.RpcError as error:
            if error.code() != STATUS.ABORTED:
                raise
            return True
        return False

    def publish_as_the_kubelet() -> None:
        while is_aborted(pod.driver.publish):  # an unpublish of the loop below may be the one under way
            pass

    machine.shell("pkill -STOP -x glusterd")
    with ThreadPoolExecutor(1) as kubelet:
        first = kubelet.submit(publish_as_the_kubelet)
        try:
            wait_for("the first call is under way", lambda: is_aborted(pod.driver.unpublish))
            assert is_aborted(pod.driver.publish)
        finally:
            machine.shell("pkill -CONT -x glusterd")
        first.result()
    assert pod.layers() == ["tmpfs", "fuse.glusterfs"]


def test_two_pods_share_one_client_and_see_each_others_files(pods: Any, machine: Machine) -> None:
    one, two = pods().publish(), pods().publish()
    assert len(machine.clients()) == 1
    machine.shell(f"echo from one > {one.target}/shared")
    assert machine.shell(f"cat {two.target}/shared") == "from one\n"
    machine.shell(f"rm {two.target}/shared")


def test_other_options_are_another_client(pods: Any, machine: Machine) -> None:
    pods().publish()
    pods().publish(volume_capability=capability(mount_flags=["entry-timeout=1"]))
    assert len(machine.clients()) == 2


def test_a_read_only_pod_cannot_write(pods: Any, machine: Machine) -> None:
    pod = pods().publish(readonly=True)
    container = pod.container()
    assert "Read-only file system" in container.shell("echo x > /mnt/volume/x").stderr
    machine.kill_clients()
    wait_for("it is mounted again", lambda: container.shell("ls /mnt/volume").returncode == 0)
    assert "Read-only file system" in container.shell("echo x > /mnt/volume/x").stderr


def test_the_target_as_something_else_is_refused(pods: Any) -> None:
    pod = pods().publish()
    words = refused(STATUS.ALREADY_EXISTS, pod.publish, readonly=True)
    assert "read-only" in words
    assert pod.layers() == ["tmpfs", "fuse.glusterfs"]


def test_a_volume_that_is_not_there_is_not_found_and_leaves_nothing(pods: Any) -> None:
    pod = pods()
    words = refused(STATUS.NOT_FOUND, pod.publish, volume_context={"volume": "nope"})
    assert "no started volume nope" in words
    assert not pod.is_there()


def test_a_target_elsewhere_is_refused(driver: Driver) -> None:
    for call in (driver.publish, driver.unpublish):
        assert "not below" in refused(STATUS.INVALID_ARGUMENT, call, target_path="/etc/mount")
        target = "/var/lib/kubelet/pods/../../../etc"
        assert "not below" in refused(STATUS.INVALID_ARGUMENT, call, target_path=target)


def test_somebody_elses_mount_is_left_alone(machine: Machine, driver: Driver) -> None:
    target = machine.target("foreign")
    machine.shell(f"mkdir {target}; mount -t tmpfs theirs {target}; touch {target}/file")
    for call in (driver.publish, driver.unpublish):
        assert "theirs" in refused(STATUS.FAILED_PRECONDITION, call, target_path=target)
    machine.shell(f"test -e {target}/file; umount {target}; rmdir {target}")


def test_giving_up_never_deletes_what_is_in_a_folder(machine: Machine, driver: Driver) -> None:
    target = machine.target("left")
    machine.shell(f"mkdir {target}; touch {target}/file")
    refused(STATUS.INTERNAL, driver.unpublish, target_path=target)
    machine.shell(f"test -e {target}/file; rm -r {target}")
    driver.unpublish(target_path=target)


# --- directories


def test_a_directory_of_the_volume(pods: Any, machine: Machine) -> None:
    whole, part, missing = pods().publish(), pods(), pods()
    words = refused(STATUS.NOT_FOUND, missing.publish, volume_context={"directory": "team/a"})
    assert "makeDirectory" in words
    part.publish(volume_context={"directory": "team/a", "makeDirectory": "true"})
    machine.shell(f"echo in a > {part.target}/file")
    assert machine.shell(f"cat {whole.target}/team/a/file") == "in a\n"
    container = part.container()
    machine.kill_clients()
    wait_for("it is mounted again", lambda: container.shell("ls /mnt/volume").stdout == "file\n")
    machine.shell(f"rm -r {whole.target}/team")


def test_a_symbolic_link_leads_nowhere(pods: Any, machine: Machine) -> None:
    whole = pods().publish()
    machine.shell(f"ln -s /etc {whole.target}/out")
    for directory in ("out", "out/ssl"):
        refused(STATUS.NOT_FOUND, pods().publish, volume_context={"directory": directory})
    machine.shell(f"rm {whole.target}/out")


# --- fsGroup


def as_group(container: Container, group: int, script: str) -> str:
    """Output and errors of a script run as a stranger with one more group, as kubelet's fsGroup is."""
    done = container.shell(f"setpriv --reuid=1000 --regid=1000 --groups={group} sh -c '{script}' 2>&1")
    return done.stdout


def modes(pod: Pod) -> list[str]:
    return pod.machine.shell(f"cd {pod.target} && stat -c '%n %g %a' . old old/file").splitlines()


def test_an_fsgroup_may_write_in_its_folder_and_nothing_below_is_touched(pods: Any, machine: Machine) -> None:
    whole = pods().publish()
    machine.shell(f"cd {whole.target} && mkdir -p groups/old && echo 1 > groups/old/file")
    folder = {"directory": "groups"}
    plain = pods().publish(volume_context=folder)
    assert "Permission denied" in as_group(plain.container(), 2000, "touch /mnt/volume/new")
    reader = pods().publish(
        volume_context=folder, readonly=True, volume_capability=capability(volume_mount_group="2000")
    )
    assert modes(reader) == [". 0 755", "old 0 755", "old/file 0 644"], "a reader changes nothing"
    one = pods().publish(volume_context=folder, volume_capability=capability(volume_mount_group="2000"))
    said = as_group(one.container(), 2000, "mkdir /mnt/volume/new && stat -c %g:%A /mnt/volume/new")
    assert said == "2000:drwxr-sr-x\n"
    assert modes(one) == [". 2000 2775", "old 0 755", "old/file 0 644"]
    other = pods().publish(volume_context=folder, volume_capability=capability(volume_mount_group="3000"))
    assert modes(other)[0] == ". 2000 2775", "what is another group's is not taken from it"
    assert "belongs to another group" in machine.log()
    assert as_group(other.container(), 3000, "cat /mnt/volume/old/file") == "1\n"
    machine.shell(f"rm -r {whole.target}/groups")


# --- what dies


def test_the_plugin_may_die_and_nobody_notices(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    container = pod.container()
    container.shell(
        "(while ! [ -e /tmp/stop-writing ]; do echo x >> /mnt/volume/log || echo failed >> /tmp/errors; done)"
        " >/dev/null 2>&1 &"
    )
    for _ in range(3):
        before = int(container.shell("stat -c %s /mnt/volume/log").stdout or 0)
        machine.kill_plugin()
        wait_for("it writes on", partial(has_grown, container, before))
    container.shell("touch /tmp/stop-writing")
    assert container.shell("cat /tmp/errors").stdout == ""
    container.shell("rm /mnt/volume/log")
    pod.publish()


def has_grown(container: Container, before: int) -> bool:
    return int(container.shell("stat -c %s /mnt/volume/log").stdout or 0) > before


def has_new_client(machine: Machine, old: str) -> bool:
    return machine.clients() not in ([], [old])


def has_layers(pod: Pod, number: int) -> bool:
    return len(pod.layers()) == number


def guarded_writer(container: Container) -> None:
    """Creates files without end, each in the volume's folder, and notes what each attempt met."""
    container.shell(
        "(n=0; while ! [ -e /tmp/stop-creating ]; do n=$((n+1));"
        " touch /mnt/volume/n$n 2>>/tmp/refusals && echo n$n >> /tmp/made; done) >/dev/null 2>&1 &"
    )


@pytest.mark.parametrize("propagation", ["rslave", "rprivate"])
def test_a_dead_client_is_an_error_and_never_the_bare_folder(
    pods: Any, machine: Machine, propagation: str
) -> None:
    pod = pods().publish()
    container = pod.container(propagation)
    machine.shell("rm -f /tmp/made /tmp/refusals /tmp/stop-creating")
    guarded_writer(container)
    wait_for("it makes files", lambda: machine.shell("cat /tmp/made 2>/dev/null || true") != "")
    for round_ in range(2):
        (old,) = machine.clients()
        machine.kill_clients()
        wait_for("another client runs", partial(has_new_client, machine, old))
        wait_for("it is laid on top", pod.answers)
        assert len(pod.layers()) == (3 + round_ if propagation == "rslave" else 3)
        fresh = pod.container(propagation)
        assert fresh.shell("ls /mnt/volume").returncode == 0, "a container that is started again has it"
    reached = container.shell("ls /mnt/volume").returncode == 0
    assert reached is (propagation == "rslave")
    container.shell("touch /tmp/stop-creating")
    refusals = set(container.shell("cat /tmp/refusals").stdout.splitlines())
    assert all(any(words in line for words in GONE) for line in refusals), refusals
    made = machine.shell("sort /tmp/made").split()
    there = set(machine.shell(f"ls {pod.target}").split())
    assert made
    assert set(made) <= there, "a file was made somewhere that is not the volume"
    for layer in range(len(pod.layers()) - 1):
        machine.shell(f"umount -l {pod.target}")
        assert layer >= 0
    assert pod.layers() == ["tmpfs"], "even without any client there is a floor"
    assert machine.enter(machine.init(), f"touch {pod.target}/x").returncode != 0
    pod.publish()
    machine.shell(f"cd {pod.target} && rm -f n*")


def restart_client(machine: Machine, pods: list[Pod]) -> None:
    """Ends the client; returns when another is laid upon the targets."""
    (old,) = machine.clients()
    machine.kill_clients()
    wait_for("another client runs", partial(has_new_client, machine, old))
    for pod in pods:
        wait_for("it is laid on top", pod.answers)


def has_volume(container: Container) -> bool:
    return container.shell("ls /mnt/volume").returncode == 0


def test_restarts_of_a_client_pile_up_no_mounts(pods: Any, machine: Machine) -> None:
    """Whatever containers are started and end in between; those that run get each new client's mount."""
    own = {"volume_capability": capability(mount_flags=["negative-timeout=1"])}  # a client without a past
    plain, watched, idle = pods().publish(**own), pods().publish(readonly=True, **own), pods().publish(**own)
    whole = machine.container("/var/lib/kubelet", propagation="rslave")  # as agents that see all mounts
    first, private = watched.container(), plain.container("rprivate")
    for _ in range(5):
        last = watched.container()
        restart_client(machine, [plain, watched, idle])
        wait_for("who was there at first has it", partial(has_volume, first))
        wait_for("who came last has it", partial(has_volume, last))
        assert "Read-only file system" in last.shell("echo x > /mnt/volume/x").stderr
        last.stop()
        watched.containers.remove(last)
    assert not has_volume(private), "nothing reaches it, and it keeps nothing"
    assert idle.layers() == plain.layers() == ["tmpfs", "fuse.glusterfs", "fuse.glusterfs"]
    # The floor, the first one's, that of the one that has just ended, and the one that serves.
    assert watched.layers() == ["tmpfs", *["fuse.glusterfs"] * 3]
    seen = whole.shell(f"grep -c {watched.target.removeprefix('/var/lib/kubelet')} /proc/self/mountinfo")
    whole.stop()
    assert int(seen.stdout) == 2 * 4, "the machine's and its own"
    restart_client(machine, [plain, watched, idle])
    assert watched.layers() == ["tmpfs", "fuse.glusterfs", "fuse.glusterfs"]
    wait_for("who was there at first has it", partial(has_volume, first))


def test_a_new_holder_goes_on_where_the_old_one_ended(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    container = pod.container()
    container.shell("echo before > /mnt/volume/file")
    machine.kill_holder()
    assert any(words in container.shell("cat /mnt/volume/file").stderr for words in GONE)
    assert "does not answer" in refused(STATUS.UNAVAILABLE, pod.driver.unpublish, target_path=pod.target)
    machine.start_holder()
    wait_for("it is mounted again", lambda: container.shell("cat /mnt/volume/file").stdout == "before\n")
    pod.publish()
    container.shell("rm /mnt/volume/file")


def test_a_holder_that_ends_lets_the_pods_go_first(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    container = pod.container()
    machine.end_holder()
    assert container.shell("echo last > /mnt/volume/words").stderr == ""
    assert machine.holder_runs()
    pod.end()
    wait_for("it ends", lambda: not machine.holder_runs())
    assert "is still in use" not in machine.log()
    machine.start_holder()
    after = pods().publish()
    assert machine.shell(f"cat {after.target}/words && rm {after.target}/words") == "last\n"


def test_a_holder_that_ends_does_not_wait_for_ever(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    machine.end_holder()
    wait_for("it ends", lambda: not machine.holder_runs())
    assert f"{pod.target} is still in use" in machine.log()
    assert machine.clients() == []
    machine.start_holder()
    wait_for("the next one mounts it again", partial(has_layers, pod, 3))


def test_after_a_restart_of_the_machine_nothing_is_mounted_by_itself(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    machine.kill_holder()
    machine.shell(f"umount -l {pod.target}; umount -l {pod.target}")
    machine.start_holder()
    assert pod.layers() == []
    assert machine.clients() == []
    pod.publish()
    assert pod.layers() == ["tmpfs", "fuse.glusterfs"]


def test_a_lost_record_takes_no_mount_away(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    container = pod.container()
    machine.kill_holder()
    machine.shell("echo nonsense > /var/lib/kubelet/plugins/default.gluster-stack.dev/published.json")
    machine.start_holder()
    pod.publish()  # as the kubelet does when it is started again
    assert container.shell("ls /mnt/volume").returncode == 0


def test_a_record_of_another_version_is_gone_on_from(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    container = pod.container()
    machine.kill_holder()
    record = machine.root / "var/lib/kubelet/plugins/default.gluster-stack.dev/published.json"
    uses = json.loads(record.read_text())
    uses[pod.target]["color"] = "green"
    record.write_text(json.dumps({**uses, f"{pod.target}-other": {"volume": 7}}))
    machine.start_holder()
    wait_for("it is mounted again", lambda: container.shell("ls /mnt/volume").returncode == 0)
    assert list(json.loads(record.read_text())) == [pod.target], "nothing is mounted at the other"


# --- stats


def test_stats_are_those_of_df(pods: Any, machine: Machine) -> None:
    pod = pods().publish()
    answer = pod.driver.stats(volume_path=pod.target)
    usage = {u.unit: u for u in answer.usage}
    total, available = map(int, machine.shell(f"df -B1 --output=size,avail {pod.target} | tail -1").split())
    assert usage[csi.VolumeUsage.BYTES].total == total > 0
    assert usage[csi.VolumeUsage.BYTES].available == available
    assert usage[csi.VolumeUsage.INODES].total > 0
    assert not answer.volume_condition.abnormal


def test_stats_of_what_is_not_published_are_not_found(machine: Machine, driver: Driver) -> None:
    for path in (machine.target("never"), "/etc"):
        refused(STATUS.NOT_FOUND, driver.stats, volume_path=path)


def test_modes_of_one_machine_are_mounted_alike(pods: Any) -> None:
    for mode in (MODE.SINGLE_NODE_WRITER, MODE.MULTI_NODE_READER_ONLY):
        pod = pods().publish(volume_capability=capability(mode))
        assert pod.layers() == ["tmpfs", "fuse.glusterfs"]

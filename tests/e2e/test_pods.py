"""Pods and their claims on real parts: what they share, and what they meet when things die."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from gluster_sidecar.contract import BRICK_PORT_FIRST, BRICK_PORT_LAST, driver_name

from lab.addresses import node_address
from tests.e2e.bench import Stack, wait_for
from tests.e2e.clients import PLACE, App, clients, free_machines, on_machine, pod_on, spec

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def cluster(stack: Stack) -> Stack:
    stack.set(nodeCount=2)
    stack.up()
    wait_for("the plan is settled", lambda: stack.settled() == "1,2")
    assert len(free_machines(stack)) >= 2, "two machines without a brick are needed"
    return stack


@pytest.fixture(scope="module")
def machine(cluster: Stack) -> int:
    """One that may be drained: the sample app is a pod of its own, which no controller makes again."""
    wait_for("the sample app has a machine", lambda: cluster.ready("gluster-sample-app"))
    home = cluster.machine("gluster-sample-app")
    return next(number for number in free_machines(cluster) if number != home)


@pytest.fixture
def apps(cluster: Stack) -> Iterator[Any]:
    made: list[App] = []

    def app(name: str, namespace: str = "default") -> App:
        made.append(App(cluster, name, namespace))
        return made[-1]

    yield app
    for one in made:
        one.delete("--grace-period=1")


def state_seen_on(stack: Stack, machine: int, name: str) -> int:
    """How many lines a writer has written, read on its machine: the API server is not asked."""
    script = (
        "for p in $(pgrep -x python3); do"
        f" if tr '\\0' '\\n' < /proc/$p/environ | grep -qx FILE={name}; then cat /proc/$p/root/tmp/state; fi;"
        " done"
    )
    return int(on_machine(stack, machine, script).split()[0])


def alive_on(stack: Stack, machine: int) -> list[str]:
    """Processes of a machine besides its init, this look and what only waits to be reaped."""
    lines = on_machine(stack, machine, "ps -eo pid=,ppid=,stat=,args=").splitlines()
    words = [line.split(maxsplit=3) for line in lines]
    return [" ".join(w) for w in words if w[0] != "1" and w[2][0] != "Z" and "ps -eo" not in w[3]]


def bricks_connected(stack: Stack, machine: int) -> set[str]:
    """Addresses of the machines to whose bricks a client of `machine` has connections."""
    lines = on_machine(stack, machine, "ss --no-header --tcp --numeric state established").splitlines()
    peers = [line.split()[3].rpartition(":") for line in lines]
    ports = range(BRICK_PORT_FIRST, BRICK_PORT_LAST + 1)
    return {address for address, _, port in peers if int(port) in ports}


def pod_is_ready(stack: Stack, pod: str) -> bool:
    return pod != "" and stack.ready(pod)


def no_mounts_of(stack: Stack, machine: int, uid: str) -> bool:
    return uid not in on_machine(stack, machine, "cat /proc/self/mountinfo")


def test_the_driver_is_registered_on_every_machine(cluster: Stack) -> None:
    names = cluster.kubectl(
        "get", "csinodes", "-o", "jsonpath={range .items[*]}{.spec.drivers[*].name}{'\\n'}{end}"
    )
    machines = names.strip().splitlines()
    assert len(machines) == len(cluster.lab.ready())
    assert all(driver_name("default") in line.split() for line in machines)


def test_the_sample_app_is_an_ordinary_pod_with_the_claim(cluster: Stack) -> None:
    wait_for("the sample app is ready", lambda: cluster.ready("gluster-sample-app"))
    assert "fuse.glusterfs" in cluster.app("grep /mnt/glusterfs /proc/mounts")
    cluster.app("test -s /mnt/glusterfs/gluster-sample-app.log")


def test_pods_on_two_machines_read_what_the_other_wrote(cluster: Stack, apps: Any) -> None:
    here, there = free_machines(cluster)[:2]
    one, two = apps("one").sleep(machine=here), apps("two").sleep(machine=there)
    one.ready().shell(f"echo from one > {PLACE}/one")
    two.ready().shell(f"echo from two > {PLACE}/two")
    assert two.shell(f"cat {PLACE}/one") == "from one\n"
    assert one.shell(f"cat {PLACE}/two") == "from two\n"
    size = one.shell(f"df -B1 --output=size {PLACE} | tail -1").strip()
    assert int(size) > 1_000_000_000, "df tells the volume's size"
    one.shell(f"rm {PLACE}/one {PLACE}/two")


def declare_claim(stack: Stack, namespace: str, name: str, **attributes: str) -> None:
    """As docs/clients.md has it."""
    meta = {"name": f"{namespace}-{name}"}
    csi = {
        "driver": driver_name("default"),
        "volumeHandle": f"{namespace}/{name}",
        "volumeAttributes": attributes,
    }
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {**common, "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain", "csi": csi}
    claim = {
        **common,
        "volumeName": f"{namespace}-{name}",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    objects = [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": volume},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": claim,
        },
    ]
    stack.lab.kubectl(
        "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )


def test_a_namespace_that_is_deleted_leaves_its_files(cluster: Stack, apps: Any, machine: int) -> None:
    cluster.kubectl("create", "namespace", "tenant")
    declare_claim(cluster, "tenant", "files", directory="tenants/one", makeDirectory="true")
    app = apps("many", "tenant").sleep(machine=machine, claim="files").ready()
    app.shell(f"cd {PLACE}; i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo $i > $i; done")
    reader = apps("reader", "tenant").sleep(machine=machine, claim="files", read_only=True).ready()
    assert reader.shell(f"ls {PLACE} | wc -l") == "1000\n"
    assert "Read-only" in reader.shell(f"touch {PLACE}/x 2>&1 || true")
    cluster.kubectl("delete", "namespace", "tenant", "--timeout=300s")
    cluster.kubectl("delete", "pv", "tenant-files")
    assert cluster.app("cat /mnt/glusterfs/tenants/one/* | wc -l") == "1000\n"
    cluster.app("rm -r /mnt/glusterfs/tenants")


def test_an_fsgroup_writes_in_its_folder_and_nothing_else_changes_hands(
    cluster: Stack, apps: Any, machine: int
) -> None:
    cluster.app("mkdir -p /mnt/glusterfs/groups/old && echo old > /mnt/glusterfs/groups/old/file")
    declare_claim(cluster, "default", "groups", directory="groups")
    app = apps("grouped").sleep(machine=machine, claim="groups", group=2000).ready()
    assert app.shell(f"cd {PLACE} && mkdir new && echo x > new/file && cat old/file") == "old\n"
    changed = app.shell(f"cd {PLACE} && stat -c '%u:%g:%n' . new new/file old old/file").split()
    assert changed == ["0:2000:.", "1000:2000:new", "1000:2000:new/file", "0:0:old", "0:0:old/file"]
    assert cluster.app("stat -c %g /mnt/glusterfs") == "0\n", "the volume's own folder stays as it was"
    app.delete("--grace-period=1")
    cluster.kubectl("delete", "pvc/groups", "pv/default-groups", "--timeout=300s")
    cluster.app("rm -r /mnt/glusterfs/groups")


def test_a_deployment_rolls_and_a_machine_is_drained(cluster: Stack, machine: int) -> None:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": spec(["sh", "-c", f"date >> {PLACE}/web; exec sleep infinity"]),
    }
    wanted = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    meta = {"name": "web", "namespace": "default"}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": wanted}
    cluster.lab.kubectl("apply", "-f", "-", stdin=json.dumps(deployment))
    try:
        rolled = ("rollout", "status", "deployment/web", "--timeout=300s")
        cluster.kubectl(*rolled)
        cluster.kubectl("rollout", "restart", "deployment/web")
        cluster.kubectl(*rolled)
        cluster.kubectl("drain", f"kn{machine}", "--ignore-daemonsets", "--force", "--timeout=300s")
        cluster.kubectl(*rolled)
        assert int(cluster.app("wc -l < /mnt/glusterfs/web")) >= 6
    finally:
        cluster.kubectl("uncordon", f"kn{machine}")
        cluster.kubectl("delete", "deployment", "web", "--timeout=300s")
    wait_for("its clients have ended", lambda: clients(cluster, machine) == [])
    wait_for("no mount is left", lambda: no_mounts_of(cluster, machine, "fuse.glusterfs"))


def test_a_pod_deleted_with_open_files_leaves_no_mount(cluster: Stack, apps: Any, machine: int) -> None:
    app = apps("open").start(
        ["sh", "-c", f"exec 3>>{PLACE}/open; while :; do echo x >&3; sleep 0.01; done"], machine=machine
    )
    uid = app.ready().uid()
    app.delete("--grace-period=1")
    wait_for("no mount is left", lambda: no_mounts_of(cluster, machine, uid))
    assert cluster.app("test -s /mnt/glusterfs/open && rm /mnt/glusterfs/open && echo kept") == "kept\n"


def test_the_plugin_is_killed_and_rolled_while_a_pod_writes(cluster: Stack, apps: Any, machine: int) -> None:
    app = apps("writer").write(machine=machine).ready()
    app.writes_on()
    before = clients(cluster, machine)
    on_machine(cluster, machine, "kill -9 $(pgrep -f '^python3 -m gluster_sidecar.csi.plugin')")
    app.writes_on()
    cluster.kubectl("delete", "pod", pod_on(cluster, "gluster-csi", machine), "--wait=false")
    app.writes_on()
    cluster.kubectl("rollout", "restart", "daemonset/gluster-csi")
    cluster.kubectl("rollout", "status", "daemonset/gluster-csi", "--timeout=300s")
    app.writes_on()
    assert app.errors() == []
    assert clients(cluster, machine) == before
    late = apps("late").sleep(machine=machine).ready()
    assert late.shell(f"test -s {PLACE}/writer && echo seen") == "seen\n"


def test_a_client_that_dies_comes_back_under_the_pods(cluster: Stack, apps: Any, machine: int) -> None:
    follows = apps("follows").write(machine=machine)
    stays = apps("stays").write(machine=machine, propagation=None)
    for app in (follows, stays):
        app.ready().writes_on()
    for _ in range(2):
        (old,) = clients(cluster, machine)
        on_machine(cluster, machine, f"kill -9 {old}")
        wait_for("a new client", lambda old=old: clients(cluster, machine) not in ([], [old]))  # type: ignore[misc]
        follows.writes_on()
    print(f"client killed: the pod that follows was without it for {follows.worst():.2f} s or erred:")
    print(set(follows.errors()))
    cannot = set(stays.errors()[-3:])
    assert cannot
    assert all("Transport endpoint is not connected" in line for line in cannot)
    written = {app.name: app.written() for app in (follows, stays)}
    for name, count in written.items():
        lines = int(cluster.app(f"wc -l < /mnt/glusterfs/{name}"))
        assert lines >= count, f"{name} was told of {count} writes, the volume has {lines}"


def test_the_holders_pod_is_deleted_and_the_next_goes_on(cluster: Stack, apps: Any, machine: int) -> None:
    app = apps("held").write(machine=machine).ready()
    app.writes_on()
    old = pod_on(cluster, "gluster-client", machine)
    cluster.kubectl("delete", "pod", old, "--timeout=300s")
    wait_for("a new holder has a client", lambda: len(clients(cluster, machine)) == 1)
    app.writes_on()
    written = app.written()
    assert int(cluster.app("wc -l < /mnt/glusterfs/held")) >= written
    uid = app.uid()
    app.delete("--grace-period=1")
    wait_for("no mount is left", lambda: no_mounts_of(cluster, machine, uid))


def test_a_member_loses_its_power_while_pods_write_and_mount(cluster: Stack, apps: Any, machine: int) -> None:
    other = next(number for number in free_machines(cluster) if number != machine)
    app = apps("powered").write(machine=machine).ready()
    app.writes_on()
    member = cluster.machine(cluster.pod(1))
    cluster.lab.power_off(member)
    try:
        app.writes_on()
        late = apps("late").sleep(machine=other).ready()
        assert late.shell(f"test -s {PLACE}/powered && echo seen") == "seen\n"
    finally:
        cluster.lab.power_on(member)
    assert app.errors() == []
    print(f"power cut: the slowest write took {app.worst():.2f} s")
    wait_for("its pod is ready again", lambda: cluster.ready(cluster.pod(1)))
    app.writes_on()
    assert app.errors() == []


def test_a_client_needs_neither_api_nor_dns(cluster: Stack, apps: Any, machine: int) -> None:
    """Once mounted it goes on, and even one that dies is replaced."""
    app = apps("apart").write(machine=machine).ready()
    app.writes_on()
    dns = cluster.lab.registry.get("coredns")
    assert dns is not None
    cluster.lab.pause_api()
    os.kill(dns.pid, signal.SIGSTOP)
    try:
        before = state_seen_on(cluster, machine, "apart")
        wait_for("it writes on", lambda: state_seen_on(cluster, machine, "apart") > before)
        (old,) = clients(cluster, machine)
        on_machine(cluster, machine, f"kill -9 {old}")
        wait_for("a new client", lambda: clients(cluster, machine) not in ([], [old]))
        before = state_seen_on(cluster, machine, "apart")
        wait_for("it writes on again", lambda: state_seen_on(cluster, machine, "apart") > before)
    finally:
        os.kill(dns.pid, signal.SIGCONT)
        cluster.lab.resume_api()
    wait_for("the API server answers", lambda: len(cluster.lab.ready()) == cluster.lab.record.settings.nodes)
    app.writes_on()


def test_a_member_that_moved_is_found_again(cluster: Stack, apps: Any, machine: int) -> None:
    app = apps("finds").write(machine=machine).ready()
    app.writes_on()
    home = cluster.machine(cluster.pod(1))
    for number in (home, machine):
        cluster.kubectl("cordon", f"kn{number}")
    try:
        cluster.kubectl("delete", "pod", cluster.pod(1), "--timeout=300s")
        wait_for("it is ready elsewhere", lambda: cluster.ready(cluster.pod(1)))
    finally:
        for number in (home, machine):
            cluster.kubectl("uncordon", f"kn{number}")
    there = cluster.machine(cluster.pod(1))
    assert there not in (home, machine)
    wait_for(
        "the client has a connection to its brick there",
        lambda: node_address(there) in bricks_connected(cluster, machine),
    )
    assert app.errors() == []
    print(f"member moved: the slowest write took {app.worst():.2f} s")
    wait_for("both bricks have every write", lambda: cluster.whole() == 2)


def test_the_kubelet_tells_what_df_tells(cluster: Stack, machine: int) -> None:
    pod = cluster.kubectl("get", "pod", "gluster-sample-app", "-o", "jsonpath={.spec.nodeName}")

    def told() -> list[int]:
        """Bytes in all and bytes free, as the kubelet counts them each minute."""
        text = cluster.kubectl("get", "--raw", f"/api/v1/nodes/{pod}/proxy/stats/summary")
        for one in json.loads(text)["pods"]:
            for volume in one.get("volume", ()):
                if one["podRef"]["name"] == "gluster-sample-app" and "pvcRef" in volume:
                    return [volume["capacityBytes"], volume["availableBytes"]]
        return []

    wait_for("the kubelet has counted", lambda: told() != [])
    total, free = map(int, cluster.app("df -B1 --output=size,avail /mnt/glusterfs | tail -1").split())
    disk, used = map(int, cluster.brick("df -B1 --output=size,used /data | tail -1").split())
    assert told()[0] == total
    assert abs(told()[1] - free) < 50_000_000, "what is written between the two looks"
    assert total == disk, "one set of two copies has the size of one disk"
    assert free <= total - used


def test_a_machine_that_shuts_down_does_not_hang(cluster: Stack, apps: Any, machine: int) -> None:
    """All its processes are asked to end at once, then made to, as an init does that knows no pods."""
    app = apps("shut").write(machine=machine).ready()
    app.writes_on()
    written = app.written()
    node = cluster.lab.node(machine)
    init = node.init()
    assert init is not None
    os.kill(init.pid, signal.SIGSTOP)  # nothing is started again
    try:
        on_machine(cluster, machine, "kill -TERM -1")
        wait_for("its clients have ended", lambda: clients(cluster, machine) == [])
        on_machine(cluster, machine, "kill -KILL -1")
        wait_for("no process hangs", lambda: alive_on(cluster, machine) == [])
        on_machine(cluster, machine, "umount --all --types fuse.glusterfs && sync")
    finally:
        cluster.lab.power_off(machine)
        cluster.lab.power_on(machine)
    wait_for("it is back", lambda: machine in cluster.lab.ready())
    assert int(cluster.app("wc -l < /mnt/glusterfs/shut")) >= written
    wait_for("and mounts", lambda: pod_is_ready(cluster, pod_on(cluster, "gluster-csi", machine)))
    app.delete("--grace-period=0", "--force")
    again = apps("again").sleep(machine=machine).ready()
    assert int(again.shell(f"wc -l < {PLACE}/shut")) >= written


def test_nothing_is_left_beneath(cluster: Stack, machine: int) -> None:
    """The folders that targets were made of never held a file."""
    found = on_machine(
        cluster, machine, "find /var/lib/kubelet/pods -xdev -path '*kubernetes.io~csi*/mount/*' | head"
    )
    assert found == ""
    cluster.app("cd /mnt/glusterfs && rm -f follows stays held powered writer web apart finds shut")

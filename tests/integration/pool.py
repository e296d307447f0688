"""Real glusterd daemons and real sidecars in network namespaces, around a real API server.

All programs of a node are the shipped image's, on an overlay of its file system. Seconds to start:
there is no kubelet, so pods are objects whose status the test writes, as a kubelet would. What it does
not imitate: containers, Services, DNS, scheduling (the lab has them). A node is an own PID 1 with own
mounts; killing it is a power cut.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gluster_sidecar.contract import (
    CLUSTER_LABEL,
    DRAIN_FINALIZER,
    KIND_LABEL,
    NODE_LABEL,
    PLAN_NAME,
    SETTLED_NAME,
    STATUS_NAME,
    Kind,
    MemberKey,
    PlanKey,
    SettledKey,
    controller_name,
    format_nodes,
    member_name,
    settled_mark,
)
from gluster_sidecar.settings import Settings

from lab import rootfs
from lab import tools as lab_tools

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "integration"
HUB = "10.9.0.1"
DISK_SIZE = "1G"
LOCK_SECONDS = 240
"""glusterd itself takes away a volume's lock that somebody left, after three minutes (seen once in 27 growths
and shrinks on a busy machine). A probe that is not answered is given up after two (seen once in some thirty
returns with a blank disk, four pools on two cores)."""

NODE_INIT = """
set -e
mount --make-rprivate /
cd {folder}
mkdir -p upper work root
mount -t overlay overlay -o lowerdir={rootfs},upperdir=upper,workdir=work root
cd root
mkdir -p data
mount -o loop{flags} {folder}/disk.img data
mount --rbind /dev dev; mount -t proc proc proc; mount -t tmpfs tmpfs run
mount --bind {root}/sidecar/gluster_sidecar usr/lib/python3/dist-packages/gluster_sidecar
mount --bind {folder}/hosts etc/hosts
mkdir -p run/gluster run/secrets/kubernetes.io/serviceaccount
cp {pki}/ca.crt {pki}/token run/secrets/kubernetes.io/serviceaccount/ 2>/dev/null || true
export PYTHONDONTWRITEBYTECODE=1 KUBERNETES_SERVICE_HOST={hub} KUBERNETES_SERVICE_PORT=6443
export GLUSTER_SIDECAR_NODE_NUMBER={node} GLUSTER_SIDECAR_POD_NAME={pod}
export GLUSTER_SIDECAR_SLEEP_SECONDS=2 GLUSTER_SIDECAR_UNHEALTHY_SECONDS=3 {environment}
exec chroot . /usr/bin/tini -g -- bash -c '
python3 -m gluster_sidecar.daemon >>/var/log/daemon.log 2>&1 & echo $! > /run/daemon.pid
{sidecar}
while :; do wait -n || sleep 0.2; done'
"""
FORGET = (
    "import fcntl, os, struct; fcntl.ioctl(os.open('/data', os.O_RDONLY), 0x8004587D, struct.pack('I', 2))"
)
LOCAL_HOSTS = "127.0.0.1 localhost\n"
SIDECAR = "python3 -m gluster_sidecar >>/var/log/sidecar.log 2>&1 & echo $! > /run/sidecar.pid"


def address(node: int) -> str:
    """Of its machine."""
    return f"10.9.0.{10 + node}"


def run(*command: str, text: str | None = None) -> str:
    """Standard output; raises CalledProcessError with standard error in its notes."""
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, timeout=180
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 90) -> None:
    """Raises AssertionError with `what` if `condition` does not hold within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


def declared(
    kind: str, name: str, labels: Mapping[str, str], finalizers: tuple[str, ...] = (), **rest: object
) -> dict[str, Any]:
    """An object of Kubernetes."""
    meta = {"name": name, "namespace": "default", "labels": labels, "finalizers": list(finalizers)}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **rest}


def guarded(node: int) -> list[dict[str, Any]]:
    """A node's controller and claim, by what the sidecars read of them; no controller works here."""
    name = controller_name(node)
    labels = {CLUSTER_LABEL: Settings().cluster_name, NODE_LABEL: str(node)}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    room = {"requests": {"storage": DISK_SIZE}}
    return [
        declared("ReplicationController", name, labels, spec={"selector": labels, "template": template}),
        declared(
            "PersistentVolumeClaim", name, labels, spec={"accessModes": ["ReadWriteOnce"], "resources": room}
        ),
    ]


@dataclass
class Pool:
    folder: Path
    kube: Path
    rootfs: Path
    """The product's image as a folder."""
    environment: str = ""
    """More variables of every sidecar, `KEY=VALUE` words."""
    sidecar: str = SIDECAR
    """Starts the sidecar of a node, or what stands in its place."""
    hosts: str = LOCAL_HOSTS
    """The hosts file of a machine that starts."""
    name: str = field(default_factory=lambda: f"it{secrets.token_hex(2)}")
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    births: dict[int, int] = field(default_factory=dict)

    # -- the API server ------------------------------------------------------------------------------

    def start_network(self) -> None:
        """Of machines; for pools that need no Kubernetes."""
        hub = f"{self.name}-hub"
        run("ip", "netns", "add", hub)
        run("ip", "-n", hub, "link", "set", "lo", "up")
        run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", hub, "addr", "add", f"{HUB}/24", "dev", "br0")
        run("ip", "-n", hub, "link", "set", "br0", "up")

    def start(self) -> None:
        self._keys()
        self.start_network()
        pki = self.folder / "pki"
        client = "http://127.0.0.1:2379"
        self._spawn(
            "etcd",
            *("etcd", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync", "--log-level", "warn"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", "http://127.0.0.1:2380"),
        )
        self._spawn(
            "api",
            *(str(self.kube), "kube-apiserver", f"--etcd-servers={client}", f"--advertise-address={HUB}"),
            *(
                "--authorization-mode=RBAC",
                f"--token-auth-file={pki}/tokens",
                f"--cert-dir={self.folder}/certs",
            ),
            *(f"--tls-cert-file={pki}/api.crt", f"--tls-private-key-file={pki}/api.key"),
            *(f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key"),
            *("--service-account-issuer=https://pool.invalid", "--service-cluster-ip-range=10.96.0.0/16"),
            "--disable-admission-plugins=ServiceAccount",
        )
        wait_for("the API server", lambda: self._answers("get", "--raw", "/readyz"))
        wait_for("the namespace", lambda: self._answers("get", "namespace", "default"))
        kinds = {STATUS_NAME: Kind.STATUS, SETTLED_NAME: Kind.SETTLED}
        self.apply(*(declared("ConfigMap", name, {KIND_LABEL: kind}) for name, kind in kinds.items()))

    def _keys(self) -> None:
        pki = self.folder / "pki"
        pki.mkdir()
        run("openssl", "genrsa", "-out", f"{pki}/sa.key", "2048")
        run("openssl", "rsa", "-in", f"{pki}/sa.key", "-pubout", "-out", f"{pki}/sa.pub")
        # fmt: off
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pool",
            "-addext", f"subjectAltName=IP:{HUB}", "-keyout", f"{pki}/api.key", "-out", f"{pki}/api.crt")
        # fmt: on
        shutil.copy(pki / "api.crt", pki / "ca.crt")
        (pki / "tokens").write_text(f"{TOKEN},admin,admin,system:masters\n")
        (pki / "token").write_text(TOKEN)

    def _spawn(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", f"{self.name}-hub", *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.kill()
            process.wait()
        for netns in run("ip", "netns", "list").split():
            if netns.startswith(f"{self.name}-"):
                run("ip", "netns", "del", netns)

    def kubectl(self, *words: str, text: str | None = None) -> str:
        return run(
            *("ip", "netns", "exec", f"{self.name}-hub", str(self.kube), "kubectl", "--token", TOKEN),
            *(
                "--server",
                f"https://{HUB}:6443",
                "--certificate-authority",
                f"{self.folder}/pki/ca.crt",
                *words,
            ),
            text=text,
        )

    def _answers(self, *words: str) -> bool:
        try:
            return bool(self.kubectl(*words))
        except subprocess.CalledProcessError:
            return False

    def apply(self, *objects: dict[str, Any]) -> None:
        """In this order, within milliseconds of each other."""
        whole = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", text=json.dumps(whole))

    # -- what a kubelet and the stack would do ---------------------------------------------------------

    def pod_name(self, node: int) -> str:
        return f"gluster-{node}-{self.births.get(node, 0)}"

    def announce(self, node: int, *, ready: bool = True) -> None:
        """The pod's object and its status; `ready` as a kubelet's probe, or its silence, would set it."""
        name = self.pod_name(node)
        labels = {"role": "gluster", "environment": "test", NODE_LABEL: str(node)}
        spec = {"nodeName": f"kn{node}", "containers": [{"name": "x", "image": "x"}]}
        self.apply(declared("Pod", name, labels, spec=spec))
        condition = {"type": "Ready", "status": str(ready)}
        status = {"phase": "Running", "hostIP": address(node), "conditions": [condition]}
        self.kubectl(
            "patch", "pod", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
        )

    def want(self, *nodes: int, spares: tuple[int, ...] = (), grace: int | None = None) -> None:
        """As `pulumi up`: members first, then the plan, then the deletions."""
        have = {int(n.rpartition("-")[2]) for n in self.names("configmap", f"{KIND_LABEL}={Kind.MEMBER}")}
        objects = []
        for node in sorted({*nodes, *spares} - have):
            objects += guarded(node)
            data = {MemberKey.NODE: str(node), **({MemberKey.SPARE: "true"} if node in spares else {})}
            labels = {KIND_LABEL: Kind.MEMBER, NODE_LABEL: str(node)}
            objects.append(declared("ConfigMap", member_name(node), labels, (DRAIN_FINALIZER,), data=data))
        wanted = {PlanKey.NODES: format_nodes(nodes), PlanKey.SPARES: format_nodes(spares)}
        if grace is not None:
            wanted[PlanKey.GRACE] = str(grace)
        self.apply(*objects, declared("ConfigMap", PLAN_NAME, {KIND_LABEL: Kind.PLAN}, data=wanted))
        for node in sorted(have - {*nodes, *spares}):
            self.kubectl("delete", "configmap", member_name(node), "--wait=false")

    def names(self, kind: str, selector: str) -> list[str]:
        return self.kubectl("get", kind, "-l", selector, "-o", "jsonpath={.items[*].metadata.name}").split()

    def data(self, name: str) -> dict[str, str]:
        text = self.kubectl("get", "configmap", name, "--ignore-not-found", "-o", "jsonpath={.data}")
        found: dict[str, str] = json.loads(text or "{}")
        return found

    def settled(self, *nodes: int) -> None:
        wait_for(f"nodes {nodes} settled", lambda: self.is_settled(*nodes), LOCK_SECONDS)

    def is_settled(self, *nodes: int) -> bool:
        plan, said = self.data(PLAN_NAME), self.data(SETTLED_NAME).get(SettledKey.SETTLED)
        return plan.get("nodes") == format_nodes(nodes) and said == settled_mark(plan)

    # -- machines ----------------------------------------------------------------------------------------

    def power_on(self, node: int, flags: str = "") -> None:
        """`flags`: more mount options of its disk."""
        folder, netns = self.folder / f"n{node}", f"{self.name}-{node}"
        if not folder.exists():
            folder.mkdir()
            self._make_disk(node)
            run("ip", "netns", "add", netns)
            # fmt: off
            run("ip", "-n", f"{self.name}-hub", "link", "add", f"v{node}", "type", "veth",
                "peer", "name", "eth0", "netns", netns)
            # fmt: on
            run("ip", "-n", f"{self.name}-hub", "link", "set", f"v{node}", "master", "br0")
            run("ip", "-n", netns, "addr", "add", f"{address(node)}/24", "dev", "eth0")
            run("ip", "-n", netns, "link", "set", "lo", "up")
            run("ip", "-n", netns, "link", "set", "eth0", "up")
        self.mend(node)
        (folder / "hosts").write_text(self.hosts)
        script = NODE_INIT.format(
            folder=folder,
            rootfs=self.rootfs,
            hub=HUB,
            pki=self.folder / "pki",
            root=ROOT,
            node=node,
            pod=self.pod_name(node),
            flags=f",{flags}" if flags else "",
            environment=self.environment,
            sidecar=self.sidecar,
        )
        with (folder / "init.log").open("ab") as log:
            namespaces = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
            self.processes[f"n{node}"] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{netns}", "unshare", *namespaces, "bash", "-c", script],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def cut_power(self, *nodes: int) -> None:
        """Of all these at once, with what their disks have not been told to keep: what is in the page cache
        and in the journal's next transaction is lost (FS_IOC_SHUTDOWN with NOLOGFLUSH, as xfstests cuts
        power). A disk that lies about what it keeps, or tears a sector, is not imitated."""
        for node in nodes:
            self.shell(node, f'python3 -c "{FORGET}"')
        for node in nodes:
            self.power_off(node)

    def power_off(self, node: int) -> None:
        """Cuts the network first, so that no connection is closed in an orderly way."""
        self.cut(node)
        process = self.processes.pop(f"n{node}")
        process.kill()
        process.wait()
        # The namespaces end a moment later; a disk that is still mounted would be mounted as it was.
        disk = str(self.folder / f"n{node}/disk.img")
        wait_for("its disk is free", lambda: not run("losetup", "--associated", disk))

    def cut(self, node: int) -> None:
        """Its network, so that it reaches nobody."""
        run("ip", "-n", f"{self.name}-hub", "link", "set", f"v{node}", "down")

    def mend(self, node: int) -> None:
        run("ip", "-n", f"{self.name}-hub", "link", "set", f"v{node}", "up")

    def lose_disk(self, node: int) -> None:
        """Puts a blank disk in the place of a node's, which must be off."""
        (self.folder / f"n{node}/disk.img").unlink()
        self._make_disk(node)

    def _make_disk(self, node: int) -> None:
        disk = str(self.folder / f"n{node}/disk.img")
        run("truncate", "-s", DISK_SIZE, disk)
        run("mkfs.ext4", "-q", "-F", "-m0", disk)

    def into(self, node: int) -> tuple[str, ...]:
        """Words for `nsenter` that lead into a machine."""
        init = run("pgrep", "-P", str(self.processes[f"n{node}"].pid)).split()[0]
        return "-t", init, "--mount", "--net", "--pid", "--root", "--wd=/"

    def inside(self, node: int, *command: str) -> str:
        return run("nsenter", *self.into(node), *command)

    def signal(self, node: int, which: str, number: signal.Signals) -> None:
        """To `daemon` or `sidecar` of a node, by its recorded process id."""
        self.shell(node, f"kill -{number.value} $(cat /run/{which}.pid)")

    def gluster(self, node: int, *words: str) -> str:
        return self.inside(node, "gluster", "--mode=script", *words)

    def shell(self, node: int, script: str) -> str:
        return self.inside(node, "sh", "-c", script)

    def log(self, node: int) -> str:
        return (self.folder / f"n{node}/upper/var/log/sidecar.log").read_text()


@contextmanager
def unstarted(
    folder: Path,
    *,
    environment: str = "",
    sidecar: str = SIDECAR,
    hosts: str = LOCAL_HOSTS,
    rootfs: Path | None = None,
) -> Iterator[Pool]:
    """A pool of which nothing runs yet; gone at the end. Raises LabError."""
    found = parts()
    pool = Pool(folder, found.kube, rootfs or found.rootfs, environment, sidecar, hosts)
    try:
        yield pool
    finally:
        pool.stop()


@contextmanager
def running(folder: Path, *nodes: int, environment: str = "") -> Iterator[Pool]:
    """A pool in which these machines have power and a pod; gone at the end. Raises LabError."""
    with unstarted(folder, environment=environment) as pool:
        pool.start()
        for node in nodes:
            pool.power_on(node)
            pool.announce(node)
        yield pool


@dataclass(frozen=True)
class Parts:
    kube: Path
    rootfs: Path


def parts() -> Parts:
    """The programs, as the lab has them. Raises LabError."""
    tools = lab_tools.ensure(lambda line: print(line, file=sys.stderr, flush=True))
    return Parts(tools.kube, rootfs.ensure(tools, print))

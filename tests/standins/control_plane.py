"""A real API server without machines, in a network namespace of its own: what the providers talk to."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from lab.addresses import API_PORT
from lab.pki import MASTERS, Authority

HOST = "127.0.0.1"
AGENT = "agent"
"""The field manager of what a sidecar would write."""


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


@dataclass
class ControlPlane:
    kube: Path
    etcd: Path
    folder: Path
    namespace: str
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _api: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def memory(self) -> Path:
        """etcd syncs every write: on a disk each would take milliseconds."""
        return Path("/dev/shm") / self.namespace

    def inside(self, *argv: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *argv]

    def start(self) -> None:
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run(self.inside("ip", "link", "set", "lo", "up"), check=True)
        authority = Authority(self.folder)
        address = x509.IPAddress(ipaddress.ip_address(HOST))
        authority.serving("apiserver", "kube-apiserver", [address])
        authority.client("admin", "admin", MASTERS)
        authority.client("accounts", "accounts", None)
        authority.kubeconfig("admin", HOST)
        self._run(
            *(str(self.etcd), f"--data-dir={self.memory}", "--log-level=error", "--logger=zap"),
            *("--listen-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380"),
            "--advertise-client-urls=http://127.0.0.1:2379",
        )
        self._start_api()
        self._run(
            *(str(self.kube), "kube-controller-manager", f"--kubeconfig={self.kubeconfig}"),
            *("--leader-elect=false", f"--bind-address={HOST}", "--profiling=false"),
            "--pvclaimbinder-sync-period=1s",
            f"--service-account-private-key-file={self.folder}/accounts.key",
        )
        wait_for("the default namespace has its account", self._has_account)

    def _start_api(self) -> None:
        self._api = self._run(
            *(str(self.kube), "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379"),
            *(f"--bind-address={HOST}", f"--secure-port={API_PORT}", f"--advertise-address={HOST}"),
            *(f"--tls-cert-file={self.folder}/apiserver.crt", "--service-cluster-ip-range=10.96.0.0/16"),
            *(f"--tls-private-key-file={self.folder}/apiserver.key", "--authorization-mode=Node,RBAC"),
            *(f"--client-ca-file={self.folder}/ca.crt", "--service-account-issuer=https://lab.invalid"),
            f"--service-account-key-file={self.folder}/accounts.key",
            f"--service-account-signing-key-file={self.folder}/accounts.key",
            # It adds an endpoint for itself, which must not be the loopback.
            *("--endpoint-reconciler-type=none", "--profiling=false", "--allow-privileged=true"),
        )
        wait_for("the API server is ready", self._ready)

    @contextmanager
    def api_away(self) -> Iterator[None]:
        """The API server's machine has crashed, for a while; what etcd was told stays."""
        assert self._api
        self._running.remove(self._api)
        self._api.kill()
        self._api.wait(30)
        try:
            yield
        finally:
            self._start_api()

    def _run(self, *argv: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{Path(argv[0]).name}-{len(self._running)}.log").open("ab")
        with log:
            process = subprocess.Popen(self.inside(*argv), stdout=log, stderr=log)
        self._running.append(process)
        return process

    def _ready(self) -> bool:
        assert all(process.poll() is None for process in self._running), f"see {self.folder}/*.log"
        return self._kubectl("get", "--raw", "/readyz").returncode == 0

    def _has_account(self) -> bool:
        return self._kubectl("get", "serviceaccount", "default").returncode == 0

    def stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            process.wait(30)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=True)
        shutil.rmtree(self.memory, ignore_errors=True)

    def _kubectl(self, *argv: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder / "cache")}
        command = self.inside(str(self.kube), "kubectl", *argv)
        return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True)

    def kubectl(self, *argv: str, stdin: str | None = None) -> str:
        done = self._kubectl(*argv, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(argv)}: {done.stderr}"
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """None where it does not exist."""
        found = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found", "--show-managed-fields")
        parsed: dict[str, Any] | None = json.loads(found) if found else None
        return parsed

    def patch(self, kind: str, name: str, body: Mapping[str, Any], manager: str = AGENT) -> None:
        """A merge patch by another field manager."""
        manager_option = f"--field-manager={manager}"
        self.kubectl("patch", kind, name, "--type=merge", manager_option, "-p", json.dumps(body))

    def lift(self, kind: str, name: str) -> None:
        """Takes off an object's finalizers."""
        self.patch(kind, name, {"metadata": {"finalizers": None}})

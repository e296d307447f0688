"""The hub's programs: etcd, API server, controller manager, scheduler, DNS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.addresses import API_PORT, DOMAIN, HUB, POD_NETWORK, SERVICE_NETWORK
from lab.api import Api
from lab.paths import Paths
from lab.process import Registry
from lab.settings import Settings
from lab.supply import Supply
from lab.waiting import wait_for

ETCD = "http://127.0.0.1:2379"
API_SERVER = "kube-apiserver"
STORE = ("etcd", API_SERVER)
"""What must answer before anything else can start."""
OTHERS = ("kube-controller-manager", "kube-scheduler", "coredns")
Say = Callable[[str], None]


@dataclass(frozen=True)
class ControlPlane:
    paths: Paths
    settings: Settings
    supply: Supply
    registry: Registry
    api: Api

    def start_store(self, say: Say) -> None:
        """Starts etcd and the API server where they do not run; `wait_ready` waits for them."""
        self._start(STORE, say)

    def wait_ready(self) -> None:
        def condition() -> bool:
            self.registry.check(STORE)
            return self.api.ready()

        wait_for("the API server is ready", condition, 90, lambda: self.registry.last_words(API_SERVER))

    def start_others(self, say: Say) -> None:
        self._start(OTHERS, say)

    def _start(self, names: tuple[str, ...], say: Say) -> None:
        for name in names:
            self.registry.ensure(name, self.command(name), self.paths.hub, {}, say)

    def command(self, name: str) -> list[str]:
        """How one of the programs is called."""
        kube = str(self.supply.kube)
        match name:
            case "etcd":
                return [str(self.supply.etcd), *self._etcd()]
            case "kube-apiserver":
                return [kube, name, *self._api_server()]
            case "kube-controller-manager":
                return [kube, name, *self._controller_manager()]
            case "kube-scheduler":
                return [kube, name, *self._authentication("scheduler"), "--leader-elect=false"]
            case "coredns":
                return [kube, name, "-conf", str(self._corefile())]
            case _:
                raise ValueError(name)

    def _etcd(self) -> list[str]:
        return [
            "--name=lab",
            f"--data-dir={self.paths.memory / 'etcd'}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            # 100,000 entries kept in memory by etcd 3.4's default are a big lab's whole history.
            "--snapshot-count=5000",
            "--logger=zap",
            "--log-level=warn",
        ]

    def _api_server(self) -> list[str]:
        pki, toleration = self.paths.pki, self.settings.toleration
        return [
            f"--etcd-servers={ETCD}",
            f"--advertise-address={HUB}",
            "--bind-address=0.0.0.0",
            f"--secure-port={API_PORT}",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--requestheader-client-ca-file={pki}/ca.crt",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-key-file={pki}/service-account.pub",
            f"--service-account-signing-key-file={pki}/service-account.key",
            f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--default-not-ready-toleration-seconds={toleration}",
            f"--default-unreachable-toleration-seconds={toleration}",
            "--profiling=false",
        ]

    def _controller_manager(self) -> list[str]:
        pki = self.paths.pki
        return [
            *self._authentication("controller-manager"),
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki}/service-account.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            # The machines' pod ranges follow from their numbers.
            "--allocate-node-cidrs=false",
            f"--cluster-cidr={POD_NETWORK}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--node-monitor-grace-period={self.settings.node_grace}s",
            "--node-monitor-period=2s",
        ]

    def _authentication(self, name: str) -> list[str]:
        config = self.paths.pki / f"{name}.kubeconfig"
        return [
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--bind-address=127.0.0.1",
            "--profiling=false",
        ]

    def _corefile(self) -> str:
        file = self.paths.config / "Corefile"
        file.write_text(
            f""".:53 {{
    bind {HUB}
    errors
    kubernetes {DOMAIN} in-addr.arpa {{
        endpoint_pod_names
        kubeconfig "{self.paths.pki / "hub.kubeconfig"}"
    }}
    cache 5
}}
"""
        )
        return str(file)

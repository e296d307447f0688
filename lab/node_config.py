"""What the programs of one machine are told: containerd, kubelet, kube-proxy, CNI, hosts. Pure."""

from __future__ import annotations

import json
from typing import Any

from lab.addresses import (
    DNS_SERVICE,
    DOMAIN,
    HUB,
    POD_NETWORK,
    node_address,
    node_name,
    pod_range,
)

Json = dict[str, Any]
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


def containerd(sandbox_image: str, registries: str) -> str:
    """restrict_oom_score_adj: the lab may not lower it where CAP_SYS_RESOURCE is missing."""
    off = ["snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.devmapper", "snapshotter.v1.aufs"]
    off += ["internal.v1.opt", "internal.v1.tracing"]
    return f"""
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = {json.dumps([f"io.containerd.{name}" for name in off])}
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/run/cni-conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{registries}"
"""


NO_REGISTRY = 'server = "http://127.0.0.1:1"\n'
"""hosts.toml for every registry: a pull fails at once, on this machine, instead of looking for it."""


def pod_network(node: int) -> str:
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni-ipam",
        "ranges": [[{"subnet": pod_range(node)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "podnet", "plugins": [bridge, portmap]}, indent=2)


def kubelet(node: int, pki: str, grace: int) -> Json:
    """`grace`: seconds after which the cluster calls a silent machine NotReady."""
    name = node_name(node)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Lets it start where it may not write kernel settings of the machine.
        "featureGates": {"KubeletInUserNamespace": True},
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "address": node_address(node),
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/{name}.crt",
        "tlsPrivateKeyFile": f"{pki}/{name}.key",
        "clusterDomain": DOMAIN,
        "clusterDNS": [DNS_SERVICE],
        "failSwapOn": False,
        "maxOpenFiles": 20000,
        # The machines share one disk with everything else here: only its owner may call it full.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # How soon a machine whose cable was mended is Ready again.
        "nodeStatusUpdateFrequency": "4s",
        # Renewed four times in this span: a machine must not miss the grace by one late renewal.
        "nodeLeaseDurationSeconds": min(grace, 40),
        "syncFrequency": "10s",
        "volumePluginDir": "/var/lib/kubelet/plugins/volume-exec",
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
        "enableSystemLogHandler": False,
    }


def kube_proxy(pki: str) -> Json:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{pki}/proxy.kubeconfig"},
        "clusterCIDR": POD_NETWORK,
        # These are settings of the machine's kernel, which is not the lab's to change.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "200ms"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def hosts(nodes: int) -> str:
    lines = ["127.0.0.1 localhost", f"{HUB} control"]
    return "\n".join(lines + [f"{node_address(n)} {node_name(n)}" for n in range(1, nodes + 1)]) + "\n"


def resolv_conf() -> str:
    return f"nameserver {DNS_SERVICE}\n"

"""The Pulumi program: reads the configuration, declares one storage cluster, exports what people need."""

from __future__ import annotations

import pulumi

from gluster_stack import GlusterCluster, kubernetes_provider
from gluster_stack.config import StackConfig, line

config = StackConfig.load()
kubernetes = kubernetes_provider("kubernetes", config.kube_context)
options = pulumi.ResourceOptions(providers=[kubernetes])
cluster = GlusterCluster("gluster", config.cluster, options, say=line)
for name, value in cluster.outputs().items():
    pulumi.export(name, value)

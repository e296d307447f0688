"""The Pulumi program: reads the configuration, declares one storage cluster, exports what people need."""

from __future__ import annotations

import signal

# After Ctrl-C or an error Pulumi ends the program by SIGINT: let that be the default action, and not two
# tracebacks. Before the imports, which take a second.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import pulumi  # noqa: E402

from gluster_stack import GlusterCluster, kubernetes_provider  # noqa: E402
from gluster_stack.config import StackConfig, line  # noqa: E402

config = StackConfig.load()
kubernetes = kubernetes_provider("kubernetes", config.kube_context)
options = pulumi.ResourceOptions(providers=[kubernetes])
cluster = GlusterCluster("gluster", config.cluster, options, say=line)
for name, value in cluster.outputs().items():
    pulumi.export(name, value)

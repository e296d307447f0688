"""What exists: a storage cluster as Pulumi declares it. What happens in it is the sidecar's business."""

from gluster_stack.args import GlusterClusterArgs
from gluster_stack.claim import GlusterClaim
from gluster_stack.cluster import GlusterCluster
from gluster_stack.providers import kubernetes_provider

__all__ = ["GlusterClaim", "GlusterCluster", "GlusterClusterArgs", "kubernetes_provider"]

"""Where clients find the volume: one Service, and behind it the members with a running brick."""

from __future__ import annotations

import pulumi
from gluster_sidecar.contract import DOMAIN, endpoint_slice_name
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.discovery import v1 as discovery
from pulumi_kubernetes.meta import v1 as meta

from gluster_stack import layout
from gluster_stack.args import GlusterClusterArgs

_PORT_NAME = "glusterfs"


def declare_client_entry(
    name: str, args: GlusterClusterArgs, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Resource, ...]:
    """The Service and its EndpointSlice."""
    labels = layout.cluster_labels(args.cluster_name)
    service = core.Service(
        f"{name}-clients",
        metadata=meta.ObjectMetaArgs(name=args.cluster_name, namespace=args.namespace, labels=labels),
        # No selector: "Ready" is not yet "serves the volume", so the sidecars say who is behind it.
        spec=core.ServiceSpecArgs(
            cluster_ip="None",
            ports=[core.ServicePortArgs(name=_PORT_NAME, port=args.cluster_port, protocol="TCP")],
        ),
        opts=opts,
    )
    slice_labels = {
        **labels,
        "kubernetes.io/service-name": args.cluster_name,
        # Keeps Kubernetes' own controllers away from it.
        "endpointslice.kubernetes.io/managed-by": DOMAIN,
    }
    members = discovery.EndpointSlice(
        f"{name}-clients",
        metadata=meta.ObjectMetaArgs(
            name=endpoint_slice_name(args.cluster_name),
            namespace=args.namespace,
            labels=slice_labels,
            # Its endpoints are always another's: without this, Pulumi could not take over a slice that it
            # does not know it created.
            annotations={"pulumi.com/patchForce": "true"},
        ),
        address_type="IPv4",
        endpoints=[],
        ports=[discovery.EndpointPortArgs(name=_PORT_NAME, port=args.cluster_port, protocol="TCP")],
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(depends_on=[service], ignore_changes=["endpoints"])
        ),
    )
    return service, members

"""The Kubernetes provider as this stack needs it."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes


def kubernetes_provider(
    name: str, context: str | None = None, opts: pulumi.ResourceOptions | None = None
) -> kubernetes.Provider:
    """A provider for the cluster of `context`, or of the kubeconfig's current context."""
    return kubernetes.Provider(
        name,
        context=context,
        # Without it each growth would REPLACE the plan, and a plan that is gone means teardown.
        enable_config_map_mutable=True,
        # A stack stays on its cluster: a kubeconfig that is written anew, or a context that is
        # renamed, must not replace the provider and with it everything that holds data.
        cluster_identifier=f"{pulumi.get_project()}/{pulumi.get_stack()}",
        opts=opts,
    )

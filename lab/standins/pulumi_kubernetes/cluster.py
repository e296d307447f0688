"""The cluster that a provider was set up for, or why there is none."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from lab.standins.pulumi_kubernetes.api import Api, ApiError, Unreachable
from lab.standins.pulumi_kubernetes.kinds import Kinds
from lab.standins.pulumi_kubernetes.kubeconfig import ConfigError, connection
from lab.standins.pulumi_kubernetes.operations import Operations, Options
from lab.standins.pulumi_kubernetes.settings import Settings


class Cluster:
    """Connects when it is made."""

    operations: Operations | None = None
    kinds: Kinds
    namespace: str
    why_not: str = ""
    """Why there is no cluster; empty where there is one."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], cancelled: threading.Event
    ) -> None:
        self.settings = settings
        self.namespace = settings.choice.namespace or "default"
        self.kinds = Kinds(None)
        if settings.unknown:
            self.why_not = "its address is not known yet"
            return
        try:
            found = connection(settings.choice, environment)
            self.namespace = found.namespace
            api = Api(found, cancelled)
            api.get("/version")
        except ConfigError as error:
            self.why_not = f"unable to load Kubernetes client configuration from kubeconfig file: {error}"
        except (Unreachable, ApiError) as error:
            self.why_not = f"unable to load schema information from the API server: {error}"
        else:
            self.kinds = Kinds(api)
            options = Options(settings.patch_force, settings.upsert, settings.warnings)
            self.operations = Operations(api, self.kinds, options, cancelled)

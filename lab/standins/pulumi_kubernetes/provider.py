"""Pulumi's calls, answered for Kubernetes objects."""

from __future__ import annotations

import os
import secrets
from importlib import metadata
from typing import Final, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from lab.standins.pulumi_kubernetes import checking, diffing
from lab.standins.pulumi_kubernetes.api import ApiError, Cancelled, Unreachable
from lab.standins.pulumi_kubernetes.cluster import Cluster
from lab.standins.pulumi_kubernetes.diff import normal
from lab.standins.pulumi_kubernetes.fields import CREATOR
from lab.standins.pulumi_kubernetes.kinds import NoSuchKind
from lab.standins.pulumi_kubernetes.objects import identity, prune, split_identity, without_read_only
from lab.standins.pulumi_kubernetes.operations import NotLive, Operations, Task
from lab.standins.pulumi_kubernetes.paths import parse_path
from lab.standins.pulumi_kubernetes.settings import Settings, refusals
from lab.standins.pulumi_kubernetes.state import MANAGER, checkpoint, hidden, parse_checkpoint
from lab.standins.pulumi_plugin.engine import Messages
from lab.standins.pulumi_plugin.errors import PartialFailure, ProviderError
from lab.standins.pulumi_plugin.server import Plugin, answer, serve_provider
from lab.standins.pulumi_plugin.values import Object, decode, encode, has_unknown, reveal

PACKAGE: Final = "pulumi-kubernetes"
"""The installed SDK: its version is ours."""
UNREACHABLE: Final = "configured Kubernetes cluster is unreachable"
_HINT: Final = (
    "; to take an object over, import it or set the provider's upsertExistingObjects; to replace one of"
    " the same name, use deleteBeforeReplace"
)

_Failures = (ApiError, Unreachable, NoSuchKind)


class Kubernetes(Plugin):
    """The provider. Its calls come from many threads at once."""

    version = metadata.version(PACKAGE)
    cluster: Cluster | None = None

    @answer
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        wrong = refusals(decode(request.news), os.environ)
        failures = [provider_pb2.CheckFailure(property=name, reason=why) for name, why in wrong.items()]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @answer
    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return diffing.diff_config(decode(request.olds), decode(request.news), os.environ)

    @answer
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self.cluster = Cluster(Settings.parse(decode(request.args), os.environ), os.environ, self.cancelled)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    @answer
    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return checking.check(request, self._cluster())

    @answer
    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return diffing.diff(request, self._cluster())

    @answer
    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        given = decode(request.properties)
        inputs: Object = reveal(given)
        if request.preview and self._cannot_try(inputs):
            return provider_pb2.CreateResponse(properties=request.properties)
        manager = f"{CREATOR}-{secrets.token_hex(4)}"
        task = self._task(request.urn, manager, request.timeout, request.preview)
        said = f'resource "{request.urn}" was '
        try:
            live = self._operations().create(inputs, task)
        except NotLive as error:
            said += "successfully created, but the Kubernetes API server reported that it failed to fully "
            raise self._partial(
                said + f"initialize or become live: {error}", error, given, manager
            ) from error
        except _Failures as error:
            if request.preview and _passes_preview(error):
                return provider_pb2.CreateResponse(properties=request.properties)
            hint = _HINT if isinstance(error, ApiError) and error.reason == "AlreadyExists" else ""
            said += f"not successfully created by the Kubernetes API server: {error}{hint}"
            raise ProviderError(said) from error
        return provider_pb2.CreateResponse(
            id="" if request.preview else identity(live),
            properties=encode(checkpoint(inputs, _shown(live, request.preview), given, manager)),
        )

    @answer
    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        cluster, messages = self._cluster(), Messages(self.engine, request.urn)
        if cluster.operations is None:
            return self._read_unreachable(cluster, request, messages)
        given = decode(request.inputs)
        inputs, (_, old, manager) = reveal(given), parse_checkpoint(decode(request.properties))
        task = Task(messages, manager or f"{CREATOR}-{secrets.token_hex(4)}")
        obj, problem = inputs or old or checking.from_urn(request.urn, request.id), None
        namespace, name = split_identity(request.id)
        obj = {**obj, "metadata": {**(obj.get("metadata") or {}), "name": name, "namespace": namespace}}
        try:
            live = cluster.operations.read(obj, task)
        except NotLive as error:
            live, problem = error.live, error
        except NoSuchKind:
            return provider_pb2.ReadResponse()
        except ApiError as error:
            if error.code == 404:
                return provider_pb2.ReadResponse()
            raise ProviderError(str(error)) from error
        except Cancelled as error:
            raise ProviderError(str(error)) from error
        except Unreachable as error:
            raise ProviderError(f"{UNREACHABLE}: {error}") from error
        now = prune(live, normal(inputs)) if inputs else _as_inputs(live)
        state = checkpoint(now, live, given, task.manager)
        if problem is not None:
            reasons = [str(problem) or "not ready", *problem.reasons]
            raise PartialFailure(request.id, reasons, state, hidden(now, given))
        return provider_pb2.ReadResponse(
            id=request.id, properties=encode(state), inputs=encode(hidden(now, given))
        )

    @answer
    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        given = decode(request.news)
        inputs: Object = reveal(given)
        if request.preview and self._cannot_try(inputs):
            return provider_pb2.UpdateResponse(properties=request.news)
        old, _, manager = parse_checkpoint(decode(request.olds))
        manager = manager or f"{CREATOR}-{secrets.token_hex(4)}"
        task = self._task(request.urn, manager, request.timeout, request.preview)
        operations, failed = self._operations(), f'update of resource "{request.urn}" failed'
        try:
            ignored = [parse_path(path) for path in request.ignoreChanges]
            live = operations.update(old, inputs, ignored, task)
        except NoSuchKind as error:
            raise ProviderError(f"{failed}: {error}") from error
        except (NotLive, ApiError, Unreachable) as error:
            if request.preview and isinstance(error.__cause__, ApiError) and error.__cause__.code == 403:
                return provider_pb2.UpdateResponse(properties=request.news)
            # Whatever went wrong, the object is read once more (readLiveObject in the real one's
            # provider.go). After Ctrl-C that fails as well, and the new state is lost.
            try:
                seen = NotLive(operations.live(inputs), str(error), getattr(error, "reasons", ()))
            except (ApiError, Unreachable) as lost:
                why = f"{failed}: {error}\nunable to get cluster state: {lost}"
                raise ProviderError(why) from error
            said = f'the Kubernetes API server reported that "{request.id}" failed to fully initialize or '
            raise self._partial(said + f"become live: {error}", seen, given, manager) from error
        state = checkpoint(inputs, _shown(live, request.preview), given, manager)
        return provider_pb2.UpdateResponse(properties=encode(state))

    @answer
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        cluster, messages = self._cluster(), Messages(self.engine, request.urn)
        if cluster.operations is None:
            self._delete_unreachable(cluster, messages)
            return empty_pb2.Empty()
        state = decode(request.properties)
        inputs, live, manager = parse_checkpoint(state)
        try:
            cluster.operations.delete(inputs, live, Task(messages, manager, request.timeout))
        except NoSuchKind:
            pass
        except NotLive as error:
            new = {**checkpoint(inputs, error.live, state, manager), MANAGER: manager}
            raise PartialFailure(identity(error.live), [str(error), *error.reasons], new) from error
        except (ApiError, Unreachable) as error:
            raise ProviderError(str(error)) from error
        return empty_pb2.Empty()

    @answer
    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        raise ProviderError(f"the stand-in of the kubernetes provider does not know {request.tok}")

    def _cluster(self) -> Cluster:
        if self.cluster is None:
            raise ProviderError("the provider was not configured")
        return self.cluster

    def _operations(self) -> Operations:
        cluster = self._cluster()
        if cluster.operations is None:
            raise ProviderError(f"{UNREACHABLE}: {cluster.why_not}")
        return cluster.operations

    def _cannot_try(self, inputs: Object) -> bool:
        """Whether a preview passes the object on as it is: not all is known, or nobody to ask."""
        cluster = self._cluster()
        return has_unknown(inputs) or cluster.operations is None or not cluster.kinds.exists(inputs)

    def _task(self, urn: str, manager: str, seconds: float, preview: bool) -> Task:
        return Task(Messages(self.engine, urn), manager, seconds, preview)

    def _partial(self, message: str, error: NotLive, given: Object, manager: str) -> PartialFailure:
        state = checkpoint(reveal(given), error.live, given, manager)
        return PartialFailure(identity(error.live), [message, *error.reasons], state)

    def _read_unreachable(
        self, cluster: Cluster, request: provider_pb2.ReadRequest, messages: Messages
    ) -> provider_pb2.ReadResponse:
        messages.warn(f"{UNREACHABLE}: {cluster.why_not}")
        if cluster.settings.delete_unreachable:
            messages.info(f"{UNREACHABLE} and `deleteUnreachable` is set: the resource leaves Pulumi's state")
            return provider_pb2.ReadResponse()
        if cluster.settings.skip_unreachable:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        raise ProviderError(
            "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can "
            "remove this resource from Pulumi state by rerunning the operation with the "
            'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
        )

    def _delete_unreachable(self, cluster: Cluster, messages: Messages) -> None:
        messages.warn(f"{UNREACHABLE}: {cluster.why_not}")
        if not cluster.settings.delete_unreachable:
            _gone = "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning"
            raise ProviderError(
                f"{UNREACHABLE}. {_gone} the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment "
                'variable set to "true"'
            )
        messages.info(f"{UNREACHABLE} and `deleteUnreachable` is set: the resource leaves Pulumi's state")


def _passes_preview(error: Exception) -> bool:
    """What a dry run may say although the real thing will work."""
    if not isinstance(error, ApiError):
        return isinstance(error, NoSuchKind)
    no_namespace = error.code == 404 and "namespaces" in str(error)
    return no_namespace or error.code == 403 or error.reason == "AlreadyExists"


def _shown(live: Object, preview: bool) -> Object:
    return {name: value for name, value in live.items() if not (preview and name == "status")}


def _as_inputs(live: Object) -> Object:
    """What an import takes as the program's: all but what the server adds."""
    return {name: value for name, value in without_read_only(live).items() if name != "status"}


def main() -> NoReturn:
    serve_provider(Kubernetes)
    raise SystemExit

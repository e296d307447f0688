"""Pulumi's calls, answered for Google's disks and their snapshot policies."""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from typing import Final, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from lab.standins.pulumi_gcp.diff import changes, deletes_first
from lab.standins.pulumi_gcp.fields import DEFAULTS
from lab.standins.pulumi_gcp.services import SERVICES, Service
from lab.standins.pulumi_plugin.errors import ProviderError
from lab.standins.pulumi_plugin.server import Plugin, answer, serve_provider
from lab.standins.pulumi_plugin.values import Object, conceal, decode, encode, reveal

PACKAGE: Final = "pulumi-gcp"
"""The installed SDK: its version is ours."""
_VARIABLES: Final = {
    "project": ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    "zone": ("GOOGLE_ZONE", "GCLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE"),
    "region": ("GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
}


class Gcp(Plugin):
    """The provider. Its calls come from many threads at once."""

    version = metadata.version(PACKAGE)
    _config: Object

    @answer
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    @answer
    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        # Resources that live elsewhere then say so themselves: project and zone replace them.
        same = decode(request.olds) == decode(request.news)
        none, some = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=none if same else some)

    @answer
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        given = reveal(decode(request.args))
        self._config = {name: given.get(name) or _variable(name) for name in _VARIABLES}
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    @answer
    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        schema = _service(request.urn).schema
        given = decode(request.news)
        inputs, old = reveal(given), reveal(decode(request.olds))
        if not inputs.get("name") and schema.autoname:
            made = f"{request.urn.rpartition('::')[2]}-{hashlib.sha256(request.randomSeed).hexdigest()[:7]}"
            made_up = "name" in old.get(DEFAULTS, [])
            inputs = {**inputs, "name": old["name"] if made_up else made, DEFAULTS: ["name"]}
        wrong = list(schema.check(inputs))
        for name in ("project", schema.place):
            if not self._effective(inputs).get(name):
                wrong.append((name, f"Failed to determine {name}: required field is not set; set gcp:{name}"))
        failures = [provider_pb2.CheckFailure(property=name, reason=why) for name, why in wrong]
        return provider_pb2.CheckResponse(inputs=encode(conceal(inputs, given)), failures=failures)

    @answer
    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        old = reveal(decode(request.olds))
        new = self._effective(reveal(decode(request.news)))
        found = changes(_service(request.urn).schema, old, new, list(request.ignoreChanges))
        kinds = provider_pb2.PropertyDiff.Kind
        replaces = [change.name for change in found if change.replaces]
        detail = {
            change.name: provider_pb2.PropertyDiff(
                kind=kinds.Value(change.kind + ("_REPLACE" if change.replaces else ""))
            )
            for change in found
        }
        none, some = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(
            changes=some if found else none,
            diffs=list(detail),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and deletes_first(old, new),
            detailedDiff=detail,
            hasDetailedDiff=True,
        )

    @answer
    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        service, given = _service(request.urn), decode(request.properties)
        inputs = self._effective(reveal(given))
        if request.preview:
            planned = conceal(service.planned(inputs), given)
            return provider_pb2.CreateResponse(properties=encode(planned))
        resource_id, state = service.create(inputs)
        return provider_pb2.CreateResponse(id=resource_id, properties=encode(conceal(state, given)))

    @answer
    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        service, given = _service(request.urn), decode(request.inputs)
        state = service.read(request.id, reveal(decode(request.properties)))
        if state is None:
            return provider_pb2.ReadResponse()
        wanted = set(given) or set(service.schema.fields)
        inputs = {name: state.get(name) for name in wanted if name in service.schema.fields}
        inputs = {**{k: v for k, v in reveal(given).items() if k.startswith("__")}, **inputs}
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=encode(conceal(state, given)),
            inputs=encode(conceal(inputs, given)),
        )

    @answer
    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        service, given = _service(request.urn), decode(request.news)
        old, inputs = reveal(decode(request.olds)), self._effective(reveal(given))
        if request.preview:
            new = {**old, **{k: v for k, v in inputs.items() if k in service.schema.fields}}
        else:
            new = service.update(request.id, old, inputs)
        return provider_pb2.UpdateResponse(properties=encode(conceal(new, given)))

    @answer
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        policy = decode(request.properties).get("deletionPolicy")
        if policy == "PREVENT":
            raise ProviderError(
                f"cannot destroy {request.id} without setting deletionPolicy to DELETE and running `up` first"
            )
        if policy != "ABANDON":
            _service(request.urn).delete(request.id, self.cancelled)
        return empty_pb2.Empty()

    @answer
    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        raise ProviderError(f"the stand-in of the gcp provider does not know {request.tok}")

    def _effective(self, inputs: Object) -> Object:
        """With the provider's project and place where the resource has none of its own."""
        filled = {name: inputs.get(name) or value for name, value in self._config.items()}
        return {**inputs, **{name: value for name, value in filled.items() if value}}


def _variable(name: str) -> str:
    return next((os.environ[v] for v in _VARIABLES[name] if os.environ.get(v)), "")


def _service(urn: str) -> Service:
    token = urn.split("::")[2].rpartition("$")[2]
    service = SERVICES.get(token)
    if service is None:
        raise ProviderError(f"the stand-in of the gcp provider knows {', '.join(SERVICES)}; not {token}")
    return service


def main() -> NoReturn:
    serve_provider(Gcp)
    raise SystemExit

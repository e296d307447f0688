"""Pulumi's calls to a language host, answered for Python."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2 as language
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from lab.standins.language_python.children import Children, output
from lab.standins.language_python.environment import Environment
from lab.standins.pulumi_plugin.errors import ProviderError
from lab.standins.pulumi_plugin.server import answer, engine_address, serve
from lab.standins.pulumi_plugin.values import decode, reveal

VERSION: Final = "3.259.0"
ALREADY_SAID: Final = 32
"""Exit status of the runner when it has shown the error itself."""


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    def __init__(self, engine: str, runner: Path) -> None:
        """`runner` is the SDK's `pulumi-language-python-exec`."""
        self._engine, self._runner, self._children = engine, runner, Children()

    def Handshake(
        self, request: language.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language.LanguageHandshakeResponse:
        self._engine = request.engine_address or self._engine
        return language.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._children.interrupt()
        return empty_pb2.Empty()

    def stop(self) -> None:
        self._children.stop()

    @answer
    def GetRequiredPlugins(
        self, request: language.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> language.GetRequiredPluginsResponse:
        found = [
            plugin_pb2.PluginDependency(
                name=p["name"], kind="resource", version=p.get("version", ""), server=p.get("server", "")
            )
            for p in self._plugins(request.info, context)
        ]
        return language.GetRequiredPluginsResponse(plugins=found)

    @answer
    def GetRequiredPackages(
        self, request: language.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language.GetRequiredPackagesResponse:
        found = [
            plugin_pb2.PackageDependency(
                name=p["name"], kind="resource", version=p.get("version", ""), server=p.get("server", "")
            )
            for p in self._plugins(request.info, context)
        ]
        return language.GetRequiredPackagesResponse(packages=found)

    @answer
    def GetProgramDependencies(
        self, request: language.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language.GetProgramDependenciesResponse:
        listed = _environment(request.info).distributions(request.transitiveDependencies)
        found = [language.DependencyInfo(name=name, version=version) for name, version in listed]
        return language.GetProgramDependenciesResponse(dependencies=found)

    @answer
    def About(self, request: language.AboutRequest, context: grpc.ServicerContext) -> language.AboutResponse:
        environment = _environment(request.info)
        note = {"host": "stand-in of the lab"}
        return language.AboutResponse(
            executable=environment.python, version=environment.version(), metadata=note
        )

    def RuntimeOptionsPrompts(
        self, request: language.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language.RuntimeOptionsResponse:
        return language.RuntimeOptionsResponse()

    def Template(
        self, request: language.TemplateRequest, context: grpc.ServicerContext
    ) -> language.TemplateResponse:
        return language.TemplateResponse()

    def InstallDependencies(
        self, request: language.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language.InstallDependenciesResponse]:
        try:
            for name, data in self._make(_environment(request.info), request.info, context):
                yield language.InstallDependenciesResponse(**{name: data})
        except ProviderError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))

    @answer
    def Run(self, request: language.RunRequest, context: grpc.ServicerContext) -> language.RunResponse:
        info, environment = request.info, _environment(request.info)
        self._make_missing(environment, info, context)
        command = [
            *(environment.python, "-u", str(self._runner)),
            *("--monitor", request.monitor_address, "--engine", self._engine),
            *("--project", request.project, "--stack", request.stack),
            *("--organization", request.organization, "--root_directory", info.root_directory),
            *("--pwd", request.pwd, "--parallel", str(request.parallel), "--tracing", ""),
            *("--dry_run", "true" if request.dryRun else "false"),
            str(Path(info.program_directory, info.entry_point)),
            *request.args,
        ]
        env = {
            **environment.variables(),
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        folder = Path(request.pwd or info.program_directory)
        with self._children.start(command, folder, env, context, piped=False) as child:
            status = child.wait()
        if status == ALREADY_SAID:
            return language.RunResponse(bail=True)
        if status < 0:
            return language.RunResponse(error=f"Program was ended by signal {-status}")
        return language.RunResponse(
            error=f"Program exited with non-zero exit code: {status}" if status else ""
        )

    def RunPlugin(
        self, request: language.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language.RunPluginResponse]:
        try:
            environment = _environment(request.info)
            self._make_missing(environment, request.info, context)
        except ProviderError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        program = str(Path(request.info.program_directory, request.info.entry_point))
        argv = [environment.python, "-u", program, *request.args]
        env = {**environment.variables(), **dict(item.split("=", 1) for item in request.env)}
        with self._children.start(argv, Path(request.pwd or "."), env, context, piped=True) as child:
            for name, data in output(child):
                yield (
                    language.RunPluginResponse(stdout=data)
                    if name == "stdout"
                    else language.RunPluginResponse(stderr=data)
                )
            yield language.RunPluginResponse(exitcode=child.wait())

    def _plugins(self, info: language.ProgramInfo, context: grpc.ServicerContext) -> list[dict[str, str]]:
        environment = _environment(info)
        self._make_missing(environment, info, context)
        return environment.plugins()

    def _make_missing(
        self, environment: Environment, info: language.ProgramInfo, context: grpc.ServicerContext
    ) -> None:
        if not environment.exists:
            for _, data in self._make(environment, info, context):
                sys.stderr.write(data.decode(errors="replace"))

    def _make(
        self, environment: Environment, info: language.ProgramInfo, context: grpc.ServicerContext
    ) -> Iterator[tuple[str, bytes]]:
        """Raises ProviderError."""
        folder = Path(info.program_directory or info.root_directory)
        for argv in environment.making(folder):
            yield "stdout", f"{' '.join(argv)}\n".encode()
            with self._children.start(argv, folder, dict(os.environ), context, piped=True) as child:
                yield from output(child)
                if child.wait() != 0:
                    raise ProviderError(f"`{' '.join(argv)}` failed with exit code {child.returncode}")


def _environment(info: language.ProgramInfo) -> Environment:
    return Environment.of(reveal(decode(info.options)), Path(info.root_directory))


def main(runner: Path) -> NoReturn:
    host = Host(engine_address(sys.argv[1:]), runner)
    serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server), host.stop)
    raise SystemExit

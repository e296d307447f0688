"""A plugin's process: a gRPC server that lives as long as the engine that started it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from lab.standins.pulumi_plugin.engine import Engine
from lab.standins.pulumi_plugin.errors import ProviderError, refuse

THREADS: Final = 128
"""Waits hold one each; the engine asks for at most 4 operations a core, or `--parallel`."""
UNLIMITED: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

Method = TypeVar("Method", bound=Callable[..., Any])


def answer(method: Method) -> Method:
    """A remote call whose exceptions reach the person as one message instead of a traceback."""

    @wraps(method)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except ProviderError as error:
            refuse(context, error)
        except Exception as error:
            what = f"the stand-in failed in {method.__name__}: {type(error).__name__}: {error}"
            refuse(context, ProviderError(what))

    return call  # type: ignore[return-value]


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """The calls that are the same for every provider."""

    version: str = ""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cancelled = threading.Event()
        """Set when all that waits is to end at once."""

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.engine = Engine(request.address)
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.cancelled.set()
        return empty_pb2.Empty()


def engine_address(arguments: Sequence[str]) -> str:
    """The one argument that is no option; empty where the plugin is started by hand."""
    plain = [argument for argument in arguments if not argument.startswith("-")]
    return plain[-1] if plain else ""


def serve(register: Callable[[grpc.Server], Any], stopping: Callable[[], Any]) -> None:
    """Serves what `register` adds, until the engine sends a signal or is gone; `stopping` ends waits."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    parent = os.getppid()
    server = grpc.server(ThreadPoolExecutor(THREADS), options=UNLIMITED)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # Fails where the engine has been killed before: then `parent` was not it.
    print(port, flush=True)
    # An engine that was killed sends nothing: its orphan has another parent.
    while not ended.wait(0.5) and os.getppid() == parent:
        pass
    stopping()
    server.stop(grace=0.5).wait()
    sys.stdout.flush()
    # Threads of the pool may sit in a request to a server that does not answer.
    os._exit(0)


def serve_provider(make: Callable[[Engine], Plugin]) -> None:
    plugin = make(Engine(engine_address(sys.argv[1:])))
    serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server),
        plugin.cancelled.set,
    )

"""Messages to the person at the terminal, through the engine."""

from __future__ import annotations

import contextlib
import threading

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Engine:
    """The engine that started this plugin. Losing it loses messages, nothing else."""

    def __init__(self, address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def log(self, severity: engine_pb2.LogSeverity.ValueType, urn: str, text: str, passing: bool) -> None:
        message = engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=passing)
        with contextlib.suppress(grpc.RpcError):
            self._stub.Log(message, timeout=10)


class Messages:
    """What is said about one resource during one operation; nothing is said twice in a row."""

    def __init__(self, engine: Engine, urn: str) -> None:
        self._engine, self._urn = engine, urn
        self._lock, self._last = threading.Lock(), ""
        self._warned: set[str] = set()

    def warn(self, text: str) -> None:
        with self._lock:
            known = text in self._warned
            self._warned.add(text)
        if not known:
            self._engine.log(engine_pb2.WARNING, self._urn, text, False)

    def info(self, text: str) -> None:
        self._engine.log(engine_pb2.INFO, self._urn, text, False)

    def status(self, text: str) -> None:
        """Shown beside the resource until the next one; an empty one clears it."""
        with self._lock:
            known, self._last = text == self._last, text
        if not known:
            self._engine.log(engine_pb2.INFO, self._urn, text, True)

"""Kubernetes' own conformance suite for CSI drivers, against the driver on a real volume.

The suite makes its volumes itself, by a controller, which this driver has not: the one of the test hands
out the names of volumes that the stack would declare. All else is asked of the driver.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from gluster_sidecar.csi import serve
from gluster_sidecar.csi.proto import csi_pb2 as csi

from lab.tools import programs
from tests.csi.machine import Machine, running

pytestmark = pytest.mark.lab
PLACE = "/var/lib/kubelet/pods/sanity"
MEANT = "Node Service|Identity Service"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with running() as made:
        made.shell(f"mkdir -p {PLACE}")
        yield made


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def create_volume(asked: Any) -> Any:
    return csi.CreateVolumeResponse(volume=csi.Volume(volume_id=asked.name))


def controller() -> dict[str, serve.Method]:
    rpc = csi.ControllerServiceCapability.RPC
    makes = csi.ControllerServiceCapability(rpc=rpc(type=rpc.CREATE_DELETE_VOLUME))
    service = csi.PluginCapability.Service
    offers = csi.PluginCapability(service=service(type=service.CONTROLLER_SERVICE))
    return {
        "/csi.v1.Identity/GetPluginCapabilities": (
            csi.GetPluginCapabilitiesRequest,
            lambda _: csi.GetPluginCapabilitiesResponse(capabilities=[offers]),
        ),
        "/csi.v1.Controller/ControllerGetCapabilities": (
            csi.ControllerGetCapabilitiesRequest,
            lambda _: csi.ControllerGetCapabilitiesResponse(capabilities=[makes]),
        ),
        "/csi.v1.Controller/CreateVolume": (csi.CreateVolumeRequest, create_volume),
        "/csi.v1.Controller/DeleteVolume": (
            csi.DeleteVolumeRequest,
            lambda _: csi.DeleteVolumeResponse(),
        ),
    }


class Front(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """The controller's methods, and the driver's for all others, as they are."""

    def __init__(self, driver: grpc.Channel) -> None:
        self._driver = driver
        self._own = controller()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        if details.method in self._own:
            kind, method = self._own[details.method]
            return grpc.unary_unary_rpc_method_handler(
                lambda asked, _: method(asked),
                request_deserializer=kind.FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
        stub = self._driver.unary_unary(details.method, bytes, bytes)

        def forward(asked: bytes, context: grpc.ServicerContext) -> Any:
            try:
                return stub(asked, timeout=60)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")

        return grpc.unary_unary_rpc_method_handler(forward)


@pytest.fixture
def endpoint(machine: Machine) -> Iterator[str]:
    """Where the suite finds driver and controller, as the machine sees it."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    with grpc.insecure_channel(f"unix://{machine.socket}") as driver:
        server.add_generic_rpc_handlers((Front(driver),))
        assert server.add_insecure_port(f"unix://{machine.root}/run/front.sock")
        server.start()
        yield "unix:///run/front.sock"
        server.stop(None).wait()


def test_the_suite_of_kubernetes_passes(machine: Machine, endpoint: str) -> None:
    shutil.copy(programs.sanity(say), machine.root / "run/csi-sanity")
    done = machine.enter(
        machine.init(),
        f"/run/csi-sanity --csi.endpoint={endpoint} --csi.mountdir={PLACE}/target"
        f" --csi.stagingdir={PLACE}/staging --ginkgo.no-color --ginkgo.v --ginkgo.focus='{MEANT}'",
        120,
    )
    assert done.returncode == 0, done.stdout[-6000:] + machine.log()
    (ran,) = re.findall(r"^Ran (\d+) of", done.stdout, re.MULTILINE)
    assert int(ran) >= 17, "the rest is skipped: what the driver does not offer"

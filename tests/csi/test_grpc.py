"""The rules of CSI at the gRPC interface: real servers on Unix sockets, a real link to a holder's end.

What the holder does with mounts is in `test_mounts.py`, on a real FUSE.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from gluster_sidecar.csi import link, serve
from gluster_sidecar.csi.errors import Code, Refusal
from gluster_sidecar.csi.node import Identity, Node
from gluster_sidecar.csi.proto import csi_pb2 as csi
from gluster_sidecar.csi.proto import pluginregistration_pb2 as registration

MODE = csi.VolumeCapability.AccessMode
TARGET = "/var/lib/kubelet/pods/x/volumes/kubernetes.io~csi/pv/mount"
STATUS = grpc.StatusCode


class Holder:
    """The holder's end of the link: notes what it is asked, and answers as told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal: Refusal | None = None
        self.stats: dict[str, Any] = {
            "wrong": None,
            "bytes": {"total": 100, "used": 30, "available": 60},
            "inodes": {"total": 10, "used": 3, "available": 7},
        }

    def methods(self) -> dict[str, Any]:
        def note(method: str, answer: Any) -> Any:
            def noted(**words: Any) -> Any:
                self.asked.append((method, words))
                if self.refusal is not None:
                    raise self.refusal
                return answer() if callable(answer) else answer

            return noted

        return {
            "ping": note("ping", "pong"),
            "publish": note("publish", None),
            "unpublish": note("unpublish", None),
            "stats": note("stats", lambda: self.stats),
        }


class Driver:
    """A caller of the driver, as the kubelet is."""

    def __init__(self, socket: Path) -> None:
        self.channel = grpc.insecure_channel(f"unix://{socket}")

    def call(self, service: str, asked: Any, answer: Any) -> Any:
        method = type(asked).__name__.removesuffix("Request")
        stub = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return stub(asked, timeout=120, wait_for_ready=True)  # as the kubelet

    def publish(self, **fields: Any) -> Any:
        return self.call(serve.NODE, publish_request(**fields), csi.NodePublishVolumeResponse)

    def unpublish(self, **fields: Any) -> Any:
        asked = csi.NodeUnpublishVolumeRequest(**{"volume_id": "v", "target_path": TARGET, **fields})
        return self.call(serve.NODE, asked, csi.NodeUnpublishVolumeResponse)

    def stats(self, **fields: Any) -> Any:
        asked = csi.NodeGetVolumeStatsRequest(**{"volume_id": "v", "volume_path": TARGET, **fields})
        return self.call(serve.NODE, asked, csi.NodeGetVolumeStatsResponse)


def capability(mode: int = MODE.MULTI_NODE_MULTI_WRITER, **mount: Any) -> csi.VolumeCapability:
    return csi.VolumeCapability(
        mount=csi.VolumeCapability.MountVolume(**mount),
        access_mode=MODE(mode=mode),  # type: ignore[arg-type]
    )


def publish_request(**fields: Any) -> csi.NodePublishVolumeRequest:
    whole = {"volume_id": "v", "target_path": TARGET, "volume_capability": capability(), **fields}
    return csi.NodePublishVolumeRequest(**{k: v for k, v in whole.items() if v is not None})


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder()
    server = link.Server(tmp_path / link.SOCKET, made.methods())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def driver(tmp_path: Path, holder: Holder) -> Iterator[Driver]:
    def ask(method: str, **words: Any) -> Any:
        return link.call(tmp_path / link.SOCKET, method, **words)

    services = serve.csi_services(Identity("d.example", ask), Node("kn1", "data", ask))
    server = serve.server(tmp_path / "csi.sock", services)
    client = Driver(tmp_path / "csi.sock")
    yield client
    client.channel.close()
    server.stop(None).wait()


def refused(code: grpc.StatusCode, call: Any, **fields: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call(**fields)
    assert caught.value.code() == code
    return str(caught.value.details())


# --- identity and capabilities


def test_the_driver_says_who_it_is(driver: Driver) -> None:
    info = driver.call(serve.IDENTITY, csi.GetPluginInfoRequest(), csi.GetPluginInfoResponse)
    assert info.name == "d.example"
    assert info.vendor_version


def test_it_offers_no_controller(driver: Driver) -> None:
    asked = csi.GetPluginCapabilitiesRequest()
    assert not driver.call(serve.IDENTITY, asked, csi.GetPluginCapabilitiesResponse).capabilities


def test_it_is_ready_with_its_holder_only(driver: Driver, holder: Holder) -> None:
    assert driver.call(serve.IDENTITY, csi.ProbeRequest(), csi.ProbeResponse).ready.value
    holder.refusal = Refusal(Code.UNAVAILABLE, "away")
    answer = driver.call(serve.IDENTITY, csi.ProbeRequest(), csi.ProbeResponse)
    assert answer.HasField("ready")
    assert not answer.ready.value


def test_the_node_is_named_and_can_do_what_it_says(driver: Driver) -> None:
    info = driver.call(serve.NODE, csi.NodeGetInfoRequest(), csi.NodeGetInfoResponse)
    assert info.node_id == "kn1"
    answer = driver.call(serve.NODE, csi.NodeGetCapabilitiesRequest(), csi.NodeGetCapabilitiesResponse)
    kinds = csi.NodeServiceCapability.RPC
    assert {c.rpc.type for c in answer.capabilities} == {
        kinds.GET_VOLUME_STATS,
        kinds.VOLUME_CONDITION,
        kinds.VOLUME_MOUNT_GROUP,
    }


@pytest.mark.parametrize(
    "asked", [csi.NodeStageVolumeRequest(), csi.NodeUnstageVolumeRequest(), csi.NodeExpandVolumeRequest()]
)
def test_what_it_has_no_capability_for_is_unimplemented(driver: Driver, asked: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        driver.call(serve.NODE, asked, csi.NodeStageVolumeResponse)
    assert caught.value.code() == STATUS.UNIMPLEMENTED


# --- publish


def test_publish_twice_asks_the_holder_twice_for_the_same(driver: Driver, holder: Holder) -> None:
    for _ in range(2):
        driver.publish()
    (first, second) = holder.asked
    assert first == second
    assert first[0] == "publish"
    assert first[1]["target"] == TARGET
    # No more than that: a holder of an older version must understand it.
    assert first[1]["use"] == {"volume_id": "v", "volume": "data"}


@pytest.mark.parametrize("field", ["volume_id", "target_path", "volume_capability"])
def test_publish_without_a_field_is_refused_and_asks_nobody(
    driver: Driver, holder: Holder, field: str
) -> None:
    for _ in range(2):
        assert field in refused(STATUS.INVALID_ARGUMENT, driver.publish, **{field: None})
    assert not holder.asked


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            csi.VolumeCapability(
                block=csi.VolumeCapability.BlockVolume(), access_mode=MODE(mode=MODE.MULTI_NODE_MULTI_WRITER)
            ),
            "no block devices",
        ),
        (csi.VolumeCapability(mount=csi.VolumeCapability.MountVolume()), "access_mode is missing"),
        (csi.VolumeCapability(access_mode=MODE(mode=MODE.SINGLE_NODE_WRITER)), "no block devices"),
        (capability(fs_type="ext4"), "fs_type ext4"),
        (capability(mount_flags=["nobarrier"]), "nobarrier is not known"),
        (capability(volume_mount_group="staff"), "volume_mount_group: 'staff' is no number"),
    ],
)
def test_publish_with_a_capability_that_cannot_be(
    driver: Driver, holder: Holder, wrong: csi.VolumeCapability, words: str
) -> None:
    assert words in refused(STATUS.INVALID_ARGUMENT, driver.publish, volume_capability=wrong)
    assert not holder.asked


@pytest.mark.parametrize("mode", [m for m in MODE.Mode.values() if m != MODE.UNKNOWN])
def test_every_access_mode_can_be_had(driver: Driver, holder: Holder, mode: int) -> None:
    driver.publish(volume_capability=capability(mode))
    reads = {MODE.SINGLE_NODE_READER_ONLY, MODE.MULTI_NODE_READER_ONLY}
    assert holder.asked[0][1]["use"].get("read_only", False) is (mode in reads)


def test_publish_hands_on_what_the_volume_says(driver: Driver, holder: Holder) -> None:
    driver.publish(
        volume_id="team-a",
        readonly=True,
        volume_context={"directory": "team/a", "makeDirectory": "true", "volume": "other"},
        volume_capability=capability(
            mount_flags=["acl", "entry-timeout=1"], fs_type="glusterfs", volume_mount_group="2000"
        ),
    )
    assert holder.asked[0][1]["use"] == {
        "volume_id": "team-a",
        "volume": "other",
        "directory": "team/a",
        "make_directory": True,
        "options": ["acl", "entry-timeout=1"],
        "read_only": True,
        "group": 2000,
    }


@pytest.mark.parametrize("code", list(Code))
def test_the_holders_refusal_reaches_the_kubelet_with_its_code(
    driver: Driver, holder: Holder, code: Code
) -> None:
    holder.refusal = Refusal(code, "because")
    for call in (driver.publish, driver.unpublish, driver.stats):
        assert refused(grpc.StatusCode[code], call) == "because"


def test_a_holder_that_fails_is_an_internal_error_and_goes_on(driver: Driver, holder: Holder) -> None:
    holder.refusal = ValueError("odd")  # type: ignore[assignment]
    assert "odd" in refused(STATUS.INTERNAL, driver.unpublish)
    holder.refusal = None
    driver.unpublish()


def test_no_holder_is_unavailable_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="holds this machine's mounts does not answer") as caught:
        link.call(tmp_path / "none.sock", "ping")
    assert caught.value.code == Code.UNAVAILABLE


def test_a_holder_that_hangs_is_not_waited_for_by_a_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "PING_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / link.SOCKET))
        listening.listen()

        def ask(method: str, **words: Any) -> Any:
            return link.call(tmp_path / link.SOCKET, method, **words)

        assert not Identity("d.example", ask).probe(csi.ProbeRequest()).ready.value


# --- unpublish and stats


def test_unpublish_of_what_is_not_there_succeeds_each_time(driver: Driver, holder: Holder) -> None:
    for _ in range(2):
        driver.unpublish(volume_id="never-heard-of")
    assert holder.asked == [("unpublish", {"target": TARGET})] * 2


@pytest.mark.parametrize("field", ["volume_id", "target_path"])
def test_unpublish_without_a_field_is_refused(driver: Driver, holder: Holder, field: str) -> None:
    assert field in refused(STATUS.INVALID_ARGUMENT, driver.unpublish, **{field: ""})
    assert not holder.asked


@pytest.mark.parametrize("field", ["volume_id", "volume_path"])
def test_stats_without_a_field_are_refused(driver: Driver, holder: Holder, field: str) -> None:
    assert field in refused(STATUS.INVALID_ARGUMENT, driver.stats, **{field: ""})
    assert not holder.asked


def test_stats_tell_bytes_and_inodes(driver: Driver) -> None:
    answer = driver.stats()
    usage = {u.unit: (u.total, u.used, u.available) for u in answer.usage}
    assert usage == {csi.VolumeUsage.BYTES: (100, 30, 60), csi.VolumeUsage.INODES: (10, 3, 7)}
    assert not answer.volume_condition.abnormal


def test_stats_of_a_dead_mount_are_a_condition_and_no_numbers(driver: Driver, holder: Holder) -> None:
    holder.stats = {"wrong": "Transport endpoint is not connected"}
    answer = driver.stats()
    assert answer.volume_condition.abnormal
    assert "Transport endpoint" in answer.volume_condition.message
    assert not answer.usage


# --- registration


def test_the_kubelet_learns_name_and_socket_and_tells_how_it_went(tmp_path: Path) -> None:
    heard: list[tuple[bool, str]] = []
    services = serve.registration_services("d.example", "/x/csi.sock", lambda *words: heard.append(words))
    server = serve.server(tmp_path / "reg.sock", services)
    with grpc.insecure_channel(f"unix://{tmp_path / 'reg.sock'}") as channel:
        whoami = channel.unary_unary(
            f"/{serve.REGISTRATION}/GetInfo",
            request_serializer=registration.InfoRequest.SerializeToString,
            response_deserializer=registration.PluginInfo.FromString,
        )
        info = whoami(registration.InfoRequest(), timeout=10)
        assert (info.type, info.name, info.endpoint) == ("CSIPlugin", "d.example", "/x/csi.sock")
        assert list(info.supported_versions) == ["1.0.0"]
        notify = channel.unary_unary(
            f"/{serve.REGISTRATION}/NotifyRegistrationStatus",
            request_serializer=registration.RegistrationStatus.SerializeToString,
            response_deserializer=registration.RegistrationStatusResponse.FromString,
        )
        notify(registration.RegistrationStatus(plugin_registered=False, error="no"), timeout=10)
    server.stop(None).wait()
    assert heard == [(False, "no")]


def test_a_stale_socket_does_not_keep_a_new_plugin_away(tmp_path: Path) -> None:
    socket = tmp_path / "reg.sock"
    socket.write_text("left over")
    serve.server(socket, {}).stop(None).wait()

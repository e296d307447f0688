"""What a PersistentVolume may ask for, and what it is told when it makes no sense."""

from __future__ import annotations

import doctest

import pytest
from gluster_sidecar import contract, profiles
from gluster_sidecar.csi import options, request
from gluster_sidecar.csi.errors import Code, Refusal
from gluster_sidecar.csi.request import Use


def read(
    attributes: dict[str, str] | None = None,
    flags: tuple[str, ...] = (),
    *,
    read_only: bool = False,
    group: str = "",
) -> Use:
    return request.read(
        "id", attributes or {}, flags, read_only=read_only, default_volume="data", group=group
    )


def test_nothing_said_is_the_whole_volume_of_the_stack() -> None:
    assert read() == Use(volume_id="id", volume="data")


def test_what_kubernetes_adds_is_no_attribute_of_ours() -> None:
    assert read({"csi.storage.k8s.io/pod.name": "x", "volume": "other"}).volume == "other"


@pytest.mark.parametrize("text", ["a/b", "/a/b/", "a//b"])
def test_a_directory_is_names_with_slashes_between(text: str) -> None:
    assert read({"directory": text}).directory == "a/b"


@pytest.mark.parametrize(
    ("attributes", "flags", "words"),
    [
        ({"directroy": "a"}, (), "directroy is not known; known are volume, directory, makeDirectory"),
        ({"directory": "a/../../etc"}, (), "directory='a/../../etc' must be plain names"),
        ({"directory": "./a"}, (), "must be plain names"),
        ({"directory": "x" * 256}, (), "must be plain names"),
        ({"volume": "-rf"}, (), "volume='-rf' is no name of a GlusterFS volume"),
        ({"volume": "a/b"}, (), "is no name of a GlusterFS volume"),
        ({"makeDirectory": "yes"}, (), "makeDirectory='yes' must be true or false"),
        ({}, ("entry-timeout=soon",), "entry-timeout=soon has a value that entry-timeout cannot take"),
        ({}, ("acl=1",), "acl=1 is not known; known are"),
        ({}, ("volfile-server=evil",), "volfile-server=evil is not known"),
        ({}, ("xlator-option=*.x=1 --log-file=/etc/passwd",), "has a value that"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    attributes: dict[str, str], flags: tuple[str, ...], words: str
) -> None:
    with pytest.raises(Refusal) as caught:
        read(attributes, flags)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_equal_options_are_one_client_however_they_are_written() -> None:
    assert read(flags=("acl", "entry-timeout=5")) == read(flags=("entry-timeout=5,acl", "_netdev", "acl"))


@pytest.mark.parametrize(("flags", "read_only"), [(("ro",), False), ((), True), (("acl,ro",), True)])
def test_read_only_may_be_said_in_two_places(flags: tuple[str, ...], read_only: bool) -> None:
    use = read(flags=flags, read_only=read_only)
    assert use.read_only
    assert "ro" not in use.options


def test_options_become_arguments_of_the_client() -> None:
    assert options.arguments(["acl", "entry-timeout=5"]) == [
        "--log-level=WARNING",
        "--acl",
        "--entry-timeout=5",
    ]
    assert options.arguments(["log-level=INFO"]) == ["--log-level=INFO"]


def test_a_use_survives_being_written_down() -> None:
    for use in (
        read({"directory": "a", "makeDirectory": "true"}, ("acl",), read_only=True, group="7"),
        read(),
    ):
        assert Use.from_json(use.to_json()) == use


def test_an_old_holder_says_what_to_do_when_a_newer_plugin_asks_for_more() -> None:
    with pytest.raises(Refusal, match="too old for color: delete it") as caught:
        Use.from_json({**read().to_json(), "color": "green"})
    assert caught.value.code == Code.FAILED_PRECONDITION


def test_examples_in_the_text_hold() -> None:
    for module in (options, contract):
        failed, tried = doctest.testmod(module)
        assert tried
        assert not failed


def test_a_drivers_name_is_short_enough_and_tells_namespaces_apart() -> None:
    long = "n" * 63
    assert len(contract.driver_name(long)) == 63
    assert contract.driver_name(long) != contract.driver_name("n" * 62)
    # The longest path of a Unix socket.
    assert len(f"{contract.KUBELET_REGISTRY}/{contract.driver_name(long)}-reg.sock") < 108
    assert len(f"{contract.driver_folder(long)}/holder.sock") < 108


def test_every_profile_gives_a_dead_machine_up_soon() -> None:
    assert set(profiles.PROFILES) == {"general", "small-files", "large-files"}
    assert int(profiles.COMMON["network.ping-timeout"]) <= 10

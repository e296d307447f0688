"""The component's schema, as programs in other languages get it."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pulumi
import pytest

from gluster_stack.args import GlusterClusterArgs
from gluster_stack.checks import default
from gluster_stack.config import camel_case
from gluster_stack.hosted import GlusterCluster, host
from tests.stack.recording import CLUSTER, CONTROLLER, MAP, record_main, run, settings


@pytest.fixture(scope="module")
def resource() -> dict[str, Any]:
    schema = json.loads(host().schema or "{}")
    (only,) = schema["resources"].items()
    assert only[0] == CLUSTER, "by import and through the host it must be the same type"
    return dict(only[1])


def test_inputs_are_the_arguments_plain_and_described(resource: dict[str, Any]) -> None:
    inputs = resource["inputProperties"]
    assert set(inputs) == {camel_case(item.name) for item in fields(GlusterClusterArgs)}
    assert set(resource["requiredInputs"]) == {"project", "zone"}
    for item in fields(GlusterClusterArgs):
        found, known = inputs[camel_case(item.name)], default(item.name)
        kinds: dict[type, str] = {bool: "boolean", int: "integer", str: "string", tuple: "array"}
        assert found["type"] == ("string" if known is None else kinds.get(type(known), "object")), item.name
        assert found["plain"] is True, "names and counts must be known in a preview"
    assert inputs["graceSeconds"]["description"].startswith("Seconds that a node may stay away")


def test_outputs_are_those_of_the_program(resource: dict[str, Any]) -> None:
    assert set(resource["properties"]) == record_main(settings()).outputs.keys()


def test_numbers_arrive_as_floats_and_are_whole() -> None:
    values = {"project": "my-project", "zone": "us-east1-b", "volume_options": {"network.ping-timeout": 7.0}}
    recording = run(lambda: GlusterCluster("gluster", values, pulumi.ResourceOptions()))
    assert not recording.refusal, recording.refusal
    assert len(recording.of(CONTROLLER)) == 2
    options = json.loads(recording.one(MAP, "gluster-plan").object["data"]["options"])
    assert options == {"network.ping-timeout": "7"}

"""Each verb that the stack grants is needed, and nothing else is: shown on a real API server with RBAC."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gluster_stack import access, driver
from tests.standins.control_plane import ControlPlane
from tests.standins.workbench import ROOT

pytestmark = pytest.mark.lab

NEEDED = {
    "sidecar: all": [],
    "sidecar: pods list": ["who_is_there"],
    "sidecar: pods watch": ["who_is_there"],
    "sidecar: pods delete": ["an_outdated_pod_is_made_anew"],
    "sidecar: replicationcontrollers list": ["which_template_a_node_has"],
    "sidecar: replicationcontrollers watch": ["which_template_a_node_has"],
    "sidecar: persistentvolumeclaims list": ["what_a_disk_may_hold"],
    "sidecar: persistentvolumeclaims watch": ["what_a_disk_may_hold"],
    "sidecar: configmaps list": [
        *("members_plan_and_status", "a_member_is_wanted_again", "a_member_that_nobody_wants_goes"),
    ],
    "sidecar: configmaps watch": ["members_plan_and_status"],
    "sidecar: configmaps get": [
        *("a_drained_member_is_let_go", "a_member_is_wanted_again", "a_member_that_nobody_wants_goes"),
    ],
    "sidecar: configmaps patch": ["a_note_in_the_status", "a_drained_member_is_let_go"],
    "sidecar: configmaps create": ["a_member_is_wanted_again", "a_member_that_nobody_wants_goes"],
    "sidecar: configmaps delete": ["a_member_that_nobody_wants_goes"],
    "sidecar: leases get": ["the_lease_is_taken", "a_lost_lease_is_made_anew"],
    "sidecar: leases update": ["the_lease_is_taken"],
    "sidecar: leases create": ["a_lost_lease_is_made_anew"],
    "sidecar: endpointslices get": ["the_clients_addresses"],
    "sidecar: endpointslices patch": ["the_clients_addresses"],
    "sidecar: events create": ["an_event?"],
    "holder: all": [],
    "holder: pods list": ["where_the_members_are"],
    "holder: pods watch": ["where_the_members_are"],
    "holder: endpointslices list": ["who_serves_the_volume"],
    "holder: endpointslices watch": ["who_serves_the_volume"],
}
"""Which verb is taken away, and what is refused then. `?`: it fails without a word, by design."""


def test_without_any_one_verb_something_named_is_refused(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "duties")
    command = plane.inside(
        *(sys.executable, "-m", "tests.engine.duties", str(plane.kubeconfig), "duties"),
    )
    path = {"PYTHONPATH": f"{ROOT}:{ROOT}/sidecar"}
    done = subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == NEEDED, done.stderr
    granted = [
        f"{who}: {kind} {verb}"
        for who, rules in (("sidecar", access.RULES), ("holder", driver.RULES))
        for _, kind, verbs in rules
        for verb in verbs
    ]
    assert {name for name, refused in found.items() if refused} == set(granted)

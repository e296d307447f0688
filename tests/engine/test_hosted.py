"""`GlusterCluster` constructed through Pulumi's component host, as a program in another language does it.

The program is Python, for no other language's host can be had here; but it knows the component by its
token and its schema alone, and imports nothing of it.
"""

from __future__ import annotations

import json

import pytest
import yaml

from gluster_stack.hosted import PACKAGE, VERSION
from tests.engine.project import PROJECT, ZONE, Project
from tests.stack.recording import CLUSTER
from tests.standins.workbench import ROOT

pytestmark = pytest.mark.lab

PROGRAM = """
import json, pulumi

class Cluster(pulumi.ComponentResource):
    def __init__(self, name, inputs):
        outputs = dict.fromkeys(["volumeName", "nodeNames", "statusCommand"])
        options = pulumi.ResourceOptions(version={version!r})
        super().__init__({token!r}, name, {{**inputs, **outputs}}, options, remote=True)

cluster = Cluster("gluster", json.loads({inputs!r}))
pulumi.export("volumeName", cluster.volumeName)
pulumi.export("nodeNames", cluster.nodeNames)
"""
INPUTS = {"project": PROJECT, "zone": ZONE, "diskSizeGb": 10, "nodeCount": 2, "sampleApp": False}


def program(project: Project, **inputs: object) -> None:
    whole = json.dumps({**INPUTS, "namespace": project.namespace, **inputs})
    text = PROGRAM.format(version=VERSION, token=CLUSTER, inputs=whole)
    (project.folder / "__main__.py").write_text(text)


def test_a_program_that_knows_the_token_alone_gets_a_cluster(project: Project) -> None:
    described = yaml.safe_load((project.folder / "Pulumi.yaml").read_text())
    described["plugins"] = {"providers": [{"name": PACKAGE, "path": str(ROOT / "plugin")}]}
    del described["config"]
    (project.folder / "Pulumi.yaml").write_text(json.dumps(described))
    (project.folder / "gluster_stack").unlink()
    (project.folder / "Pulumi.dev.yaml").write_text("config: {}\n")

    program(project, nodeCount=3)
    refused = project.run("preview").failed("nodeCount", "must be a multiple of replication (2)")
    assert "gluster_stack/" not in refused.text, "a traceback of ours"
    program(project)
    project.go().ok()
    project.unchanged("--refresh")
    outputs = json.loads(project.run("stack", "output", "--json").ok().text)
    assert outputs == {"volumeName": "data", "nodeNames": ["gluster-1", "gluster-2"]}
    program(project, diskType="pd-ssd")
    project.run("preview").failed("the cluster was made with")
    project.run("destroy", "--skip-preview").ok()
    assert project.everything() == {}

"""The nine settings of the original and ours: defaults, both directions, all mistakes at once."""

from __future__ import annotations

import pytest
from gluster_sidecar.errors import SettingsError
from gluster_sidecar.settings import Identity, Settings
from hypothesis import given
from hypothesis import strategies as st

ORIGINAL_DEFAULTS = {
    "GLUSTER_SIDECAR_POD_LABELS": "role=gluster,environment=test",
    "GLUSTER_SIDECAR_SLEEP_SECONDS": "5",
    "GLUSTER_SIDECAR_UNHEALTHY_SECONDS": "15",
    "GLUSTER_SIDECAR_CLUSTER_NAME": "glusterfs-cluster",
    "GLUSTER_SIDECAR_CLUSTER_PORT": "1",
    "GLUSTER_SIDECAR_VOLUME_NAME": "data",
    "GLUSTER_SIDECAR_BRICK_NAME": "data",
    "GLUSTER_SIDECAR_REPLICATION": "2",
    "GLUSTER_SIDECAR_K8SNAMESPACE": "default",
}


def test_without_an_environment_the_originals_defaults_hold() -> None:
    """Mistake 1: the default labels crashed the original at start."""
    assert ORIGINAL_DEFAULTS.items() <= Settings.from_env({}).to_env().items()


def test_numbers_are_numbers() -> None:
    """Mistake 2: a replication of "2" stepped through "0", "02" and never saw a second set."""
    assert Settings.from_env({"GLUSTER_SIDECAR_REPLICATION": "3"}).replication == 3
    assert Settings.from_env({"GLUSTER_SIDECAR_CLUSTER_PORT": "24007"}).cluster_port == 24007


@pytest.mark.parametrize("variable", sorted(ORIGINAL_DEFAULTS))
def test_an_empty_variable_counts_as_absent(variable: str) -> None:
    assert Settings.from_env({variable: ""}) == Settings()


def test_all_mistakes_are_named_at_once() -> None:
    environ = {
        "GLUSTER_SIDECAR_REPLICATION": "two",
        "GLUSTER_SIDECAR_SLEEP_SECONDS": "0",
        "GLUSTER_SIDECAR_POD_LABELS": "role",
        "GLUSTER_SIDECAR_BRICK_NAME": "../etc",
        "GLUSTER_SIDECAR_REPLICAS": "2",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    assert len(caught.value.problems) == len(environ)
    for variable in environ:
        assert any(line.startswith(variable) for line in caught.value.problems), variable


def test_a_sidecar_must_be_told_which_node_it_is() -> None:
    with pytest.raises(SettingsError) as caught:
        Identity.from_env({})
    assert len(caught.value.problems) == 2


@given(
    st.builds(
        Settings,
        sleep_seconds=st.integers(1, 3600),
        replication=st.integers(2, 16),
        cluster_port=st.integers(1, 65535),
        volume_name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True),
        pod_labels=st.dictionaries(
            st.from_regex(r"[a-z]{1,9}", fullmatch=True),
            st.from_regex(r"[a-z0-9]{0,9}", fullmatch=True),
            min_size=1,
        ),
    )
)
def test_what_the_stack_writes_the_sidecar_reads(settings: Settings) -> None:
    assert Settings.from_env(settings.to_env()) == settings

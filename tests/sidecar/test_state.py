"""What glusterd cannot start with is set aside, and nothing else is touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from gluster_sidecar.contract import host_name
from gluster_sidecar.state import ASIDE, set_aside_unreadable

OWN = host_name(1, "default")
INFO = "vols/data/info"


def peer(node: int) -> str:
    return f"peers/uuid-{node}"


def brick(node: int) -> str:
    return f"vols/data/bricks/{host_name(node, 'default')}:-data-brick"


def glusterd_of_four(state: Path) -> Path:
    """As glusterd 11.1 of node 1 leaves it, in short."""
    for folder in ("peers", "vols/data/bricks"):
        (state / folder).mkdir(parents=True)
    (state / "glusterd.info").write_text("UUID=uuid-1\noperating-version=110000\n")
    lines = ["type=2", "count=4", "volume-id=8e365f4a", "status=1"]
    for node in range(1, 5):
        lines.append(f"brick-{node - 1}={Path(brick(node)).name}")
        (state / brick(node)).write_text(f"hostname={host_name(node, 'default')}\n")
        if node > 1:
            (state / peer(node)).write_text(
                f"uuid=uuid-{node}\nstate=3\nhostname1={host_name(node, 'default')}\n"
            )
    (state / INFO).write_text("\n".join(lines) + "\n")
    return state


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_can_be_read_stays(tmp_path: Path) -> None:
    before = files(glusterd_of_four(tmp_path))
    assert set_aside_unreadable(tmp_path, OWN) == []
    assert files(tmp_path) == before


def test_a_blank_state_stays(tmp_path: Path) -> None:
    assert set_aside_unreadable(tmp_path, OWN) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "harm", [lambda f: f.write_text(""), lambda f: f.write_text("uuid=uuid-3\nstate=3\n")]
)
def test_half_a_peer_and_the_volume_that_needs_it_are_set_aside(
    tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    state = glusterd_of_four(tmp_path)
    harm(state / peer(3))
    before = files(state)
    assert set_aside_unreadable(state, OWN) == [peer(3), "vols/data"]
    for name, text in before.items():
        moved = name == peer(3) or name.startswith("vols/")
        assert (state / (f"{ASIDE}/{name}" if moved else name)).read_text() == text, "nothing is lost"
    assert set_aside_unreadable(state, OWN) == []


def test_a_volume_on_a_host_that_is_no_peer_is_set_aside(tmp_path: Path) -> None:
    """glusterd ended after it was told of the volume and before it was told of all peers."""
    state = glusterd_of_four(tmp_path)
    (state / peer(3)).unlink()
    assert set_aside_unreadable(state, OWN) == ["vols/data"]


def empty_folder(state: Path) -> None:
    shutil.rmtree(state / "vols/data")
    (state / "vols/data").mkdir()


HARM: dict[str, Callable[[Path], object]] = {
    "its info is empty": lambda state: (state / INFO).write_text(""),
    "its info is gone": lambda state: (state / INFO).unlink(),
    "its info is cut off": lambda state: (state / INFO).write_text((state / INFO).read_text()[:100]),
    "a brick's file is gone": lambda state: (state / brick(3)).unlink(),
    "it is an empty folder": empty_folder,
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_volume_that_cannot_be_read_is_set_aside(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    state = glusterd_of_four(tmp_path)
    harm(state)
    assert set_aside_unreadable(state, OWN) == ["vols/data"]
    assert not (state / "vols/data").exists()
    assert all((state / peer(node)).exists() for node in (2, 3, 4))


def test_without_a_peer_who_tells_it_again_all_stays_for_a_person(tmp_path: Path) -> None:
    state = glusterd_of_four(tmp_path)
    for node in (2, 3, 4):
        (state / peer(node)).write_text("")
    before = files(state)
    assert set_aside_unreadable(state, OWN) == []
    assert files(state) == before


def test_the_last_of_a_name_is_kept(tmp_path: Path) -> None:
    state = glusterd_of_four(tmp_path)
    for text in ("first", "second"):
        (state / "vols/data").mkdir(exist_ok=True)
        (state / INFO).write_text(text)
        set_aside_unreadable(state, OWN)
    assert (state / ASIDE / INFO).read_text() == "second"

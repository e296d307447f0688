"""Programs that hang, have children, say too much, or are not there."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from gluster_sidecar import children
from gluster_sidecar.children import NoAnswer, run

from lab.waiting import wait_for


def gone(pid: int) -> bool:
    """Also one whose end nobody has read yet: nothing runs of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def await_end(pid: int) -> None:
    wait_for(f"{pid} ends", lambda: gone(pid), 30)


def test_what_it_says_and_how_it_ends() -> None:
    answer = run(["sh", "-c", "echo said; echo wrong >&2; exit 3"], 30)
    assert answer == children.Answer(3, "said\n", "wrong\n")
    assert run(["cat"], 30).output == "", "there is no input"
    assert len(run(["head", "-c", "3000000", "/dev/zero"], 30).output) == 3_000_000


def test_one_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    with pytest.raises(NoAnswer, match="timed out"):
        run(["sh", "-c", f"sleep 600 & echo $! $$ > {note}; sleep 600"], 0.5)
    for pid in note.read_text().split():
        await_end(int(pid))


def test_a_child_that_is_left_behind_holds_nobody_up_and_is_ended(tmp_path: Path) -> None:
    """It has the output open, as glfsheal has the CLI's."""
    answer = run(["sh", "-c", "sleep 600 & echo $!"], 30)
    await_end(int(answer.output))


def test_one_that_has_closed_its_output_is_waited_for() -> None:
    assert run(["sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 5"], 30).status == 5


def test_one_that_does_not_stop_talking_is_ended() -> None:
    with pytest.raises(NoAnswer, match="more than 100000 bytes"):
        run(["yes"], 30, most=100_000)


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_one_that_does_not_die_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose request the FUSE server has taken is killed and stays; here nobody kills it."""
    killed = list[int]()
    monkeypatch.setattr(os, "killpg", lambda group, signal: killed.append(group))
    monkeypatch.setattr(children, "END_SECONDS", 0.01)
    with pytest.raises(NoAnswer, match="timed out"):
        run(["sleep", "600"], 0.05)
    monkeypatch.undo()
    gc.collect()  # the handle goes with its warning, and not while another test runs
    (group,) = killed
    os.killpg(group, 9)
    await_end(group)


def test_bytes_that_are_no_text_are_no_reason_to_end() -> None:
    assert run(["printf", r"a\377b"], 30).output == "a�b"


def test_one_that_is_not_there() -> None:
    with pytest.raises(NoAnswer, match="No such file"):
        run(["/nowhere/program"], 1)

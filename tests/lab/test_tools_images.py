"""The image's base from any machine's sources, and containerd roots that share their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import images
from lab.errors import LabError
from lab.run import run
from lab.tools import buildah, debian

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_machines_sources_are_translated() -> None:
    targets = """\
http://mirror/debian bookworm main
http://mirror/debian bookworm contrib
http://mirror/debian bookworm-updates main
http://mirror/debian bookworm-backports main
http://mirror/debian-security bookworm-security main
http://mirror/debian sid main
"""
    assert debian.translate(targets, "bookworm") == [
        "deb http://mirror/debian trixie main",
        "deb http://mirror/debian trixie-updates main",
        "deb http://mirror/debian-security trixie-security main",
    ]


def test_a_machine_of_that_suite_needs_no_translation() -> None:
    assert debian.translate("http://mirror/debian trixie main", "trixie") == [
        "deb http://mirror/debian trixie main"
    ]


def test_apt_settings_are_mounted_for_a_build_and_say_nothing_of_indexes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "sources", lambda: ["deb http://mirror/debian trixie main"])
    mounts = debian.configuration(tmp_path)
    assert [target for _, target in mounts] == ["/etc/apt/sources.list.d", "/etc/apt/apt.conf.d"]
    assert (tmp_path / "sources.list.d/build.list").read_text().startswith("deb ")
    assert "IndexTargets" not in (tmp_path / "apt.conf.d/50build").read_text()


def test_the_dockerfile_stands_on_what_the_lab_can_make() -> None:
    buildah.check_base(CHECKOUT / "sidecar/Dockerfile")


def test_another_base_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM alpine:3\n")
    with pytest.raises(LabError, match="FROM alpine:3"):
        buildah.check_base(tmp_path / "Dockerfile")


def test_a_store_of_another_cache_works_in_another_place(tmp_path: Path) -> None:
    """In one place, both would note their mounts in one file, and who is done first would remove it."""
    commands = [buildah.Store(tmp_path / cache / "buildah-of-one-content").buildah("build") for cache in "ab"]
    assert len({words[words.index("--runroot") + 1] for words in commands}) == 2


def test_a_clone_shares_files_and_has_databases_of_its_own(tmp_path: Path) -> None:
    template, target = tmp_path / "template", tmp_path / "node/containerd"
    for name in ("metadata/meta.db", "content/blobs/sha256/abc"):
        (template / name).parent.mkdir(parents=True, exist_ok=True)
        (template / name).write_text("one")
    (tmp_path / "node").mkdir()
    (tmp_path / "node/containerd.new").mkdir()  # left by an interrupted clone
    images.clone(template, target)
    (target / "metadata/meta.db").write_text("two")
    assert (template / "metadata/meta.db").read_text() == "one"
    assert (target / "content/blobs/sha256/abc").samefile(template / "content/blobs/sha256/abc")
    assert not (tmp_path / "node/containerd.new").exists()


@pytest.mark.lab
def test_a_real_containerd_has_the_images_of_a_clone(tmp_path: Path) -> None:
    from lab import tools

    made = images.ensure(tools.ensure(print), print)
    images.clone(made.template, tmp_path / "containerd")
    with images.containerd(tmp_path / "containerd") as ctr:
        there = run([*ctr, "images", "ls", "-q"]).split()
        assert {made.product_image, made.pause_image} <= set(there)
        checked = run([*ctr, "images", "check", f"name=={made.product_image}"])
    assert "complete" in checked
    assert checked.split()[-1] == "true"  # unpacked

"""The base image: a minimal Debian made from the machine's own package sources, without a registry."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.run import ok, run
from lab.tools.progress import Progress, Say, watch

SUITE: Final = "trixie"
IMAGE: Final = "docker.io/library/debian:13-slim"
"""What the Dockerfile's FROM means to every builder; here it is a stand-in of the same content in kind."""
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_DROPPED: Final = ("man", "locale", "info", "groff", "lintian")
OPTIONS: Final = (
    "--variant=minbase",
    # As in the official slim image; kept as dpkg's settings for what is installed later.
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _DROPPED),
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    # Nothing of this machine stays in the image: neither its mirror nor its name.
    '--customize-hook=rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
    '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap',
    '--customize-hook=for f in hostname resolv.conf; do : > "$1/etc/$f"; done',
)


def sources() -> list[str]:
    """The machine's Debian archives in apt's one-line form, for `SUITE`. Raises LabError if it has none."""
    found = _sources()
    if not found:
        ok(["apt-get", "-q", "update"])  # a machine that never did has no lists to tell of
        found = _sources()
    if not found:
        raise LabError("apt knows no Debian archive: check /etc/apt/sources.list.d and `apt-get update`")
    return found


def _sources() -> list[str]:
    shape = "$(SITE) $(RELEASE) $(COMPONENT)"
    said = run(["apt-get", "indextargets", "--format", shape, "Identifier: Packages", "Origin: Debian"])
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    return translate(said, codename)


def translate(targets: str, codename: str) -> list[str]:
    """Lines of `SITE RELEASE COMPONENT` of a machine with that codename, as sources of `SUITE`.

    >>> translate("http://mirror/debian bookworm-updates main", "bookworm")
    ['deb http://mirror/debian trixie-updates main']
    """
    found = set()
    for line in targets.splitlines():
        site, release, component = line.split()
        base, dash, part = release.partition("-")
        if component == "main" and base in (codename, "stable") and part in ("", "updates", "security"):
            found.add(f"deb {site} {SUITE}{dash}{part} main")
    return sorted(found)


def settings() -> str:
    """How the machine's apt fetches (proxies, checks), as apt.conf."""
    lines = run(["apt-config", "dump", "Acquire"]).splitlines()
    kept = [line for line in lines if "::IndexTargets" not in line and "::Changelogs" not in line]
    return "\n".join(kept) + "\n"


def configuration(folder: Path) -> list[tuple[Path, str]]:
    """Writes apt's configuration for a build into `folder`; what to mount where while it runs."""
    lists, conf = folder / "sources.list.d", folder / "apt.conf.d"
    for path in (lists, conf):
        path.mkdir()
    lines = sources()
    # Sources too: the Dockerfile builds a part of a package anew.
    lines += [line.replace("deb ", "deb-src ", 1) for line in lines]
    (lists / "build.list").write_text("\n".join(lines) + "\n")
    text = settings()
    if CERTIFICATES.exists():
        (conf / "certificates").mkdir()
        (conf / "certificates/ca.crt").write_bytes(CERTIFICATES.read_bytes())
        text += 'Acquire::https::CAInfo "/etc/apt/apt.conf.d/certificates/ca.crt";\n'
        text += 'Dir::Ignore-Files-Silently:: "^certificates$";\n'
    (conf / "50build").write_text(text)
    return [(lists, "/etc/apt/sources.list.d"), (conf, "/etc/apt/apt.conf.d")]


def bootstrap(archive: Path, work: Path, say: Say) -> None:
    """Makes the base's file system as a tar file; `work` is a folder for what it takes."""
    list_file, conf = work / "sources.list", work / "apt.conf"
    list_file.write_text("\n".join(sources()) + "\n")
    conf.write_text(settings())
    progress = Progress(f"base image ({SUITE})", say)
    watch(
        ["mmdebstrap", *OPTIONS, f"--aptopt={conf}", SUITE, str(archive), str(list_file)],
        progress,
        log="base-image",
        detail=lambda lines: next((line[3:] for line in reversed(lines) if line.startswith("I: ")), ""),
    )
    progress.done(f"base image ({SUITE}): made in {progress.elapsed:.0f} s")

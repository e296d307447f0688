"""`python -m lab COMMAND`: a Kubernetes and a Google Cloud for one machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import environment, stack, status
from lab.cluster import Lab
from lab.errors import LabError
from lab.paths import CHECKOUT

Command = Callable[[Lab, argparse.Namespace], None]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def up(lab: Lab, arguments: argparse.Namespace) -> None:
    parts = lab.up(say)
    if not arguments.cluster_only:
        stack.up(lab, arguments.project)
        stack.report(lab, parts, say)


def down(lab: Lab, _: argparse.Namespace) -> None:
    lab.down()
    say(f"nothing is left of the lab in {lab.paths.state}")


def shell(lab: Lab, _: argparse.Namespace) -> None:
    program = os.environ.get("SHELL", "/bin/sh")
    say(f"a shell for the lab in {lab.record and lab.paths.state}; `exit` leaves it")
    os.execvpe(program, [program], {**os.environ, **lab.environment()})


def show_status(lab: Lab, _: argparse.Namespace) -> None:
    for line in status.lines(lab):
        print(line)


def on_machine(lab: Lab, arguments: argparse.Namespace) -> None:
    argv = [*lab.node(arguments.machine).entry(), *(arguments.words or ["bash"])]
    os.execvp(argv[0], argv)


def lose_disk(lab: Lab, arguments: argparse.Namespace) -> None:
    machine = lab.holder(arguments.node) if arguments.now else None
    if machine is not None:
        lab.power_off(machine)
        say(f"machine {machine} had the disk: its power is off; `python -m lab power-on {machine}`")
    say(f"{lab.lose_disk(arguments.node)} is blank now")


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Command, help: str, number: str = "") -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help)
        if number:
            command.add_argument(number, type=int, metavar=number.upper())
        command.set_defaults(run=run)
        return command

    start = add("up", up, "start what does not run, then `pulumi up` of the project")
    start.add_argument("--project", type=Path, default=CHECKOUT, help="the Pulumi project (this checkout)")
    start.add_argument("--cluster-only", action="store_true", help="leave Pulumi out")
    add("down", down, "end and remove everything but caches")
    add("status", show_status, "machines, processes, memory")
    add("env", lambda lab, _: print(environment.exports(lab.paths)), "variables, for `eval` in a shell")
    add("shell", shell, "a shell with pulumi, kubectl and gluster pointed at the lab")
    add("exec", on_machine, "run a command on a machine, outside of any pod", "machine").add_argument(
        "words", nargs=argparse.REMAINDER
    )
    add("power-off", lambda lab, a: lab.power_off(a.machine), "pull a machine's plug", "machine")
    add("power-on", lambda lab, a: lab.power_on(a.machine), "switch a machine on", "machine")
    add("cut", lambda lab, a: lab.cut(a.machine), "pull a machine's network cable", "machine")
    add("mend", lambda lab, a: lab.mend(a.machine), "plug the cable in again", "machine")
    lose = add("lose-disk", lose_disk, "put a blank disk in the place of a gluster node's", "node")
    lose.add_argument("--now", action="store_true", help="cut the power of the machine that has it")
    add("pause-api", lambda lab, _: lab.pause_api(), "make the API server fall silent")
    add("resume-api", lambda lab, _: lab.resume_api(), "let the API server go on")
    return root


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        arguments.run(Lab.from_environment(), arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; `make up` goes on from here, `make down` removes all", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

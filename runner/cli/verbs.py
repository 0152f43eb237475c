"""`pinbox VERB …`: the command of an installed Pinbox. Its verbs are the Makefile's targets, which call it."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import NamedTuple, NoReturn

from runner.errors import did_you_mean, printable


class Verb(NamedTuple):
    """A module whose `main` does it, taking its arguments from `sys.argv`, and a line of help."""

    module: str
    help: str


VERBS = {
    "init": Verb(
        "runner.cli.init.__main__", "Write a commented example of your own conf/ into a folder, to start from"
    ),
    "sweep": Verb("runner.cli.sweep", "Run a grid: pinbox sweep grid=demo"),
    "run": Verb("runner.__main__", "Measure one job once: pinbox run model=tiny task=alice technique=onnx"),
    "search": Verb("runner.sweep.search.__main__", "Find the best variants of a model in a given time"),
    "report": Verb("runner.report.__main__", "Write a sweep's report anew"),
    "watch": Verb(
        "runner.report.watch.__main__", "Keep the report of a running sweep up to date, from another terminal"
    ),
    "charts": Verb("runner.report.images.__main__", "Write every chart of a report as a file"),
    "diff": Verb("runner.diff.__main__", "Say what really differs between two sweeps"),
    "recommend": Verb("runner.recommend.__main__", "Name the variant to deploy"),
    "export": Verb("runner.export.__main__", "Hand over a variant, ready to run"),
    "bundle": Verb("runner.export.bundle.__main__", "Hand a sweep to somebody else, without private paths"),
    "import": Verb("runner.cli.import_results", "Show results of pyperf or optimum-benchmark in a sweep's report"),
    "reproduce": Verb("runner.sweep.reproduce.__main__", "Run a recorded sweep again, and diff"),
    "doctor": Verb("runner.cli.doctor.__main__", "What this machine can and cannot tell"),
    "image": Verb("runner.cli.image", "Build the pinned image that boxes run, unless it is there"),
    "completion": Verb("runner.cli.completion", 'Complete what you type: eval "$(pinbox completion bash)"'),
}


def main() -> NoReturn:
    """Do what the first argument says, with its own exit code; without one, print help."""
    verb, *arguments = sys.argv[1:] or ["--help"]
    if verb in ("-h", "--help"):
        print(_help())
        sys.exit(0)
    if verb == "--version":
        print(f"pinbox {version('pinbox')}")
        sys.exit(0)
    if verb not in VERBS:
        said = f"there is no verb '{verb}'. {did_you_mean(verb, VERBS)}"
        hint = f" To measure one job: pinbox run {verb} …" if "=" in verb else ""
        print(f"pinbox: {printable(said + hint)}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"pinbox {verb}", *arguments]
    sys.exit(importlib.import_module(VERBS[verb].module).main())


def _help() -> str:
    lines = [f"  {name:<12}{verb.help}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: pinbox VERB …",
            "",
            *lines,
            "",
            "pinbox VERB --help says more. All that is made goes to ./outputs.",
        ]
    )

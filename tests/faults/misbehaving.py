"""A copy of Pinbox in which a trial, or a step, does what it should not for as long as a file says so."""

from __future__ import annotations

import shutil
import textwrap

from tests.faults.sweeps import ROOT, SmallSweep

_FLAG = "MISBEHAVE"
_PLACES = {  # what is done there, the misbehaviour comes before
    "trial": (
        "runner/trial/__main__.py",
        '    atomic_write(paths["output"] / "measured.json", to_json(measure(request, paths)))\n',
    ),
    "step": ("runner/techniques/__main__.py", "    notes = run_step(step, inputs, target)\n"),
    "box": ("runner/isolation/box.py", '        "LC_ALL": "C.UTF-8",\n'),
}


def let(sweep: SmallSweep, place: str, code: str) -> None:
    """Let a sweep's trials (or steps) run some code first.

    Args:
        place: "trial" or "step"; or "box", whose environment then has one line more.
        code: it sees `request` and `paths`.
    """
    sweep.code = sweep.store.with_name("pinbox")
    for name in ("runner", "hydra_plugins", "conf", "docker"):
        shutil.copytree(ROOT / name, sweep.code / name)
    name, line = _PLACES[place]
    path = sweep.code / name
    text = path.read_text()
    assert text.count(line) == 1, f"{name} has changed: where does {place} begin?"
    if place != "box":
        flag = f"(Path(__file__).parents[1] / {_FLAG!r}).exists()"
        code = f"    if {flag}:\n{textwrap.indent(textwrap.dedent(code).strip(), ' ' * 8)}\n"
    path.write_text(text.replace(line, code + line))
    (sweep.code / "runner" / _FLAG).touch()


def behave(sweep: SmallSweep) -> None:
    """End it: from here on the same code does what it should."""
    (sweep.code / "runner" / _FLAG).unlink()

"""Run a recorded sweep again, and print and write how the results differ."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rich.console import Console

from runner.config.paths import OUT
from runner.console import say
from runner.diff.compare import diff, exit_code
from runner.diff.terminal import print_diff
from runner.diff.write import write_diff
from runner.errors import UserError, printable
from runner.results.recorded import command, recorded
from runner.results.tables import read_tables
from runner.sweep.reproduce.image import find_image
from runner.sweep.reproduce.outcome import outcome_lines


def reproduce(sweep: Path, out: Path, rebuild: bool) -> int:
    """Run the sweep again, print and write the diff, and return the diff's exit code.

    Args:
        sweep: the folder of the recorded sweep.
        out: the folder of the new sweep. A sweep that was begun there is continued.
        rebuild: whether to make every artifact again instead of taking it from the store.

    Raises:
        UserError: if the sweep cannot be run again here.
    """
    if out.resolve() == sweep.resolve():
        raise UserError(f"{sweep} is the recorded sweep itself. Name another folder with {OUT}")
    recipe = recorded(read_tables(sweep))
    image_id, image_line = find_image(recipe)
    stored = frozenset() if rebuild else recipe.stored()
    say(image_line)
    say(f"Artifacts: {len(stored)} of {len(recipe.artifacts)} are in the store; the others are made again.")
    store = out / "store" if rebuild else recipe.store
    exit_status = subprocess.run(command(recipe, image_id, store, out)).returncode
    if exit_status not in (0, 1):
        raise UserError(f"The sweep could not be run again (exit code {exit_status}). The lines above give the reason.")
    difference = diff(read_tables(sweep), read_tables(out))
    write_diff(difference, out, "any")
    print_diff(difference, "any", Console())
    for line in outcome_lines(difference, recipe, stored):
        print(printable(line))
    print(out / "diff.html")
    return exit_code(difference)

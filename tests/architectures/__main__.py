"""python -m tests.architectures: take every architecture through every core technique, and write docs/architectures.md.

It takes an hour on two cores. `--only albert,mpnet` and `--techniques onnx,heads-50` run a part again. The rest of the
page comes from earlier runs, which outputs/architectures.json keeps (`--only ""` takes all from there).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from runner.tasks.texts import read_split
from tests.architectures.builder import ROOT, TinyBuilder
from tests.architectures.models import TINY, save_tiny
from tests.architectures.table import TECHNIQUES, WORKS, markdown, outcome
from tests.techniques.conftest import write_texts

PAGE = ROOT / "docs" / "architectures.md"
_KEPT = ROOT / "outputs" / "architectures.json"


def main() -> int:
    """Run the techniques and print a line for each. Return 1 if any result is wrong."""
    parser = argparse.ArgumentParser("python -m tests.architectures")
    parser.add_argument("--only", default=",".join(TINY), help="model_types")
    parser.add_argument("--techniques", default=",".join(TECHNIQUES), help="techniques")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for model_type in filter(None, asked.only.split(",")):
        _keep(run(model_type, asked.techniques.split(",")))
    known = _kept()
    wrong = [what for what in known.values() if what.startswith("WRONG")]
    missing = len(TINY) * len(TECHNIQUES) - len(known)
    works = sum(what == WORKS for what in known.values())
    print(
        f"{works} work, {len(known) - works - len(wrong)} are refused, {len(wrong)} are wrong, {missing} were not run."
    )
    if not wrong:
        outcomes = {tuple(key.split(" ")): what for key, what in known.items()}
        PAGE.write_text(markdown(outcomes), encoding="utf-8")
        print(f"Written to {PAGE.relative_to(ROOT)}.")
    return 1 if wrong else 0


def run(model_type: str, techniques: list[str]) -> dict[str, str]:
    """Return the outcome of each technique on a tiny model of an architecture, by the names of both."""
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        builder = TinyBuilder(Path(folder), write_texts(Path(folder) / "texts"))
        words = [example.text for example in read_split(builder.texts, "train")]
        original = builder.import_model(save_tiny(Path(folder) / "model", model_type, words), trained=True)
        for technique in techniques:
            began = time.monotonic()
            outcomes[f"{model_type} {technique}"] = what = outcome(builder, technique, original)
            print(f"{model_type} {technique}: {what} ({time.monotonic() - began:.1f} s)", flush=True)
    return outcomes


def _kept() -> dict[str, str]:
    kept: dict[str, str] = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.is_file() else {}
    return kept


def _keep(outcomes: dict[str, str]) -> None:
    _KEPT.write_text(json.dumps(_kept() | outcomes, indent=1), encoding="utf-8")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # unloading torch would take seconds

"""`pinbox try`: measure a user's own model, without any YAML."""

from __future__ import annotations

import re
import time
from pathlib import Path

import click

from runner.cli.parameters import ConfigNames, budget_seconds, named, program
from runner.config.task_kinds import EMBEDDING, LABELLED
from runner.errors import UserError
from runner.tasks.delimited import DELIMITERS

_OPTION_OF_KEY = {  # errors name the keys of the YAML, which a user of this verb has not seen yet
    "task.text_column": "--text-column",
    "task.text_pair_column": "--pair-column",
    "task.label_column": "--label-column",
    "task.labels": "--labels",
    "task.kind": "--kind",
    "task.encoding": "--encoding",
    "task.delimiter": "--delimiter",
    "task.path": "TEXTS",
    "model.path": "MODEL",
}
_USED_UP = "The time (--budget) is used up"
_SHARE_TO_MEASURE = 0.9  # the share of the budget for measuring; the rest is for collecting and the report
_NONE = ("none", "null")  # a column that does not exist, or an encoding that must be found out


@click.command("try")
@click.argument(
    "model",
    type=click.Path(),
    help="A folder that save_pretrained of transformers wrote, an ONNX file with config.json and the tokenizer beside "
    "it, or a model of the Hugging Face hub: owner/name.",
)
@click.argument(
    "texts",
    type=click.Path(path_type=Path),
    required=False,
    help="A file of texts and labels: CSV, TSV, JSON Lines or Parquet, also compressed. Without it, speed is measured "
    "on Pinbox's own sentences, and accuracy is not known.",
)
@click.option("--text-column", metavar="NAME", help="The column of the texts.")
@click.option("--pair-column", metavar="NAME", help="The column of the second texts; none if texts are single.")
@click.option("--label-column", metavar="NAME", help="The column of the labels; none if there are none.")
@click.option("--labels", metavar="A,B", help="All labels in the order of the model's outputs, if these have no names.")
@click.option("--kind", type=click.Choice((*LABELLED, EMBEDDING)), help="The kind of task.")
@click.option("--encoding", metavar="NAME", help="The encoding of the file, such as cp1252.")
@click.option("--delimiter", type=click.Choice(list(DELIMITERS)), help="What separates the columns of the file.")
@click.option(
    "--techniques",
    type=ConfigNames("technique"),
    default="",
    metavar="NAME,NAME",
    help="Techniques of conf/technique (default: as many as the budget allows).",
)
@click.option("--threads", metavar="N,N", default="", help="Threads (default: 1, and all cores if there is time).")
@click.option("--budget", default="5m", show_default=True, help="Total wall time, such as 90s, 5m or 1h.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Output folder (default: outputs/try-MODEL-TEXTS)."
)
def try_model(
    model: str,
    texts: Path | None,
    text_column: str | None,
    pair_column: str | None,
    label_column: str | None,
    labels: str | None,
    kind: str | None,
    encoding: str | None,
    delimiter: str | None,
    techniques: str,
    threads: str,
    budget: str,
    out: Path | None,
) -> int:
    """Measure variants of your own model, and write the YAML for it.

    It finds out what each column holds, prints that, and runs the variants that the budget allows. The same command
    continues where it stopped. The exit code is 0 if all trials are ok, 1 if some failed, 2 if nothing could run.
    """
    began, allowed = time.monotonic(), budget_seconds(budget)
    from runner.config import schema
    from runner.config.paths import check_own_conf
    from runner.sweep.timed import run_within
    from runner.sweep.tryout.guess import Stated
    from runner.sweep.tryout.tryout import Asked, make_tryout

    schema.register()
    check_own_conf()
    order = [label.strip() for label in labels.strip("[] ").split(",")] if labels else None
    stated = Stated(text_column, _column(pair_column), _column(label_column), order, kind)
    asked = Asked(
        model=model,
        texts=texts,
        stated=stated,
        encoding=encoding if encoding not in _NONE else None,
        delimiter=delimiter,
        techniques=named(techniques, "technique"),
        threads=_threads(threads),
        budget_seconds=allowed,
        out=out,
    )
    try:
        tryout = make_tryout(asked)
    except UserError as error:
        raise UserError(_in_options(str(error))) from None
    left = _SHARE_TO_MEASURE * allowed - (time.monotonic() - began)
    code = run_within(max(left, 1.0), tryout.arguments)
    return _conclude(tryout.folder, code, tryout.command.replace("pinbox", program(), 1))


def _conclude(folder: Path, code: int | None, command: str) -> int:
    """Print which variant to deploy and how to continue, and return the exit code.

    Args:
        folder: the sweep's folder.
        code: the sweep's exit code, or None if its time was used up.
        command: the command that runs the sweep again.
    """
    from rich.console import Console

    from runner.recommend.choose import choose
    from runner.recommend.decision_data import decision_data
    from runner.recommend.margin import Margin, margin_of
    from runner.recommend.terminal import print_recommendation
    from runner.results.summary import outcome
    from runner.results.tables import read_tables

    if code == 2 or not (folder / "results.parquet").exists():
        if code is None:
            raise UserError(
                f"{_USED_UP} before anything was measured. Give it more, or go on without a limit: {command}"
            )
        return code or 2
    tables, console = read_tables(folder), Console()
    margin = margin_of(tables.jobs)
    limits = {} if margin is None else {"loss": margin}
    decidable = [data for data in decision_data(tables, None if margin is None else Margin(margin)) if data.variants]
    for data in decidable:
        print()
        print_recommendation(data, choose(data, limits), limits, None, console)
    if not decidable:
        print("\nNothing is recommended yet: no variant has all its rounds without a failure.")
    if margin is not None and any(variant.reasons.get("loss") for data in decidable for variant in data.variants):
        asked = f"{program()} recommend {folder} --margin {100 * margin:g} --allow-undecided"
        print(f"\nOnly certified variants count. This command also counts undecided ones:\n{asked}")
    to_go_on = f"To go on, edit {folder.parent / 'conf'}, and run"
    print(f"\n{f'{_USED_UP}. This goes on from here' if code is None else to_go_on}:\n{command}")
    return outcome(tables)


def _column(name: str | None) -> str | None:
    return "none" if name in _NONE else name


def _threads(text: str) -> list[int]:
    if not re.fullmatch(r"\s*|\d+(\s*,\s*\d+)*", text):
        raise UserError(f"--threads is '{text}', but must be numbers with commas between them, such as 1,4.")
    return [int(part) for part in text.split(",") if part.strip()]


def _in_options(message: str) -> str:
    """Return a message in which options replace the keys that they set."""
    for key, option in _OPTION_OF_KEY.items():
        message = re.sub(rf"\b{re.escape(key)}\b", option, message)
    return message

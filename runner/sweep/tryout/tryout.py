"""Write the YAML of a sweep for a model and a file of texts, and print what was found out about them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

from runner.config.overrides import quoted
from runner.config.paths import CONF, choices
from runner.config.schema import Config
from runner.config.task import Delimiter, TaskConfig
from runner.console import announce, console, say
from runner.errors import UserError
from runner.isolation.choose import check_threads
from runner.sweep.search.catalogue import fitting
from runner.sweep.tryout.describe import describe_choice, describe_model, describe_rows, describe_task, describe_time
from runner.sweep.tryout.grid import CHARACTERS_PER_TOKEN, Choice, candidates, choose, max_length
from runner.sweep.tryout.guess import Guess, Stated, guess_task, task_without_texts
from runner.sweep.tryout.model import OwnModel, read_model
from runner.sweep.tryout.table import Table, read_table
from runner.sweep.tryout.write import GRID, grid_yaml, is_written, model_yaml, task_yaml, write_conf
from runner.tasks.alice import SENTENCES

_OWN_TASK = "sample-texts"
_OWN_CHARACTERS = sum(map(len, SENTENCES)) / len(SENTENCES)
_ENDS = re.compile(r"(\.(csv|tsv|jsonl|ndjson|json|parquet|gz|zst|zip))+$", re.IGNORECASE)
_LONGEST_NAME = 40
_NO_NAMES = ("null", "true", "false", "nan", "inf")  # YAML reads them as something else


@dataclass(frozen=True)
class Asked:
    """What the user asks for.

    Attributes:
        model: a folder, an ONNX file or a hub id.
        texts: a file, or None for the texts that come with Pinbox.
        stated: what the user says about the file.
        encoding, delimiter: how to read the file. They are None if they must be found out.
        techniques: names in conf/technique. If there are none, they are chosen.
        threads: numbers of threads. If there are none, they are chosen.
        budget_seconds: the total wall time.
        out: the folder for all output, or None for a name that is made of the model's and the file's names.
    """

    model: str
    texts: Path | None = None
    stated: Stated = field(default_factory=Stated)
    encoding: str | None = None
    delimiter: str | None = None
    techniques: Sequence[str] = ()
    threads: Sequence[int] = ()
    budget_seconds: float = 300.0
    out: Path | None = None

    @property
    def command(self) -> str:
        """Return the command without the budget and the folder, which may change when it is repeated."""
        model, stated = Path(self.model).expanduser(), self.stated
        options = {
            "--text-column": stated.text,
            "--pair-column": stated.pair,
            "--label-column": stated.label,
            "--labels": ",".join(stated.labels or ()),
            "--kind": stated.kind,
            "--encoding": self.encoding,
            "--delimiter": self.delimiter,
            "--techniques": ",".join(self.techniques),
            "--threads": ",".join(map(str, self.threads)),
        }
        texts = [str(self.texts.absolute())] if self.texts else []
        words = ["pinbox", "try", str(model.absolute()) if model.exists() else self.model, *texts]
        words += [word for option, value in options.items() if value for word in (option, value)]
        return " ".join(map(quote, words))


@dataclass(frozen=True)
class Tryout:
    """A sweep that is ready to run.

    Attributes:
        folder: the folder of the sweep's results.
        arguments: Hydra's arguments to run the sweep.
        command: the command that runs the sweep again.
    """

    folder: Path
    arguments: list[str]
    command: str


def make_tryout(asked: Asked) -> Tryout:
    """Write the YAML of a sweep that fits the budget, and print what was found out.

    Files that the same command wrote before do not change, because the user may have edited them.

    Raises:
        UserError: if the model, the file, or the two together cannot be measured. Nothing has run then.
    """
    model_name = name_of(asked.model, "model")
    task_name = name_of(asked.texts.name, "task") if asked.texts else _OWN_TASK
    folder = asked.out or Path("outputs") / f"try-{model_name}-{task_name}"
    conf, sweep = folder / "conf", folder / "sweep"
    command = f"pinbox sweep grid={GRID} --config-dir {quote(str(conf))} --out {quote(str(sweep))}"
    if is_written(conf, asked.command):
        _say(f"This command was given before. It goes on with the YAML in {conf}.")
    else:
        contents = _contents(asked, model_name, task_name, command)
        write_conf(conf, contents)
        _say(f"Written: {conf}, the YAML of this sweep.")
    return Tryout(sweep, ["--config-dir", str(conf), f"grid={GRID}", f"hydra.sweep.dir={quoted(sweep)}"], command)


def _contents(asked: Asked, model_name: str, task_name: str, command: str) -> dict[str, str]:
    """Find out what can be measured, print it, and return the content of the YAML files by path."""
    table = read_table(asked.texts, asked.encoding, asked.delimiter) if asked.texts else None
    announce(f"reading {asked.model}")
    model = read_model(asked.model, model_name, Path(Config.downloads))
    guess = _guess(asked, model, table, task_name)
    _say(describe_model(model), *describe_task(guess, table))
    length = max_length(_characters(table, guess.task)[1], model.longest_text(guess.task.kind))
    choice, refused = _choose(asked, model, table, guess.task, length)
    _say(*describe_choice(choice, refused, length), describe_time(choice, asked.budget_seconds))
    task = replace(guess.task, max_test_texts=choice.max_test_texts)
    grid = grid_yaml(model_name, task_name, choice, length, asked.command, command)
    return _files(model, task, table) | {f"grid/{GRID}.yaml": grid}


def name_of(text: str, group: str) -> str:
    """Return a name for a file of conf/ that differs from those of Pinbox's own files.

    Args:
        text: a path or a hub id.
        group: model or task.
    """
    path = Path(text).expanduser()
    last = (path.resolve() if path.exists() else path).name
    if path.suffix == ".onnx":  # its folder says more than its own name
        last = next(part for part in (*reversed(path.absolute().parts[:-1]), "model") if part != "onnx")
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", _ENDS.sub("", last)).strip("-_")[:_LONGEST_NAME] or group
    name = name if name[0].isalpha() else f"{group}-{name}"
    return f"my-{name}" if name in choices(group) or name.lower() in _NO_NAMES else name


def _say(*lines: str) -> None:
    """Print lines, wrapped between words."""
    for line in lines:
        say(textwrap.fill(line, console.width - 1, subsequent_indent="  ", break_on_hyphens=False))


def _guess(asked: Asked, model: OwnModel, table: Table | None, name: str) -> Guess:
    """Return the task, with its file."""
    if table is None:
        return Guess(task_without_texts(model, asked.stated.kind, name), None, "no texts were given")
    found = guess_task(table, model, asked.stated, name)
    delimiter = Delimiter(asked.delimiter) if asked.delimiter else None
    path = str(asked.texts.absolute()) if asked.texts else None
    return replace(found, task=replace(found.task, path=path, encoding=asked.encoding, delimiter=delimiter))


def _choose(
    asked: Asked, model: OwnModel, table: Table | None, task: TaskConfig, length: int
) -> tuple[Choice, dict[str, str]]:
    """Return what to run, and why other techniques do not fit."""
    for threads in asked.threads:
        check_threads(threads)
    with TemporaryDirectory() as folder:  # the final files depend on the choice
        write_conf(Path(folder), _files(model, task, table))
        job = [f"model={model.config.name}", f"task={task.name}", f"workload.max_length={length}"]
        baseline, *others = candidates(model.graph is not None)
        fit, refused = fitting(CONF, [baseline], job, Path(folder))
        if not fit:
            raise UserError(refused[baseline])
        others = [name for name in asked.techniques or others if name != baseline]
        more, refused = fitting(CONF, others, job, Path(folder))
    if asked.techniques and refused:
        raise UserError(f"--techniques: {next(iter(refused.values()))}")
    characters, _ = _characters(table, task)
    test_texts = table.test_texts(task.label_column is not None) if table else len(SENTENCES)
    choice = choose(
        model,
        min(characters, CHARACTERS_PER_TOKEN * length),
        test_texts,
        [*fit, *more],
        asked.threads,
        asked.budget_seconds,
        leave_out=not asked.techniques,
    )
    return choice, refused


def _files(model: OwnModel, task: TaskConfig, table: Table | None) -> dict[str, str]:
    """Return the content of the model's and the task's YAML, by path."""
    rows = "Sentences of Alice in Wonderland, without labels."
    if table is not None:
        rows = f"{table.where.name}: {describe_rows(table)}."
    return {
        f"model/{model.config.name}.yaml": model_yaml(model, model.steps(task.kind)),
        f"task/{task.name}.yaml": task_yaml(task, rows),
    }


def _characters(table: Table | None, task: TaskConfig) -> tuple[float, float]:
    """Return the mean number of characters of a text or pair, and a number that most texts or pairs do not exceed."""
    if table is None:
        return _OWN_CHARACTERS, _OWN_CHARACTERS
    columns = [column for column in (task.text_column, task.text_pair_column) if column]
    return sum(map(table.mean_length, columns)), sum(map(table.long_length, columns))

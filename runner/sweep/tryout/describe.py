"""Describe what was found out about a model and its texts, and name the options that change it."""

from __future__ import annotations

from collections.abc import Mapping

from runner.config.task import TaskConfig
from runner.config.task_kinds import EMBEDDING
from runner.console import minutes
from runner.errors import first_line
from runner.results.format import pluralize
from runner.sweep.tryout.grid import Choice
from runner.sweep.tryout.guess import NO_COLUMN, Guess
from runner.sweep.tryout.model import OwnModel
from runner.sweep.tryout.table import Table
from runner.techniques.importing.labels import listed

_BUSY = 1.2  # if everything takes this many times as long, a remark says so
_SHOWN = 100  # the number of characters of a reason that are shown


def describe_model(model: OwnModel) -> str:
    """Return a line that describes the model."""
    head = f"outputs: {listed(model.outputs)}" if model.outputs else "without a head for labels"
    graph = f" in {model.graph}" if model.graph else ""
    return f"Model: {model.architecture}{graph}, {model.size}, {head}."


def describe_task(guess: Guess, table: Table | None) -> list[str]:
    """Return lines that say which texts, labels and kind of task were chosen."""
    task = guess.task
    if table is None:
        texts = "Texts: sentences of Alice in Wonderland, since no file was named (pinbox try MODEL TEXTS)."
    else:
        columns = f"column '{task.text_column}' (otherwise: --text-column)"
        if task.text_pair_column:
            columns = f"pairs of columns '{task.text_column}' and '{task.text_pair_column}' (otherwise: --text-column, "
            columns += f"and --pair-column {NO_COLUMN} for single texts)"
        texts = f"Texts: {table.where.name}, {describe_rows(table)}; {columns}."
    return [texts, _labels(guess, table), f"Kind of task: {_kind(task)} (otherwise: --kind)."]


def describe_choice(choice: Choice, refused: Mapping[str, str], length: int) -> list[str]:
    """Return lines that say what is run, what was left out, and how texts are cut."""
    threads = " and ".join(map(str, choice.threads)) + (" threads" if choice.threads != [1] else " thread")
    baseline, *others = choice.techniques
    techniques = [f"{baseline} (the baseline)", *others]
    lines = [f"Techniques: {', '.join(techniques)}, with {threads} (otherwise: --techniques, --threads)."]
    lines += [f"Left out: {name}: {_short(reason)}" for name, reason in refused.items()]
    evaluated = f" Of the texts to test on, at most {choice.max_test_texts} are evaluated (task.max_test_texts)."
    lines.append(f"Texts are cut to {length} tokens.{evaluated if choice.max_test_texts else ''}")
    return lines


def describe_time(choice: Choice, budget_seconds: float) -> str:
    """Return the expected time of a sweep, and what happens if it exceeds the budget."""
    said = f"Time: about {minutes(choice.seconds)}, of {minutes(budget_seconds)} (otherwise: --budget)."
    if choice.busyness > _BUSY:
        said += f" Other programs use this machine, so everything takes {choice.busyness:.1f} times as long."
    if choice.seconds <= budget_seconds:
        return said
    return f"{said} The budget may be too small. Then the sweep stops with a report, and the same command continues it."


def describe_rows(table: Table) -> str:
    """Return how many rows a file has."""
    return pluralize(len(table.rows), "row") if table.whole else f"more than {len(table.rows):,} rows"


def _labels(guess: Guess, table: Table | None) -> str:
    if guess.match is None:
        compared = "" if guess.task.kind == EMBEDDING else " Accuracy is not known; predictions are compared."
        otherwise = " (otherwise: --label-column)" if table and guess.task.kind != EMBEDDING else ""
        return f"Labels: none, since {guess.why_no_labels}{otherwise}.{compared}"
    match = guess.match
    pairs = [
        label if label == match.names[place] else f"{label} ← {match.names[place]}"
        for label, place in zip(match.labels, match.outputs, strict=True)
    ]
    return f"Labels: column '{guess.task.label_column}' ({listed(pairs)}) (otherwise: --label-column, --labels)."


def _kind(task: TaskConfig) -> str:
    return f"{task.kind}, the vectors of whole texts" if task.kind == EMBEDDING else task.kind


def _short(reason: str) -> str:
    text = first_line(Exception(reason))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

"""Pairs of texts that people judged: read their scores, and take a sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.config.task import TaskConfig
from runner.config.task_kinds import RERANK, SIMILARITY
from runner.errors import UserError
from runner.tasks.rows import Row, Source, finite_number
from runner.tasks.split import shuffled
from runner.tasks.texts import SPLITS, Example, Judgement, Texts


def score_of(row: Row, task: TaskConfig, where: str) -> float:
    """Return the score of a pair of texts.

    Raises:
        UserError: if it is not a finite number.
    """
    value = row.values[task.label_column or ""]
    score = finite_number(value)
    if score is None:
        raise UserError(
            f"{where}: column '{task.label_column}' holds {value!r:.50}, but with task.kind={SIMILARITY} must hold a "
            "number: how alike the two texts are. Correct it, or name another column."
        )
    return score


def judged_pairs(rows: Sequence[Row], task: TaskConfig, where: Source, split: str) -> Texts:
    """Return the texts of checked rows, which hold pairs with a score.

    An encoder gets one text at a time, so the two texts of a pair follow each other. The scores of training pairs are
    not used, because no step learns from them.

    Args:
        rows: the rows, at least one. Without the column of the splits, all pairs are for testing.
        task: the task's config, which names the columns.
        where: the rows' name in errors.
        split: the name of the column of the splits.

    Raises:
        UserError: if no correlation can be computed from the test pairs.
    """
    sides: dict[str, list[Row]] = {name: [] for name in SPLITS}
    for row in rows:
        sides[row.values.get(split, "test")].append(row)
    ordered = {name: _shuffled(side, task) for name, side in sides.items()}
    scores = [score_of(row, task, row.where) for row in ordered["test"]]
    if not scores:
        raise UserError(f"{where} has no pairs to test on. Add rows, or put test into column '{split}'.")
    if len(set(scores)) == 1:
        raise UserError(
            f"{where}: every pair to test on has the score {scores[0]:g} in column '{task.label_column}', so there is "
            "no order that a model could find. Add pairs with other scores."
        )
    texts = {name: [example for row in side for example in _texts(row, task)] for name, side in ordered.items()}
    judgements = [Judgement(2 * place, 2 * place + 1, score) for place, score in enumerate(scores)]
    train, validation, test = (texts[name] for name in SPLITS)
    return Texts([], train, validation, test, judgements=judgements, kind=SIMILARITY)


def limited(texts: Texts, count: int | None) -> Texts:
    """Return the texts with only the first test texts, pairs of test texts, or queries with their candidates.

    Args:
        texts: the texts of a task.
        count: the number of texts, queries or pairs; None for all.
    """
    if count is None:
        return texts
    if texts.kind == SIMILARITY:
        return replace(texts, test=texts.test[: 2 * count], judgements=texts.judgements[:count])
    judgements = [judgement for judgement in texts.judgements if judgement.first < count]
    if texts.kind == RERANK:
        kept = sorted({judgement.second for judgement in judgements if judgement.second >= 0})
        place_of = {place: number for number, place in enumerate(kept)}
        renumbered = [one._replace(second=place_of.get(one.second, one.second)) for one in judgements]
        return replace(texts, test=[texts.test[place] for place in kept], judgements=renumbered)
    return replace(texts, test=texts.test[:count], judgements=judgements)


def _shuffled(rows: Sequence[Row], task: TaskConfig) -> list[Row]:
    """Return the rows in the order of the hashes of their texts."""
    numbered = [Example(_texts(row, task)[0].text, place, _texts(row, task)[1].text) for place, row in enumerate(rows)]
    return [rows[example.label] for example in shuffled(numbered) if isinstance(example.label, int)]


def _texts(row: Row, task: TaskConfig) -> tuple[Example, Example]:
    return Example(row.values[task.text_column], None), Example(row.values[task.text_pair_column or ""], None)

"""The halves of the test texts: near-duplicates stay together, and what is chosen on one is not lucky on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.results.collect import collect
from runner.results.halves import is_held_out, scores_by_half
from runner.results.tables import read_tables
from tests.results.synthetic import BASELINE, Job, write_sweep


def test_near_duplicates_are_in_one_half() -> None:
    for number in range(50):
        text = f"flight {'very ' * number}late again"
        alike = [text.upper(), f"@airline {text}!!", f"{text} http://t.co/x{number}", f"{text} 12:30"]
        assert {is_held_out(one, 0) for one in [text, *alike]} == {is_held_out(text, 0)}


def test_the_halves_are_about_as_large_and_depend_on_the_seed() -> None:
    words = [" ".join(map(chr, 97 + np.random.default_rng(number).integers(0, 26, 8))) for number in range(2000)]
    sides = np.array([[is_held_out(text, seed) for text in words] for seed in (0, 1)])
    assert sides.mean(axis=1) == pytest.approx(0.5, abs=0.04)
    assert (sides[0] == sides[1]).mean() == pytest.approx(0.5, abs=0.04)


def test_accuracies_of_both_halves_make_up_the_whole(tmp_path: Path) -> None:
    letters = "abcdefgh"
    texts = [f"word {first}{second}" for first in letters for second in letters]
    collect(write_sweep(tmp_path, [BASELINE, Job("onnx-int8", flips=1.5)], texts=texts))
    tables = read_tables(tmp_path)
    found = scores_by_half(tables, 0)
    assert found.keys() == {row["job"] for row in tables.jobs}
    for row in tables.jobs:
        halves = found[row["job"]]
        share = halves.held_out_examples / len(texts)
        assert 0 < share < 1
        assert share * halves.held_out + (1 - share) * halves.selection == pytest.approx(row["accuracy"])
        assert f"{100 * halves.held_out:.1f}%" in halves.text


def test_the_best_of_many_equal_variants_is_lucky_on_the_texts_that_chose_it_only() -> None:
    """Fifty variants that are right with probability 0.8: the chosen one's accuracy is unbiased on the other half."""
    chance = np.random.default_rng(0)
    held_out = np.array([is_held_out(f"text {chr(97 + n % 26)}{chr(97 + n // 26)}", 0) for n in range(600)])
    seen, unseen = [], []
    for _ in range(300):
        right = chance.random((50, 600)) < 0.8
        best = right[:, ~held_out].mean(axis=1).argmax()
        seen.append(right[best, ~held_out].mean())
        unseen.append(right[best, held_out].mean())
    assert np.mean(unseen) == pytest.approx(0.8, abs=0.005)
    assert np.mean(seen) > 0.83

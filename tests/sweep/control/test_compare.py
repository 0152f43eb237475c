"""Which output is which label, what rounding explains, and what is said of the first text that differs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runner.config.task_kinds import SINGLE_LABEL, TOKENS
from runner.sweep.control.compare import compare, outputs_of
from runner.sweep.control.reference import sample
from runner.tasks.texts import Example

EXAMPLES = [Example("good", 0), Example("bad", 1), Example("fair", 0)]
NAMES = ["neg", "pos"]
LOGITS = [[1.0, -2.0], [0.5, 0.25], [3.0, 4.0]]


def _reference(logits: list[Any], names: list[str] = NAMES) -> dict[str, Any]:
    return {"texts": [0, 2], "names": names, "logits": logits}


@pytest.mark.parametrize(
    ("names", "own", "outputs"),
    [
        (["neg", "pos"], ["pos", "neg"], [1, 0]),
        (["neg", "pos"], ["POS", "Neg"], [1, 0]),
        (["0.0", "1.0", "10.0", "2.0"], ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_10"], [0, 1, 3, 2]),
        (["1", "2"], ["LABEL_0", "LABEL_1"], [0, 1]),
        (["neg", "pos"], ["LABEL_0", "LABEL_1"], [0, 1]),
        (["a", "A"], ["A", "a"], [1, 0]),
        ([], [], []),
    ],
)
def test_names_tell_which_output_is_which(names: list[str], own: list[str], outputs: list[int]) -> None:
    assert outputs_of(names, own) == outputs


def test_where_names_do_not_tell_it_is_as_the_import_noted() -> None:
    yes, no = {"output": 1, "by": "number"}, {"output": 0, "by": "number"}
    assert outputs_of(["true", "false"], ["LABEL_0", "LABEL_1"], {"true": yes, "false": no}) == [1, 0]
    assert outputs_of(["true", "other"], ["other", "1"], {"true": yes}) == [1, 0]
    wrongly = {"neg": {"output": 0, "by": "spelling"}, "pos": {"output": 1, "by": "spelling"}}
    assert outputs_of(["neg", "pos"], ["POS", "NEG"], wrongly) == [1, 0]
    stated = {"1": {"output": 0, "by": "stated order"}, "0": {"output": 1, "by": "stated order"}}
    assert outputs_of(["1", "0"], ["LABEL_0", "LABEL_1"], stated) == [0, 1]


def test_rounding_is_no_difference() -> None:
    found = compare(_reference([[[1.00001, -2.0]], [[3.0, 4.0001]]]), LOGITS, NAMES, EXAMPLES, SINGLE_LABEL)
    assert not found.differences
    assert found.texts == 2
    assert found.largest == pytest.approx(1e-4, rel=1e-3)


def test_outputs_are_compared_by_name() -> None:
    swapped = [[[-2.0, 1.0]], [[4.0, 3.0]]]
    assert not compare(_reference(swapped, ["pos", "neg"]), LOGITS, NAMES, EXAMPLES, SINGLE_LABEL).differences
    assert compare(_reference(swapped), LOGITS, NAMES, EXAMPLES, SINGLE_LABEL).differences


def test_what_is_said_of_the_first_that_is_predicted_otherwise() -> None:
    found = compare(_reference([[[1.5, -2.0]], [[4.5, 4.0]]]), LOGITS, NAMES, EXAMPLES, SINGLE_LABEL)
    assert found.error == (
        "predictions differ from transformers' own on 2 of 2 texts, 1 of them with another label; the largest logit "
        "difference is 1.5; first: 'fair' is pos here and neg there"
    )
    assert found.log.index("fair\n") < found.log.index("good\n")


@pytest.mark.parametrize("there", [[math.nan, -2.0], [1.0, -2.0, 3.0]])
def test_what_is_no_number_or_of_another_width_differs(there: list[float]) -> None:
    names = [f"LABEL_{number}" for number in range(len(there))]
    rest = [3.0, 4.0, *there[2:]]
    found = compare(_reference([[there], [rest]], names), LOGITS, NAMES, EXAMPLES, SINGLE_LABEL)
    assert found.differences[0].size == math.inf


@pytest.mark.parametrize("kind", [SINGLE_LABEL, TOKENS])
def test_a_logit_that_is_no_number_on_both_sides_differs(kind: str) -> None:
    one = [math.nan, -2.0]
    found = compare(_reference([[one], [LOGITS[2]]]), [one, *LOGITS[1:]], NAMES, EXAMPLES, kind)
    assert [(found.largest, other.text) for other in found.differences] == [(math.inf, "good")]
    assert "first: 'good'; transformers itself gives logits that are not finite there" in found.error


def test_a_text_without_any_number_differs() -> None:
    none = [math.nan, math.nan]
    assert compare(_reference([[none], [none]]), [none] * 3, NAMES, EXAMPLES, SINGLE_LABEL).largest == math.inf


def test_each_word_is_compared_and_a_word_that_is_cut_off_is_none() -> None:
    examples = [Example("a b", (0, 1), words=("a", "b")), Example("c d", (0, 1), words=("c", "d"))]
    cut = [math.nan, math.nan]
    logits = [[1.0, 0.0], cut, [2.0, 0.0], [0.0, 1.0]]
    reference: dict[str, Any] = {
        "texts": [0, 1],
        "names": NAMES,
        "logits": [[[1.0, 0.0], cut], [[2.0, 0.0], [0.0, 1.0]]],
    }
    assert not compare(reference, logits, NAMES, examples, TOKENS).differences
    reference["logits"][1][1] = [1.0, 0.0]
    found = compare(reference, logits, NAMES, examples, TOKENS)
    assert [one.text for one in found.differences] == ["d (in: c d)"]


def test_the_longest_texts_are_in_the_sample() -> None:
    texts = [{"text": "x" * (number % 7)} for number in range(20)] + [{"text": "y" * 9, "pair": "z"}]
    assert sample(texts, 5)[:5] == [0, 1, 2, 3, 4]
    assert 20 in sample(texts, 5)
    assert sample(texts[:3], 5) == [0, 1, 2]

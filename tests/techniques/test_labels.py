"""Labels are matched with outputs by name or number. Matches that would be a guess are refused."""

from __future__ import annotations

import pytest

from runner.errors import UserError
from runner.techniques.importing.labels import NAME, NUMBER, ORDER, SPELLING, LabelMatch, match_labels

GENERIC = [f"LABEL_{place}" for place in range(11)]


def _match(labels: list[str], names: list[str], stated: bool = False) -> LabelMatch:
    return match_labels(labels, names, stated, "model 'm'")


@pytest.mark.parametrize(
    ("labels", "names", "outputs", "rule"),
    [
        (["neg", "pos"], ["pos", "neg"], [1, 0], NAME),
        (["neg", "pos"], ["POS ", "Neg"], [1, 0], SPELLING),
        (["very good", "bad"], ["Bad", "Very_Good"], [1, 0], SPELLING),
        (["café", "tea"], ["cafe\u0301 ", "Tea"], [0, 1], SPELLING),
        (["0.0", "1.0", "10.0"], ["10", "1", "0"], [2, 1, 0], SPELLING),
        (["-1", "0", "1"], ["-1.0", "0.0", "1.0"], [0, 1, 2], SPELLING),
        (["0.0", "2.0", "10.0"], GENERIC, [0, 2, 10], NUMBER),
        (["false", "true"], GENERIC[:2], [0, 1], NUMBER),
        (["false", "true"], ["True", "False"], [1, 0], SPELLING),
        (["0", "1"], ["True", "False"], [1, 0], NUMBER),
        (["LABEL_1", "LABEL_0"], GENERIC[:2], [1, 0], NAME),
    ],
)
def test_labels_are_matched(labels: list[str], names: list[str], outputs: list[int], rule: str) -> None:
    match = _match(labels, names)
    assert (list(match.outputs), set(match.rules)) == (outputs, {rule})


def test_an_exact_name_comes_before_another_spelling() -> None:
    match = _match(["pos", "Pos", "neg"], ["Pos", "pos", "NEG"])
    assert list(zip(match.outputs, match.rules, strict=True)) == [(1, NAME), (0, NAME), (2, SPELLING)]


def test_generic_names_take_a_stated_order_alone() -> None:
    match = _match(["negative", "positive"], GENERIC[:2], stated=True)
    assert (list(match.outputs), list(match.rules)) == ([0, 1], [ORDER, ORDER])
    assert list(_match(["1", "0"], GENERIC[:2], stated=True).outputs) == [
        0,
        1,
    ]  # the stated order, whatever the numbers are
    with pytest.raises(UserError, match=r"would be a guess.*id2label.*state all 2 labels .*task\.labels="):
        _match(["negative", "positive"], GENERIC[:2])
    with pytest.raises(UserError, match=r"would be a guess.*state all 11 labels"):
        _match(["negative", "positive"], GENERIC, stated=True)
    with pytest.raises(UserError, match="would be a guess"):
        _match(["-1", "0", "1"], GENERIC[:3])
    with pytest.raises(UserError, match="would be a guess"):
        _match(["1", "2"], GENERIC[:2])


def test_numbers_of_outputs_take_a_stated_order() -> None:
    match = _match(["0", "1"], ["negative", "positive"], stated=True)
    assert (list(match.outputs), list(match.rules)) == ([0, 1], [ORDER, ORDER])
    with pytest.raises(UserError, match="no output for 0, 1"):
        _match(["0", "1"], ["negative", "positive"])
    assert list(_match(["0", "1"], ["True", "False"], stated=True).outputs) == [1, 0]


def test_a_stated_order_says_nothing_of_outputs_that_have_names() -> None:
    with pytest.raises(
        UserError, match=r"the model's labels are joy, anger, but the task's are neg, pos: .*for neg, pos"
    ):
        _match(["neg", "pos"], ["joy", "anger"], stated=True)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (["a", "d"], ["a", "b", "c"], r"no output for d\. Rename the outputs in id2label"),
        (["0", "1"], ["negative", "positive"], "no output for 0, 1"),
        (["pos", "neg"], ["Pos", "POS", "neg"], r"'pos' may be any of the model's 'Pos', 'POS'\. Write it"),
        (["Pos", "pos"], ["pos", "neg"], r"'Pos' and 'pos' are both the model's 'pos'"),
        (["0", "0.0"], GENERIC[:2], r"'0' and '0\.0' are both the model's 'LABEL_0'"),
        (["1", "true"], ["0", "1"], r"'1' and 'true' are both the model's '1'"),
    ],
)
def test_what_is_not_clear_is_refused(labels: list[str], names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _match(labels, names)


def test_other_outputs_come_last_and_are_told() -> None:
    match = _match(["negative", "positive"], ["Neutral", "positive", "negative"])
    assert match.order == [2, 1, 0]
    assert match.all_names == ["negative", "positive", "Neutral"]
    assert match.remarks() == [
        "the model also predicts Neutral, which the task lacks: such a prediction counts as wrong."
    ]


def test_a_match_is_told_and_kept_unless_all_names_are_exact() -> None:
    match = _match(["0.0", "1.0"], GENERIC[:2])
    assert match.remarks() == [
        "the task's labels are matched with the model's outputs by number: 0.0 ← LABEL_0, 1.0 ← LABEL_1."
    ]
    assert match.notes()["1.0"] == {"output": 1, "name": "LABEL_1", "by": "number"}
    assert _match(["b", "a"], ["a", "b"]).remarks() == []


def test_a_task_without_labels_takes_all_outputs_as_they_are() -> None:
    match = _match([], ["b", "a"])
    assert (match.order, match.all_names, match.remarks()) == ([0, 1], ["b", "a"], [])

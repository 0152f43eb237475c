"""Tagged words: entities as seqeval counts them, and intervals with the text as the unit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from runner.diff.join import Pair, sides
from runner.diff.score import score_change
from runner.recommend.decision_data import decision_data
from runner.report.examples import prediction_groups
from runner.report.markdown import render_markdown
from runner.results.collect import collect
from runner.results.tables import Tables
from runner.results.token_metrics import (
    Ratio,
    by_word,
    difference,
    entities,
    entity_f1,
    per_text,
    share_interval,
    tells_entities,
)
from tests.results.synthetic import BASELINE, Job, write_sweep

NAMES = ["B-PER", "I-PER", "O"]
INT8 = Job("onnx-int8", 0.04)


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("O B-PER I-PER O", {("PER", 1, 3)}),
        ("B-PER B-PER", {("PER", 0, 1), ("PER", 1, 2)}),
        ("I-PER I-PER O I-LOC", {("PER", 0, 2), ("LOC", 3, 4)}),  # without a B-, the first I- begins it
        ("B-PER I-LOC", {("PER", 0, 1), ("LOC", 1, 2)}),
        ("B-PER E-PER I-PER S-PER", {("PER", 0, 2), ("PER", 2, 3), ("PER", 3, 4)}),
        ("B-A-B I-A-B", {("A-B", 0, 2)}),
        ("O O", set()),
    ],
)
def test_entities_are_those_of_seqeval(tags: str, found: set[tuple[str, int, int]]) -> None:
    """Each as seqeval 1.2.2's get_entities gives it, as it does for 200,000 random sequences."""
    assert entities(tags.split()) == found


def test_f1_by_a_worked_example() -> None:
    labels = ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]
    guesses = ["B-PER", "I-PER", "O", "B-LOC", "O", None]
    f1 = entity_f1(labels, guesses, np.array([0, 0, 0, 1, 1, 1]))
    assert (f1.parts.tolist(), f1.wholes.tolist()) == ([2, 0], [2, 3])
    assert f1.value == pytest.approx(2 * 1 / (2 + 3))
    assert tells_entities(labels)
    assert not tells_entities(["NOUN", "VERB"])


def test_one_text_that_is_wrong_throughout_says_less_than_as_many_words() -> None:
    of_text = np.repeat(np.arange(50), 20)
    clustered = (of_text >= 5).tolist()
    scattered = (np.arange(1000) % 10 != 0).tolist()
    (low, high), (near, far) = (share_interval(per_text(side, of_text)) for side in (clustered, scattered))
    assert low < 0.9 < high
    assert high - low > 4 * (far - near) > 0
    assert share_interval(per_text([True] * 1000, of_text)) == pytest.approx((0.9287, 1), abs=1e-3)


def test_intervals_cover_what_is_true() -> None:
    """Texts whose words share their fate, drawn 400 times."""
    generator = np.random.default_rng(0)
    covered = {"share": 0, "difference": 0}
    for _ in range(400):
        of_text = np.repeat(np.arange(80), generator.integers(1, 15, 80))
        easy = generator.beta(4, 1, 80)[of_text]  # 0.8 in the mean
        before, after = ((generator.random(len(of_text)) < easy * share).tolist() for share in (1.0, 0.9))
        low, high = share_interval(per_text(before, of_text))
        found = difference(per_text(before, of_text), per_text(after, of_text))
        assert found is not None
        covered["share"] += low < 0.8 < high
        covered["difference"] += found.interval[0] < -0.08 < found.interval[1]
    assert all(0.92 <= count / 400 <= 0.98 for count in covered.values()), covered


def test_a_difference_needs_two_texts_and_is_nothing_where_nothing_differs() -> None:
    one = Ratio(np.array([1.0]), np.array([2.0]))
    assert difference(one, one) is None
    two = Ratio(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    same = difference(two, two)
    assert same is not None
    assert (same.value, same.interval, same.p_value) == (0, (0, 0), 1)


def test_every_word_is_an_example_in_its_context() -> None:
    content = {"words": [["a", "b"], [f"w{i}" for i in range(20)]], "label": [[0, 1], None], "kind": "tokens"}
    flat, of_text = by_word(content)
    assert flat["texts"][:2] == ["[a] b", "a [b]"]
    assert flat["texts"][14].startswith("… w4 w5")
    assert flat["texts"][14].count("[w12]") == 1
    assert (flat["label"][:3], of_text[:3].tolist(), len(of_text)) == ([0, 1, None], [0, 0, 1], 22)
    with pytest.raises(ValueError, match="differ in number"):
        by_word({**content, "label": [[0], None]})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """30 texts of 4 words; the variant is wrong on all words of the last, and has no logits for one of the first."""
    folder = write_sweep(tmp_path_factory.mktemp("words"), [BASELINE, INT8])
    words = [["Ada", "Lovelace", "wrote", str(number)] for number in range(30)]
    label = [[0, 1, 2, 2] for _ in words]
    for path in (folder / "predictions").iterdir():
        content = json.loads(path.read_text())
        logits = [[4.0 * (tag == place) for place in range(3)] for tags in label for tag in tags]
        logits[3] = logits[3][::-1]  # both are wrong there
        if INT8.key in content["jobs"]:
            logits[-4:] = [[0.0, 1.0, 4.0], [4.0, 0.0, 1.0], [4.0, 0.0, 1.0], [4.0, 0.0, 1.0]]
            logits[0] = [float("nan")] * 3
        changes: dict[str, Any] = {"kind": "tokens", "labels": NAMES, "words": words, "label": label}
        texts = [" ".join(text) for text in words]
        path.write_text(json.dumps(content | changes | {"texts": texts, "logits": logits}))
    return collect(folder)


def test_the_summary_counts_words_and_entities(tables: Tables) -> None:
    base, own = tables.summary.to_pylist()
    assert (base["examples"], own["examples"]) == (120, 120)
    assert base["accuracy"] == pytest.approx(119 / 120)
    assert own["accuracy"] == pytest.approx(114 / 120)
    assert (own["changed_predictions"], own["agreement"]) == (5, pytest.approx(115 / 120))
    assert own["negative_flips_fraction"] == pytest.approx(5 / 120)
    assert own["accuracy_difference"] == pytest.approx(-5 / 120)
    assert own["accuracy_difference_low"] < -5 / 120 < own["accuracy_difference_high"]
    assert own["accuracy_p_value"] > 0.2, "five words against none, but nearly all of one text"
    assert (own["quality_texts"], own["quality_verdict"]) == (30, "undecided")
    assert own["quality_deviation"] == pytest.approx(_deviation_over_texts())
    assert own["quality_texts_needed"] > 30
    assert base["entity_f1"] == pytest.approx(2 * 30 / (30 + 31))
    assert own["entity_f1"] == pytest.approx(2 * 28 / (30 + 33))
    assert own["entity_f1_difference"] == pytest.approx(own["entity_f1"] - base["entity_f1"])
    assert own["macro_f1_difference"] is None
    assert tables.manifest["kinds"] == {"tweets": "tokens"}


def _deviation_over_texts() -> float:
    """Return the standard deviation of the share of each text's words that is lost, all of which have 4 words."""
    return float(np.std([-0.25, *[0.0] * 28, -1.0], ddof=1))


def test_the_table_has_a_row_for_every_word(tables: Tables) -> None:
    rows = [row for row in tables.predictions.read().to_pylist() if row["job"] == INT8.key]
    assert [row["of_text"] for row in rows[:5]] == [0, 0, 0, 0, 1]
    assert (rows[0]["text"], rows[0]["label"], rows[0]["prediction"]) == ("[Ada] Lovelace wrote 0", "B-PER", None)
    assert rows[0]["baseline_prediction"] == "B-PER"


def test_the_report_tells_words(tables: Tables) -> None:
    said = render_markdown(tables)
    assert "5 of 120 predictions changed" in said
    assert "Entity F1" in said
    (prediction_group,), _ = prediction_groups(tables)
    assert prediction_group.names == NAMES
    assert prediction_group.evaluated[0].matrix[2] == [1, 0, 59]


def test_a_choice_scatters_by_texts(tables: Tables) -> None:
    (data,) = decision_data(tables)
    assert (data.examples, data.texts) == (120, 30)
    mistakes = {variant.label: 120 * (1 - variant.values["score"]) for variant in data.variants}
    assert sorted(mistakes.values()) == pytest.approx([1, 6])


def test_a_diff_takes_the_text_as_the_unit(tables: Tables) -> None:
    before, after = sides(tables, {})
    same, other = score_change(Pair(before, before)), score_change(Pair(before, after))
    assert same is not None
    assert (same.difference, same.p_value) == (0, 1)
    assert other is not None
    row = tables.summary.to_pylist()[1]
    assert (other.difference, other.p_value) == pytest.approx((row["accuracy_difference"], row["accuracy_p_value"]))

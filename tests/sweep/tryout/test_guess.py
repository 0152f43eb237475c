"""Which column of a file is taken for what, and what is refused because it is not clear."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runner.config.task_kinds import EMBEDDING, MULTI_LABEL, SINGLE_LABEL, TOKENS
from runner.errors import UserError
from runner.sweep.tryout.guess import Guess, Stated, guess_task, task_without_texts
from runner.sweep.tryout.table import read_table
from tests.sweep.tryout.conftest import MakeModel

LABELS = ("negative", "positive")
FILM = "a film that one likes to remember"


def guess(folder: Path, model: Any, content: str, name: str = "texts.csv", **stated: Any) -> Guess:
    """Return the guess for a file with this content."""
    path = folder / name
    path.write_text(content)
    return guess_task(read_table(path, None, None), model, Stated(**stated), "texts")


def columns(found: Guess) -> tuple[str, str | None, str | None]:
    """Return the columns of texts, second texts and labels."""
    return found.task.text_column, found.task.text_pair_column, found.task.label_column


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", rows("id,Review,sentiment", f"1,{FILM},positive", f"2,not {FILM},negative")),
        ("a.tsv", rows("sentiment\tReview\tid", f"Positive\t{FILM}\t1", f"Negative\tnot {FILM}\t2")),
        ("a.csv", rows("Review;sentiment;stars", f"{FILM};positive;5", f"not {FILM};negative;1")),
        ("a.jsonl", rows(*(json.dumps({"sentiment": label, "Review": FILM}) for label in LABELS))),
        ("a.csv", rows("Review,sentiment,split", f"{FILM},positive,test", f"not {FILM},negative,test")),
    ],
)
def test_known_names_are_taken_for_what_they_say(name: str, content: str, tmp_path: Path, own_model: MakeModel) -> None:
    found = guess(tmp_path, own_model(*LABELS), content, name)
    assert columns(found) == ("Review", None, "sentiment")
    assert found.task.kind == SINGLE_LABEL
    assert found.match
    assert list(found.match.names) == list(LABELS)


def test_without_a_known_name_the_clearly_longest_column_holds_the_texts(tmp_path: Path, own_model: MakeModel) -> None:
    content = rows("who,said,verdict", f"ann,{FILM},positive", f"bob,not {FILM},negative")
    assert columns(guess(tmp_path, own_model(*LABELS), content)) == ("said", None, "verdict")


def test_two_columns_of_the_same_length_are_not_told_apart(tmp_path: Path, own_model: MakeModel) -> None:
    content = rows("one,two,label", f"{FILM},{FILM} too,positive", f"{FILM},not {FILM},negative")
    with pytest.raises(UserError, match=r"whether 'one' or 'two' holds the texts. Say which: --text-column two"):
        guess(tmp_path, own_model(*LABELS), content)
    assert columns(guess(tmp_path, own_model(*LABELS), content, text="one"))[0] == "one"


def test_pairs_are_found_by_their_names(tmp_path: Path, own_model: MakeModel) -> None:
    content = rows("premise,hypothesis,label", f"{FILM},{FILM},positive", f"{FILM},it was bad,negative")
    model = own_model(*LABELS)
    assert columns(guess(tmp_path, model, content)) == ("premise", "hypothesis", "label")
    assert columns(guess(tmp_path, model, content, text="premise", pair="none")) == ("premise", None, "label")


def test_generic_outputs_are_matched_with_numbers(tmp_path: Path, own_model: MakeModel) -> None:
    model = own_model("LABEL_0", "LABEL_1")
    content = rows("text,label,label_text", f"{FILM},1,good", f"not {FILM},0,bad")
    found = guess(tmp_path, model, content)
    assert found.task.label_column == "label"
    assert found.match
    assert list(found.match.outputs) == [0, 1]


def test_names_for_generic_outputs_need_their_order(tmp_path: Path, own_model: MakeModel) -> None:
    model = own_model("LABEL_0", "LABEL_1")
    content = rows("text,label", f"{FILM},good", f"not {FILM},bad")
    with pytest.raises(UserError, match=r"To match them would be a guess.*--label-column none"):
        guess(tmp_path, model, content)
    found = guess(tmp_path, model, content, labels=["good", "bad"])
    assert found.match
    assert [*zip(found.match.labels, found.match.outputs, strict=True)] == [("good", 0), ("bad", 1)]


def test_labels_that_the_model_lacks_are_refused(tmp_path: Path, own_model: MakeModel) -> None:
    content = rows("text,label", f"{FILM},positive", f"not {FILM},furious")
    with pytest.raises(UserError, match=r"no output for furious.*If column 'label' holds no labels of the model"):
        guess(tmp_path, own_model(*LABELS), content)
    assert guess(tmp_path, own_model(*LABELS), content, label="none").task.label_column is None


def test_numbers_alone_do_not_make_a_column_the_labels(tmp_path: Path, own_model: MakeModel) -> None:
    content = rows("text,is_verified", f"{FILM},1", f"not {FILM},0")
    with pytest.raises(UserError, match=r"not clear whether 'is_verified' holds the labels. Use --label-column is_ver"):
        guess(tmp_path, own_model("LABEL_0", "LABEL_1"), content)


@pytest.mark.parametrize("column", ["label", "grade"])
def test_numbers_of_named_outputs_are_taken_only_if_that_is_said(
    column: str, tmp_path: Path, own_model: MakeModel
) -> None:
    content = rows(f"text,{column}", f"{FILM},1", f"not {FILM},0")
    model = own_model(*LABELS)
    with pytest.raises(
        UserError, match=rf"the numbers of the model's outputs, use --label-column {column} --labels 0,1"
    ):
        guess(tmp_path, model, content)
    found = guess(tmp_path, model, content, label=column, labels=["0", "1"])
    assert found.match
    assert [*zip(found.match.labels, found.match.outputs, strict=True)] == [("0", 0), ("1", 1)]
    assert guess(tmp_path, model, content, label="none").task.label_column is None


def test_a_file_without_labels_is_said_to_have_none(tmp_path: Path, own_model: MakeModel) -> None:
    found = guess(tmp_path, own_model(*LABELS), rows("text,author", f"{FILM},ann", f"not {FILM},bob"))
    assert columns(found) == ("text", None, None)
    assert "no column of author holds the model's (negative, positive)" in found.why_no_labels


def test_lists_of_labels_make_it_multi_label(tmp_path: Path, own_model: MakeModel) -> None:
    content = rows(*(json.dumps({"text": FILM, "labels": labels}) for labels in (["sad"], ["sad", "calm"], [])))
    found = guess(tmp_path, own_model("sad", "calm"), content, "a.jsonl")
    assert (found.task.kind, found.task.label_column) == (MULTI_LABEL, "labels")


def test_separated_labels_make_it_multi_label(tmp_path: Path, own_model: MakeModel) -> None:
    model = own_model("sad", "calm", problem_type="multi_label_classification")
    assert guess(tmp_path, model, rows("text,labels", f"{FILM},sad|calm", f"{FILM},sad")).task.kind == MULTI_LABEL
    with pytest.raises(UserError, match="only on texts with labels"):
        guess(tmp_path, model, rows("text,author", f"{FILM},ann", f"{FILM},bob"))


def test_words_and_tags(tmp_path: Path, own_model: MakeModel) -> None:
    model = own_model("O", "B-PER", architectures=["BertForTokenClassification"])
    lines = [{"tokens": ["Ada", "came"], "ner_tags": ["B-PER", "O"]}, {"tokens": ["so"], "ner_tags": ["O"]}]
    found = guess(tmp_path, model, rows(*map(json.dumps, lines)), "a.jsonl")
    assert (found.task.kind, *columns(found)) == (TOKENS, "tokens", None, "ner_tags")
    with pytest.raises(UserError, match="no column holds lists of words"):
        guess(tmp_path, model, rows("text,label", "Ada came,B-PER O"))


def test_a_model_without_a_head_gives_vectors(tmp_path: Path, own_model: MakeModel) -> None:
    model = own_model(architectures=["BertModel"])
    found = guess(tmp_path, model, rows("sentence1,sentence2,label", f"{FILM},{FILM},1", f"{FILM},no,0"))
    assert (found.task.kind, *columns(found)) == (EMBEDDING, "sentence1", None, None)


def test_names_of_a_parquet_file_s_classes_are_its_labels(tmp_path: Path, own_model: MakeModel) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["negative", "positive"]}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"text": [FILM, FILM], "label": [1, 0], "when": pa.array([0, 1], pa.timestamp("s"))})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    found = guess_task(read_table(tmp_path / "a.parquet", None, None), own_model(*LABELS), Stated(), "texts")
    assert columns(found) == ("text", None, "label")


def test_a_compressed_file_is_read(tmp_path: Path, own_model: MakeModel) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(rows("text,label", f"{FILM},positive", f"not {FILM},negative").encode()))
    assert columns(guess_task(read_table(path, None, None), own_model(*LABELS), Stated(), "t"))[2] == "label"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "TEXTS: .* holds no rows"),
        ("text,label\n", "TEXTS: .* holds no rows"),
        (f"{FILM},1\nnot {FILM},0\n", "looks like data and not like the names of columns"),
        ("a,b\n1,2\n3,4\n", "no column holds texts. It has a, b"),
    ],
)
def test_files_that_hold_no_texts_are_refused(content: str, said: str, tmp_path: Path, own_model: MakeModel) -> None:
    with pytest.raises(UserError, match=said):
        guess(tmp_path, own_model(*LABELS), content)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"text": "txt"}, "--text-column: .* has no column 'txt'. Did you mean 'text'"),
        ({"pair": "pear"}, "--pair-column: .* has no column 'pear'"),
        ({"label": "lable"}, "--label-column: .* has no column 'lable'. Did you mean 'label'"),
    ],
)
def test_a_mistyped_column_is_refused(stated: dict[str, str], said: str, tmp_path: Path, own_model: MakeModel) -> None:
    with pytest.raises(UserError, match=said):
        guess(tmp_path, own_model(*LABELS), rows("text,label", f"{FILM},positive", f"no,{LABELS[0]}"), **stated)


def test_scores_are_refused_whatever_the_file_says(tmp_path: Path, own_model: MakeModel) -> None:
    with pytest.raises(UserError, match="its outputs are numbers"):
        guess(tmp_path, own_model("score", problem_type="regression"), rows("text,label", f"{FILM},0.5", f"{FILM},1"))


def test_texts_of_its_own_have_no_labels(own_model: MakeModel) -> None:
    assert task_without_texts(own_model(*LABELS), None, "sample").label_column is None
    tagger = own_model("O", "B-PER", architectures=["BertForTokenClassification"])
    assert task_without_texts(tagger, None, "sample").kind == TOKENS
    several = own_model("sad", "calm", problem_type="multi_label_classification")
    with pytest.raises(UserError, match="Name a file of them: pinbox try MODEL TEXTS"):
        task_without_texts(several, None, "sample")

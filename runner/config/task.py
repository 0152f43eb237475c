"""The config group of tasks: which texts there are, and how they are read and evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING

from runner.config.checks import at_least, check_name
from runner.config.collection import CollectionConfig
from runner.config.task_kinds import CLASSIFIED, EMBEDDING, KINDS, MULTI_LABEL, SIMILARITY, SINGLE_LABEL, TOKENS
from runner.errors import UserError, did_you_mean


class Delimiter(Enum):
    """The delimiter between the fields of a CSV file."""

    comma = "comma"
    semicolon = "semicolon"
    tab = "tab"
    pipe = "pipe"


@dataclass
class TaskConfig:
    """The texts, their labels and their splits."""

    name: str = MISSING  # the name in tables and reports
    source: str = MISSING  # a module of runner/tasks or plugins/tasks
    kind: str = SINGLE_LABEL  # how texts are evaluated; see runner/config/task_kinds.py
    path: str | None = None  # a CSV, TSV, JSONL or Parquet file, also in .gz, .zst or .zip; the folder of a collection
    encoding: str | None = None  # the file's encoding, such as cp1252; null detects a byte order mark, or takes UTF-8
    delimiter: Delimiter | None = None  # the file's delimiter; null detects it in the header
    hub_id: str | None = None  # owner/name of a data set of the Hugging Face hub, if source is hub
    revision: str | None = None  # a commit of the data set: 40 hexadecimal digits
    subset: str | None = None  # the folder of the data set's files, if it has several
    train_split: str | None = "train"  # the data set's split for training; null: there are no training texts
    validation_split: str | None = "validation"  # its split for validation; null takes a tenth of the training texts
    test_split: str | None = "test"  # its split for testing
    text_column: str = "text"  # the column of the texts in the file or the data set
    text_pair_column: str | None = None  # the column of the second texts, if the texts are pairs
    label_column: str | None = "label"  # the column of the labels, or of the scores of pairs; null if there are none
    labels: list[str] | None = None  # all labels in the order of the model's outputs; null matches them by name
    label_separator: str = "|"  # the separator between several labels of a text, if they are not a list
    slice_columns: list[str] = field(default_factory=list)  # columns whose values divide the texts, to find the worst
    max_test_texts: int | None = None  # the most test texts, pairs or queries to evaluate, a fair sample; null: all
    collection: CollectionConfig = field(default_factory=CollectionConfig)

    def __post_init__(self) -> None:
        check_name("task.name", self.name)
        if self.kind not in KINDS:
            raise UserError(f"task.kind of '{self.name}' is '{self.kind}'. {did_you_mean(self.kind, KINDS)}")
        if self.kind == MULTI_LABEL and self.label_column is None:
            raise UserError(
                f"task.kind of '{self.name}' is {MULTI_LABEL}, but task.label_column is null. Name the column. If "
                f"there are no labels, take task.kind={SINGLE_LABEL}, which reports the agreement with the baseline."
            )
        if self.kind == EMBEDDING and self.label_column is not None:
            raise UserError(
                f"task.kind of '{self.name}' is {EMBEDDING}: vectors are compared with the baseline's, and labels are "
                "not read. Set task.label_column=null."
            )
        if self.kind == SIMILARITY and (self.text_pair_column is None or self.label_column is None):
            key = "text_pair_column" if self.text_pair_column is None else "label_column"
            raise UserError(
                f"task.kind of '{self.name}' is {SIMILARITY}, but task.{key} is null. Name the columns of the second "
                "texts and of the scores, such as task.text_pair_column=sentence2 task.label_column=score."
            )
        if self.kind == TOKENS and self.text_pair_column is not None:
            raise UserError(
                f"task.kind of '{self.name}' is {TOKENS}, but no model tags pairs of texts. Set "
                "task.text_pair_column=null."
            )
        if self.labels is not None and (len(set(self.labels)) != len(self.labels) or not self.labels):
            raise UserError(
                f"task.labels of '{self.name}' is {self.labels}, but must name each label once, in the order of the "
                "model's outputs."
            )
        if self.slice_columns and (self.label_column is None or self.kind not in CLASSIFIED):
            raise UserError(
                f"task.slice_columns of '{self.name}' is {self.slice_columns}, but slices compare the accuracy of "
                f"labelled texts, and task.kind is {self.kind}. Remove task.slice_columns."
            )
        if self.max_test_texts is not None:
            at_least("task.max_test_texts", self.max_test_texts, 1)
        if not self.label_separator:
            raise UserError(f"task.label_separator of '{self.name}' is empty. Take a character that no label has.")

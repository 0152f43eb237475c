"""Check that a model's head fits the task, from config.json and the sizes of the tensors alone.

It needs neither torch nor transformers, so a job is checked when it is composed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.config.task_kinds import EMBEDDING, MULTI_LABEL, RERANK, SINGLE_LABEL, TOKENS
from runner.errors import UserError, did_you_mean
from runner.techniques.importing.labels import listed

OF_TEXTS, OF_TOKENS = "ForSequenceClassification", "ForTokenClassification"
TRAIN_A_HEAD = "Train one: model.steps=[{step: import-checkpoint, head: new}, {step: fine-tune}]."

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_DEFAULT_OUTPUTS = 2  # the default of transformers where config.json names no outputs
_LAST_LAYER = re.compile(  # matches the last layer of every head that transformers has
    r"(classifier|classifier\.(out_proj|linear_out)|classification_head\.out_proj|score|logits_proj"
    r"|sequence_summary\.summary)\.weight"
)
_PROBLEM_TYPES = {  # by problem_type: the kind of task that evaluates such outputs
    "regression": None,
    "single_label_classification": SINGLE_LABEL,
    "multi_label_classification": MULTI_LABEL,
}


def read_config(files: Path, where: str) -> dict[str, Any]:
    """Return the content of config.json.

    Args:
        files: the model's folder.
        where: the model's name in errors.

    Raises:
        UserError: if the file cannot be read.
    """
    try:
        config = json.loads((files / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: config.json cannot be read ({error}). Take another copy of it.") from None
    if not isinstance(config, dict):
        raise UserError(f"{where}: config.json does not hold a JSON object. Take another copy of it.")
    return config


def tensors_of(files: Path) -> dict[str, list[int]]:
    """Return the size of every tensor that transformers would load from a model's folder, by name.

    If the files cannot be read, the mapping is empty: the error is reported when the model is loaded.
    """
    from safetensors import SafetensorError, safe_open

    sizes: dict[str, list[int]] = {}
    try:
        parts = {_WEIGHTS}
        if not (files / _WEIGHTS).is_file():
            parts = set(json.loads((files / _INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        for part in sorted(parts):
            with safe_open(files / part, framework="numpy") as tensors:
                sizes |= {name: list(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return sizes


def kinds_of_head(config: Mapping[str, Any], tensors: Mapping[str, list[int]]) -> list[str]:
    """Return the kinds of task that a model's head may be for; a model without a head gives vectors.

    The arguments are those of `check_head`, which makes the final check. A head for whole texts is for one label or for
    several, unless problem_type says which.
    """
    classes = [str(name) for name in config.get("architectures") or []]
    if any(name.endswith(OF_TOKENS) for name in classes):
        return [TOKENS]
    unnamed = not classes and any(_LAST_LAYER.fullmatch(name) for name in tensors)
    if not unnamed and not any(name.endswith(OF_TEXTS) for name in classes):
        return [EMBEDDING]
    trained_kind = _PROBLEM_TYPES.get(str(config.get("problem_type")))
    return [trained_kind] if trained_kind else [SINGLE_LABEL, MULTI_LABEL]


def check_head(config: Mapping[str, Any], tensors: Mapping[str, list[int]], kind: str, where: str) -> list[str]:
    """Check a trained head against the kind of the task, and return the names of its outputs.

    Args:
        config: the content of config.json.
        tensors: the size of each tensor, by name.
        kind: the kind of the task; see `runner.config.task_kinds`.
        where: the model's name in errors.

    Raises:
        UserError: if the head is for another kind of task, if config.json contradicts itself or the weights, or if a
            task of this kind cannot evaluate the outputs.
    """
    _check_architecture(config, kind, where)
    _check_problem_type(config, kind, where)
    names = names_of_outputs(config, where)
    _check_rows(names, config, tensors, where)
    if kind == RERANK and len(names) > 1:
        raise UserError(
            f"{where}: its head has the outputs {listed(names)}, but a task of kind {RERANK} needs one output, the "
            "score of a query and a document. Take a cross-encoder with one output."
        )
    if len(names) == 1 and kind not in (MULTI_LABEL, RERANK):
        raise UserError(
            f"{where}: its head has one output ('{names[0]}'), a score such as a regression or a reranker gives. With "
            f"task.kind={kind}, its probability would be 1 for every text. Take a model with an output for every "
            f"label. If the output says yes or no to one label, take task.kind={MULTI_LABEL}. If it scores a query and "
            f"a document, take task.kind={RERANK}."
        )
    return names


def names_of_outputs(config: Mapping[str, Any], where: str) -> list[str]:
    """Return the names that id2label in config.json gives to a head's outputs.

    Raises:
        UserError: if id2label does not number the outputs from 0, if two names are equal, or if another key contradicts
            it.
    """
    named, count = config.get("id2label"), config.get("num_labels")
    if named is None:
        outputs = _DEFAULT_OUTPUTS if count is None else count
        if type(outputs) is not int or outputs < 1:
            raise UserError(f"{where}: config.json: num_labels is {count!r:.50}, but must be a whole number above 0.")
        return [f"LABEL_{place}" for place in range(outputs)]
    if not isinstance(named, dict) or not named:
        raise UserError(f"{where}: config.json: id2label is {named!r:.100}, but must name each output: {{'0': 'no'}}.")
    by_place = {key: value for key, value in named.items() if re.fullmatch(r"\d{1,9}", key)}
    if set(map(int, by_place)) != set(range(len(named))):
        raise UserError(
            f"{where}: config.json: the keys of id2label are {listed(list(named))}, but must number the outputs from 0 "
            f"to {len(named) - 1}. Correct them."
        )
    names = [_name(value, where) for _, value in sorted(by_place.items(), key=lambda item: int(item[0]))]
    if doubled := [name for name in names if names.count(name) > 1]:
        raise UserError(
            f"{where}: config.json: id2label gives the name '{doubled[0]}' to {names.count(doubled[0])} outputs. Give "
            "each a name of its own."
        )
    if count is not None and count != len(names):
        raise UserError(
            f"{where}: config.json: num_labels is {count!r:.50}, but id2label names {len(names)} outputs. Correct one."
        )
    _check_reverse(config.get("label2id"), names, where)
    return names


def _name(value: Any, where: str) -> str:
    """Return the name of an output; a whole number is a valid name, too."""
    if type(value) is int or (isinstance(value, str) and value.strip()):
        return str(value)
    raise UserError(f"{where}: config.json: id2label has the name {value!r:.50}, which is not a text. Name the output.")


def _check_reverse(numbered: Any, names: Sequence[str], where: str) -> None:
    """Check that label2id agrees. Names that id2label lacks are left over from an older head and are ignored."""
    for name, place in numbered.items() if isinstance(numbered, dict) else ():
        if name in names and names.index(name) != place:
            raise UserError(
                f"{where}: config.json: label2id says that '{name}' is output {place!r:.50}, but id2label says that "
                f"it is output {names.index(name)}. Correct the wrong one."
            )


def _check_rows(names: Sequence[str], config: Mapping[str, Any], tensors: Mapping[str, list[int]], where: str) -> None:
    """Check that the head's last layer has a row for every name."""
    heads = [(name, size) for name, size in tensors.items() if _LAST_LAYER.fullmatch(name)]
    if len(heads) != 1 or not heads[0][1] or heads[0][1][0] == len(names):
        return  # either all is well, or the layout is unknown and loading checks it
    tensor, size = heads[0]
    config_says = f"id2label names {len(names)} outputs ({listed(names)})"
    if config.get("id2label") is None:
        config_says = f"num_labels is {len(names)}" if "num_labels" in config else "id2label is missing, which means 2"
    raise UserError(
        f"{where}: the weights have a head of {size[0]} outputs ({tensor} is {size}), but in config.json "
        f"{config_says}. Name all {size[0]} outputs in id2label, in the order in which the head was trained."
    )


def _check_architecture(config: Mapping[str, Any], kind: str, where: str) -> None:
    """Check that the head's class is one for this kind of task, since its tensors look the same for each kind."""
    classes = config.get("architectures") or []
    if not classes:
        return  # loading checks it
    wanted, other = (OF_TOKENS, OF_TEXTS) if kind == TOKENS else (OF_TEXTS, OF_TOKENS)
    if any(str(name).endswith(wanted) for name in classes):
        return
    if any(str(name).endswith(other) for name in classes):
        suited = "whole texts" if kind == TOKENS else f"a task of kind {TOKENS}"
        raise UserError(
            f"{where}: the files are those of a {classes[0]}, which is for {suited}. A task of kind {kind} needs a "
            f"…{wanted}. Take another model, or another task."
        )
    train = TRAIN_A_HEAD if kind != TOKENS else "Take another model."
    raise UserError(
        f"{where}: the files hold no classification head: they are those of a {classes[0]}, not of a …{wanted}. {train}"
    )


def _check_problem_type(config: Mapping[str, Any], kind: str, where: str) -> None:
    """Check that the head was trained for this kind of task."""
    problem_type = config.get("problem_type")
    if problem_type is None or kind == RERANK:
        return  # a reranker is trained in several ways
    key = f"{where}: config.json: problem_type is {problem_type!r:.50}"
    if problem_type not in _PROBLEM_TYPES:
        raise UserError(f"{key}. {did_you_mean(str(problem_type), _PROBLEM_TYPES)}")
    trained_kind = _PROBLEM_TYPES[problem_type]
    if trained_kind is None:
        raise UserError(f"{key}: its outputs are numbers, which no kind of task evaluates. Take a classifier.")
    if trained_kind != (SINGLE_LABEL if kind == TOKENS else kind):
        labels = "one label" if trained_kind == SINGLE_LABEL else "any number of labels"
        raise UserError(
            f"{key}: a text has {labels}, but task.kind is {kind}. Set task.kind={trained_kind} and name a label "
            "column that fits. If problem_type is wrong, correct it."
        )

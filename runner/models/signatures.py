"""Find out which architectures transformers has, and which inputs their models take.

Its source is read as text, because importing it takes seconds and is not needed to compose a job.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib import metadata, util
from pathlib import Path

from runner.errors import UserError
from runner.models.inputs import INPUTS

BASE = "MODEL_MAPPING_NAMES"  # models without a head; this and the next names are those of tables in transformers
OF_TEXTS = "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"
OF_TOKENS = "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES"
_TYPES = "CONFIG_MAPPING_NAMES"
_MODULES = "SPECIAL_MODEL_TYPE_TO_MODULE_NAME"
# Arguments that a model may have but does not need: they follow from the others, or are for training or generation.
_LEFT_OUT = {
    *("position_ids", "inputs_embeds", "labels", "kwargs", "head_mask", "task_type_ids", "num_hashes"),
    *("output_attentions", "output_hidden_states", "return_dict", "logits_to_keep", "buckets_states"),
    *("past_key_values", "use_cache", "cache_position", "cache", "mems", "use_mems", "perm_mask", "target_mapping"),
    *("encoder_hidden_states", "encoder_attention_mask", "global_attention_mask", "input_mask", "langs", "lengths"),
}


def check_architecture(model_type: str, mapping: str, where: str) -> None:
    """Check that transformers has such a classifier or encoder, and that a text gives it all its inputs.

    Nothing is checked if the source of transformers cannot be read.

    Args:
        model_type: the architecture, as config.json names it.
        mapping: the table from model_types to classes: BASE, OF_TEXTS or OF_TOKENS.
        where: the config's name in errors.

    Raises:
        UserError: if transformers lacks it, or if it needs other inputs.
    """
    types = _table("auto_mappings.py", _TYPES) | _table("modeling_auto.py", BASE)
    if not types:
        return
    transformers = f"transformers {metadata.version('transformers')}"
    if model_type not in types:
        near = "".join(f", but '{name}'" for name in get_close_matches(model_type, types, n=1))
        raise UserError(
            f"{where}: {transformers} has no architecture '{model_type}' (model_type){near}. If the model came with "
            "its own code, Pinbox never runs it: take a model whose architecture is part of transformers."
        )
    name = _table("modeling_auto.py", mapping).get(model_type)
    if name is None:
        what = {BASE: "encoder", OF_TEXTS: "classifier of texts", OF_TOKENS: "classifier of tokens"}[mapping]
        raise UserError(
            f"{where}: {transformers} has no {what} of the architecture '{model_type}'. Take another model."
        )
    names = _forward_arguments(model_type, name)
    if names is not None:
        check_inputs_of(name, names, where)


def check_inputs_of(model: str, arguments: Iterable[str], where: str) -> None:
    """Check that a model takes ids and a mask, and no other inputs that do not follow from a text.

    Args:
        model: the name of the model's class.
        arguments: the names of the arguments of its forward pass.
        where: the config's name in errors.

    Raises:
        UserError: if it lacks an input or needs another. The message names it.
    """
    names = set(arguments)
    if "input_ids" not in names:
        raise UserError(f"{where}: {model} does not take input_ids, so it cannot read texts. Take another model.")
    if "attention_mask" not in names:
        raise UserError(
            f"{where}: {model} takes no attention_mask: it cannot tell a text from its padding, so the other texts "
            "in a batch would change its predictions. Take another model."
        )
    if others := sorted(names - _LEFT_OUT - {*INPUTS}):
        decodes = any(name.startswith("decoder_") for name in others)
        what = "the inputs of a decoder beside its encoder" if decodes else "inputs that do not follow from a text"
        raise UserError(
            f"{where}: {model} also takes {what} ({', '.join(others)}). Pinbox calls models only with "
            f"{', '.join(INPUTS[:2])} and {INPUTS[2]}. Take another model."
        )


@cache
def _table(file: str, name: str) -> dict[str, str]:
    """Return one of transformers' tables of names, with the first of several names; empty if it cannot be read."""
    for node in _parsed(f"models/auto/{file}"):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args):
            continue
        if name in [target.id for target in node.targets if isinstance(target, ast.Name)]:
            entries = ast.literal_eval(node.value.args[0])
            return {key: value if isinstance(value, str) else value[0] for key, value in entries}
    return {}


@cache
def _forward_arguments(model_type: str, model: str) -> tuple[str, ...] | None:
    """Return the names of the arguments of a model's forward pass, which its class or a base class defines."""
    module = _table("auto_mappings.py", _MODULES).get(model_type, model_type).replace("-", "_")
    files = (f"models/{module}/modeling_{module}.py", "modeling_layers.py")
    classes = {node.name: node for file in files for node in _parsed(file) if isinstance(node, ast.ClassDef)}
    waiting = [model]
    while waiting:
        definition = classes.get(waiting.pop(0))
        if definition is None:
            continue
        for node in definition.body:
            if isinstance(node, ast.FunctionDef) and node.name == "forward":
                return tuple(argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))[1:]
        waiting += [base.id for base in definition.bases if isinstance(base, ast.Name)]
    return None


def _parsed(file: str) -> list[ast.stmt]:
    """Return the statements of one of transformers' files; none if it cannot be read."""
    spec = util.find_spec("transformers")  # this does not import it
    if spec is None or not spec.submodule_search_locations:
        return []
    try:
        return ast.parse((Path(spec.submodule_search_locations[0]) / file).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError):
        return []

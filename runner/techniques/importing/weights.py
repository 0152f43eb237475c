"""Whether the tensors of a model's files are those that its config.json describes; named where they are not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from runner.errors import UserError
from runner.techniques.importing.heads import TRAIN_A_HEAD

_NAMED = 3  # tensors in a message
_LAYER = re.compile(r".*?\.\d+\.")  # what the name of a tensor of a numbered layer begins with
_BUFFERS = ("position_ids", "token_type_ids", "inv_freq", ".attn.bias", "masked_bias")  # made from config.json today
_FROM = {"_orig_mod.": "torch.compile", "module.": "DataParallel"}  # what put its own prefix before names


def check_tensors(report: Mapping[str, Any], own: Iterable[str], head: str, encoder: str) -> None:
    """Check what loading found: no tensor is missing, of another size or left over, except for a head made anew.

    Args:
        report: of `from_pretrained`: missing_keys, unexpected_keys, and mismatched_keys with both sizes.
        own: the names of the model's tensors.
        head: load, new, or how vectors are pooled.
        encoder: what the names of the encoder's tensors begin with; "" for an encoder alone.

    Raises:
        UserError: naming the tensors, with their sizes in the file and by config.json.
    """
    missing, left = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    other_sizes = {name: (list(own), list(wanted)) for name, own, wanted in sorted(report["mismatched_keys"])}
    _check_prefix(missing, left)
    unfit = [name for name in (*other_sizes, *missing) if head == "load" or not _may_be_new(name, encoder)]
    of_head = [name for name in unfit if _may_be_new(name, encoder)]
    if unfit and of_head == unfit and not other_sizes:
        raise UserError(f"model: the files hold no classification head: {_several(of_head)} missing. {TRAIN_A_HEAD}")
    sized = [
        f"{name} is {own} in the file and {wanted} by config.json"
        for name, (own, wanted) in other_sizes.items()
        if name in unfit
    ]
    if sized:
        raise UserError(
            f"model: the weights do not fit config.json: {len(unfit)} tensors are missing or of another size: "
            f"{_shown(sized, '; ')}. Take files that belong together; of a model whose heads or layers were cut down, "
            "take the one from before, and cut it with a technique of Pinbox's."
        )
    if unfit:
        raise UserError(
            f"model: the weights do not fit config.json: {len(unfit)} tensors are missing or of another size, such as "
            f"{_shown(unfit)}, which the file lacks. Take files that belong together."
        )
    _check_left_over(left, own)


def _check_prefix(missing: Sequence[str], left: Collection[str]) -> None:
    """Check that the names in the file have nothing put before them."""
    prefixes = {name.removesuffix(missing[0]) for name in left if name.endswith(missing[0])} if missing else set()
    for prefix in sorted(prefixes):
        if all(prefix + name in left for name in missing):
            by = f", as {_FROM[prefix]} puts there" if prefix in _FROM else ""
            raise UserError(
                f"model: the names of its tensors begin with '{prefix}'{by} (such as {prefix}{missing[0]}), and "
                "transformers looks for them without. Save the model inside it: its save_pretrained writes plain names."
            )


def _check_left_over(left: Sequence[str], own: Iterable[str]) -> None:
    """Check that no part of a layer is left out, nor a layer that config.json does not count."""
    layers = {_layer(name) for name in own} - {None}
    parts = [name for name in left if _layer(name) in layers and not name.endswith(_BUFFERS)]
    if parts:
        raise UserError(
            f"model: the file holds tensors of layers for which config.json has no place ({len(parts)}), such as "
            f"{_shown(parts)}. Correct its number of layers, merge an adapter (LoRA) into its weights, or take files "
            "that belong together."
        )


def _layer(name: str) -> str | None:
    """Return which list of layers a tensor is of; None if it is of none."""
    found = _LAYER.match(name)
    return re.sub(r"\d+", "*", found[0]) if found else None


def _may_be_new(name: str, encoder: str) -> bool:
    """Whether a tensor is of a head, or of the pooler that only a head reads."""
    return not name.startswith(encoder) or name.startswith(f"{encoder}pooler.")


def _several(names: Sequence[str]) -> str:
    return f"{_shown(names)} {'is' if len(names) == 1 else 'are'}"


def _shown(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return between.join(names[:_NAMED]) + more

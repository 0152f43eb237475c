"""Check that the tensors in a model's files are those that its config.json describes, and that they are finite."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from runner.errors import UserError
from runner.techniques.importing.heads import TRAIN_A_HEAD

_NAMED = 3  # the number of tensors in a message
_LAYER = re.compile(r".*?\.\d+\.")  # the start of the name of a tensor in a numbered layer
_BUFFERS = ("position_ids", "token_type_ids", "inv_freq", ".attn.bias", "masked_bias")  # now made from config.json
_FROM = {"_orig_mod.": "torch.compile", "module.": "DataParallel"}  # the tool that puts each prefix before names


def check_tensors(report: Mapping[str, Any], expected: Iterable[str], head: str, encoder: str) -> None:
    """Check that no tensor is missing, of another size or left over, except for those of a new head.

    Args:
        report: the report of `from_pretrained`: missing_keys, unexpected_keys, and mismatched_keys with both sizes.
        expected: the names of the model's tensors.
        head: load, new, or how vectors are pooled.
        encoder: the prefix of the names of the encoder's tensors; "" for an encoder alone.

    Raises:
        UserError: if a tensor does not fit. The message names such tensors and their sizes in the file and by
            config.json.
    """
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    other_sizes = {name: (list(size), list(wanted)) for name, size, wanted in sorted(report["mismatched_keys"])}
    _check_prefix(missing, unexpected)
    unfit = [name for name in (*other_sizes, *missing) if head == "load" or not _may_be_new(name, encoder)]
    of_head = [name for name in unfit if _may_be_new(name, encoder)]
    if unfit and of_head == unfit and not other_sizes:
        raise UserError(f"model: the files hold no classification head: {_several(of_head)} missing. {TRAIN_A_HEAD}")
    sized = [
        f"{name} is {size} in the file and {wanted} by config.json"
        for name, (size, wanted) in other_sizes.items()
        if name in unfit
    ]
    if sized:
        raise UserError(
            f"model: the weights do not fit config.json: {len(unfit)} tensors are missing or of another size: "
            f"{_shown(sized, '; ')}. Take files that belong together. If the model was pruned, take the model from "
            "before, and prune it with one of Pinbox's techniques."
        )
    if unfit:
        raise UserError(
            f"model: the weights do not fit config.json: {len(unfit)} tensors are missing or of another size, such as "
            f"{_shown(unfit)}, which the file lacks. Take files that belong together."
        )
    _check_unexpected(unexpected, expected)


def check_finite(tensors: Iterable[tuple[str, Any]], where: str) -> None:
    """Check that every value of a model's tensors is a finite number.

    Args:
        tensors: the tensors of torch with their names.
        where: the model's name in errors.

    Raises:
        UserError: if a value is NaN or infinite. The message names such tensors.
    """
    names = sorted(name for name, tensor in tensors if not tensor.isfinite().all())
    if names:
        raise UserError(
            f"{where}: {_shown(names)} {'holds' if len(names) == 1 else 'hold'} values that are not finite (NaN or "
            "infinite), so its predictions would not be numbers. The training may have diverged, or the file is "
            "damaged. Take another copy of the model, or an earlier one of its training."
        )


def _check_prefix(missing: Sequence[str], unexpected: Collection[str]) -> None:
    """Check that the names in the file have no prefix."""
    prefixes = {name.removesuffix(missing[0]) for name in unexpected if name.endswith(missing[0])} if missing else set()
    for prefix in sorted(prefixes):
        if all(prefix + name in unexpected for name in missing):
            by = f", which {_FROM[prefix]} puts there" if prefix in _FROM else ""
            raise UserError(
                f"model: the names of its tensors begin with '{prefix}'{by} (such as {prefix}{missing[0]}), but "
                "transformers looks for names without it. Save the inner model: its save_pretrained writes plain names."
            )


def _check_unexpected(unexpected: Sequence[str], expected: Iterable[str]) -> None:
    """Check that the file has no part of a layer, and no layer, for which config.json has no place."""
    layers = {_layer(name) for name in expected} - {None}
    parts = [name for name in unexpected if _layer(name) in layers and not name.endswith(_BUFFERS)]
    if parts:
        raise UserError(
            f"model: the file holds tensors of layers for which config.json has no place ({len(parts)}), such as "
            f"{_shown(parts)}. Correct its number of layers, merge an adapter (LoRA) into its weights, or take files "
            "that belong together."
        )


def _layer(name: str) -> str | None:
    """Return the list of layers to which a tensor belongs; None if it belongs to no layer."""
    match = _LAYER.match(name)
    return re.sub(r"\d+", "*", match[0]) if match else None


def _may_be_new(name: str, encoder: str) -> bool:
    """Return whether a tensor belongs to a head, or to the pooler that only a head reads."""
    return not name.startswith(encoder) or name.startswith(f"{encoder}pooler.")


def _several(names: Sequence[str]) -> str:
    return f"{_shown(names)} {'is' if len(names) == 1 else 'are'}"


def _shown(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return between.join(names[:_NAMED]) + more

"""Load a checkpoint's tokenizer.json, which names the side on which texts are cut.

All code that tokenizes for a model loads the tokenizer with this module, so all of it sees the same tokens. An exported
script does the same on its own (runner/export/templates/predict.py).

Texts are always padded on the right, even if the model's own tokenizer pads on the left. With the attention mask, a
text then has the same positions as it has alone, also for a decoder that reads its last token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TOKENIZER = "tokenizer.json"
_NEVER = 2**31 - 1  # more tokens than any text has, because the format cannot name the side without a length


def load_tokenizer(folder: Path, max_length: int | None = None) -> Any:
    """Return the `tokenizers.Tokenizer` of a checkpoint, which does not pad.

    Args:
        folder: the checkpoint, which holds tokenizer.json.
        max_length: the number of tokens to which a text is cut, special tokens included; None to not cut texts. The
            longer text of a pair is cut first.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    cut_at(tokenizer, max_length)
    return tokenizer


def cut_at(tokenizer: Any, max_length: int | None) -> None:
    """Set a `tokenizers.Tokenizer` to cut texts to a length, on the side that it names, and not to pad them.

    Args:
        tokenizer: the tokenizer, which is changed.
        max_length: the number of tokens; see `load_tokenizer`.
    """
    side = truncation_side(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_length is not None or side != "right":
        tokenizer.enable_truncation(_NEVER if max_length is None else max_length, direction=side)


def save_tokenizer(tokenizer: Any, side: str, folder: Path) -> None:
    """Write tokenizer.json without padding and without a length, but with the side on which texts are cut.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, which is changed.
        side: "right" or "left".
        folder: the checkpoint.
    """
    tokenizer.enable_truncation(_NEVER, direction=side)
    cut_at(tokenizer, None)
    tokenizer.save(str(folder / TOKENIZER))


def truncation_side(tokenizer: Any) -> str:
    """Return the side on which a `tokenizers.Tokenizer` cuts texts; "right" if it names none."""
    return str((tokenizer.truncation or {"direction": "right"})["direction"])

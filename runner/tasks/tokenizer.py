"""Load a checkpoint's tokenizer.json, which says by itself on which side texts are cut.

Everything that tokenizes for a model loads its tokenizer here, so all of it sees the same tokens. A script that is
handed over does the same by itself (runner/export/templates/predict.py).

Texts are always padded on the right, whatever side the model's own tokenizer pads: with the attention mask a text then
has the positions that it has when it is alone, and so has a decoder that reads its last token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TOKENIZER = "tokenizer.json"
_NEVER = 2**31 - 1  # tokens; a length that no text has, since the format keeps no side without one


def load_tokenizer(folder: Path, max_length: int | None = None) -> Any:
    """Return the `tokenizers.Tokenizer` of a checkpoint, which does not pad.

    Args:
        folder: the checkpoint, which holds tokenizer.json.
        max_length: the tokens that a text is cut to, special tokens included; of a pair, the longer text is cut first.
            None: texts are not cut.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    cut_at(tokenizer, max_length)
    return tokenizer


def cut_at(tokenizer: Any, max_length: int | None) -> None:
    """Let a `tokenizers.Tokenizer` cut texts to a length, on the side that it names, and not pad them.

    Args:
        tokenizer: which is changed.
        max_length: see `load_tokenizer`; None: texts are not cut.
    """
    side = truncation_side(tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_length is not None or side != "right":
        tokenizer.enable_truncation(_NEVER if max_length is None else max_length, direction=side)


def save_tokenizer(tokenizer: Any, side: str, folder: Path) -> None:
    """Write tokenizer.json, without padding or a length to cut texts to, but with the side that they are cut on.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, which is changed.
        side: "right" or "left".
        folder: the checkpoint.
    """
    tokenizer.enable_truncation(_NEVER, direction=side)
    cut_at(tokenizer, None)
    tokenizer.save(str(folder / TOKENIZER))


def truncation_side(tokenizer: Any) -> str:
    """Return the side that a `tokenizers.Tokenizer` cuts texts on, "right" if it names none."""
    return str((tokenizer.truncation or {"direction": "right"})["direction"])

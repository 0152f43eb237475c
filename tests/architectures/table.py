"""The core techniques, the check of each, and the table of architectures × techniques in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from runner.errors import UserError
from tests.architectures.builder import TinyBuilder
from tests.architectures.checks import Check, evaluate, learnt, masked, multiplied, near, same, skipped
from tests.architectures.models import TINY

TECHNIQUES: dict[str, Check] = {
    "torch-eager": same,
    "torchscript": same,
    "torch-compile": same,
    "aot-inductor": same,
    "torch-bf16": near,
    "torch-int8": near,
    "onnx": same,
    "onnx-fused": same,
    "onnx-first-token": same,
    "onnx-int8": near,
    "onnx-int8-per-channel": near,
    "onnx-static-int8": near,
    "onnx-qat-int8": near,
    "onnx-weights-8bit": near,
    "onnx-weights-4bit": near,
    "openvino": same,
    "openvino-int8": near,
    "heads-50": masked,
    "heads-50-importance": masked,
    "ffn-50": masked,
    "ffn-50-importance": masked,
    "layers-half": skipped,
    "svd-192": multiplied,
    "vocab-trimmed": same,
    "magnitude-70": learnt,
    "movement-70": learnt,
    "ffn-50-movement": learnt,
    "heads-50-ffn-50-movement": learnt,
    "distil-half": learnt,
    "static-embedding": learnt,
}
WORKS = "works"
_HEAD = """# Encoders

This page shows which techniques work on which architecture. `python -m tests.architectures` writes it from real runs. A
tiny model of each architecture, with random weights and a tokenizer of its kind, is saved by `save_pretrained` of
transformers, imported and fine-tuned. Each technique transforms it, and its engine predicts, in batches with and
without padding.

**✓** means that the result is correct. Its logits are the original's, or those of the original with the removed parts
masked. If numbers are rounded, at least nine in ten labels stay the same. If the technique trains the model, it has
learnt the task. The engine computes in the precision that the technique declares, as far as the engine reports it. A
number refers to the reason below why the combination is refused. It is refused when the job is composed, before
anything runs. **–** means that it was not run yet.

"""
_INPUTS = """
## What is the same for all

A model is called with `input_ids` and `attention_mask` by name. It also gets `token_type_ids` if its tokenizer gives
types other than 0, as BERT's does for pairs. Tokens are those of transformers: `AutoTokenizer` is made from the model's
folder when it is imported, with all settings of `tokenizer_config.json` (casing, accents, added tokens, the side on
which texts are cut), and the saved tokenizer is compared with it on the task's texts. Shorter texts in a batch are
padded with the model's own `pad_token_id`, or its tokenizer's. They are always padded on the right, whatever
`padding_side` says: with the attention mask, a text then has the same positions and the same prediction as alone.
`workload.max_length` may be as large as the number of the model's positions. RoBERTa, Data2Vec, XLM-R, MPNet and
Longformer number their positions from the padding id on, so 512 of 514 positions are for tokens. Tokenizers are
WordPiece, byte-level BPE or Unigram, read from `tokenizer.json`.

## What to know

- **ALBERT** repeats one layer. Heads, neurons and factors are therefore removed from all layers at once. Half the
  layers make it twice as fast but not smaller. ONNX, too, stores its weights once.
- **DeBERTa-v3** (its `model_type` is deberta-v2) also multiplies by the vectors of relative positions. These products
  are not counted as FLOPs, so its rows have no fraction of the peak.
- **DeBERTa-v3** (microsoft/deberta-v3-small, microsoft/mdeberta-v3-base) and others come with only `spm.model`. To
  read it, transformers needs the package sentencepiece, which is not part of the environment. Make a `tokenizer.json`
  once in another environment, as the error message says.
- **DistilBERT** already has only six layers; `layers-half` leaves three.
- **ELECTRA** and **ALBERT** have embeddings that are narrower than their hidden states, so `vocab-trimmed` saves less.
- **ModernBERT** has one matrix for queries, keys and values, and gated neurons. Both are cut part by part. Its first
  layer lacks a normalization and always stays. Most layers attend only to near tokens. On a CPU, that costs as much as
  attending to all tokens, so it saves nothing here.
- **BigBird** attends to all tokens, as it does in transformers after its first short text. So texts are limited to the
  length at which it does so, which is 704 tokens with its default settings.
- **GPT-2**, **Llama** and **Qwen** classify a text by its last token that is not padding. They need a `pad_token_id`
  in config.json or in the tokenizer. None of their parts can be removed, and their FLOPs are not counted.
- **Nyströmformer** is accepted if its `num_landmarks` equals its `segment_means_seq_len`, as in the published model:
  then it attends to all tokens. Its convolutions reach from a text into its padding, so its predictions depend on the
  batch.
- **Longformer**, **MobileBERT**, **SqueezeBERT**, **Funnel** and **XLM** work with techniques that remove no parts.
- **MPNet** and **DeBERTa-v3** have no `sdpa` in transformers, so PyTorch runs their attention in eager mode.

## Refused altogether

These models are refused when a job is composed, because of their config.json or of the arguments that the model takes
in the source of transformers:

- **FNet** has no attention mask: the other texts in a batch would change its predictions.
- **T5**, **BART** and others have a decoder beside their encoder. **LayoutLM**, **LiLT**, **LUKE** and others take
  inputs that do not follow from a text, such as places on a page.
- **XLM** and **FlauBERT** models that need a text's language, **XLNet**, which expects padding before a text, **TAPAS**
  and **CANINE**.
- Models for which transformers has no classifier of texts, such as Whisper, and models that it does not know.

Other encoders of transformers work with techniques that remove no parts. To let techniques remove parts of one, add the
places of its layers, heads and neurons to `runner/models/architectures.py`.
"""


def outcome(builder: TinyBuilder, technique: str, original: Path) -> str:
    """Return WORKS, the reason why the technique is refused, or what is wrong, which begins with WRONG.

    Args:
        builder: the builder that runs the technique.
        technique: a key of TECHNIQUES.
        original: the checkpoint to which the technique is applied.
    """
    try:
        made = builder.make(technique, original)
        wrong = evaluate(builder, made, original, TECHNIQUES[technique])
    except UserError as error:
        return re.sub(rf"^{technique}: ", "", str(error))
    except RuntimeError as error:
        return f"WRONG: {error}"
    return WORKS if wrong is None else f"WRONG: {wrong}"


def reason(outcome: str, model_type: str) -> str:
    """Return why a technique is refused, in words that are the same for all architectures with the same reason."""
    return re.sub(rf"\bthe model_type is {model_type}\b", "the model_type is another one", outcome)


def markdown(outcomes: Mapping[tuple[str, str], str]) -> str:
    """Return the page.

    Args:
        outcomes: the outcomes of model_types and techniques, as far as they were run.
    """
    reasons: list[str] = []
    lines = []
    for technique in TECHNIQUES:
        cells = []
        for model_type in TINY:
            result = outcomes.get((model_type, technique))
            if result is None or result == WORKS:
                cells.append("–" if result is None else "✓")
                continue
            why_not = reason(result, model_type)
            if why_not not in reasons:
                reasons.append(why_not)
            cells.append(f"[{reasons.index(why_not) + 1}](#why-not)")
        lines.append(f"| `{technique}` | {' | '.join(cells)} |")
    titles = [tiny.title for tiny in TINY.values()]
    table = [f"| | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}", *lines]
    examples = ["| architecture | `model_type` | tokenizer | for example |", "|---|---|---|---|"]
    examples += [
        f"| {tiny.title} | {name} | {tiny.kind} | {', '.join(f'`{example}`' for example in tiny.examples)} |"
        for name, tiny in TINY.items()
    ]
    why = ["", "### Why not", "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1)), ""]
    return _HEAD + "\n".join([*table, *why, "## Examples", "", *examples, ""]) + _INPUTS

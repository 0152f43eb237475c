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

Which techniques work on which architecture. Written by `python -m tests.architectures`, from real runs: a tiny model of
each, with random weights and a tokenizer of its own kind, is saved as `save_pretrained` of transformers does, imported,
fine-tuned, taken through each technique and asked for predictions by the technique's engine, in batches with padding
and without.

**✓** means: the logits are the original's; or those of the original with the removed parts counting for nothing; or,
where numbers are rounded, at least nine in ten labels stay; or, where it is trained, it has learnt. And the engine
computes in the precision that the technique declares, as far as it tells. A number refers to the reason below why the
two are refused, when the job is composed and before anything runs. **–** means: not run yet.

"""
_INPUTS = """
## What is the same for all

A model is called with `input_ids` and `attention_mask` by name, and with `token_type_ids` where its tokenizer gives
others than 0, as BERT's does for pairs. Tokens are those of transformers: `AutoTokenizer` is made of the model's
folder when it is imported, with all that `tokenizer_config.json` says (casing, accents, added tokens, the side that
texts are cut on), and what is kept of it is compared with it on the task's texts. Shorter texts of a batch are padded
with the model's own `pad_token_id`, or its tokenizer's, and always on the right, whatever `padding_side` says: with
the attention mask a text then has the positions, and the prediction, that it has alone. `workload.max_length` may be
as large as the model has positions for: RoBERTa, Data2Vec, XLM-R, MPNet and Longformer number theirs from the padding
id on, so of 514 positions 512 are for tokens. Tokenizers are WordPiece, byte-level BPE or Unigram, read from
`tokenizer.json`.

## What to know

- **ALBERT** runs one layer again and again. Heads, neurons and factors are therefore removed from all layers at once,
  and half the layers make it twice as fast but no smaller. In ONNX its weights are kept once, too.
- **DeBERTa-v3** (its `model_type` is deberta-v2) also multiplies by the vectors of relative positions. These products
  are not counted as FLOPs, so its rows have no fraction of the peak.
- **DeBERTa-v3** (microsoft/deberta-v3-small, microsoft/mdeberta-v3-base) and others come with `spm.model` alone. To
  read it transformers needs the package sentencepiece, which is not part of the environment: make a `tokenizer.json`
  of it once, elsewhere, as the refusal says.
- **DistilBERT** has six layers already; `layers-half` leaves three.
- **ELECTRA** and **ALBERT** have embeddings narrower than their hidden states, so `vocab-trimmed` saves less.
- **ModernBERT**'s queries, keys and values are one matrix, and its neurons are gated: both are cut part by part. Its
  first layer lacks a normalization and always stays. Most layers attend only to near tokens; that costs as much as
  attending to all on a CPU, so it saves nothing here.
- **BigBird** attends to all tokens, as it does in transformers from its first short text on; so texts are limited to
  those that are short enough for that, of 704 tokens with its own settings.
- **GPT-2**, **Llama** and **Qwen** classify a text by its last token that is not padding. They need a `pad_token_id`,
  in config.json or of the tokenizer. Nothing is cut out of them, and their FLOPs are not counted.
- **Nyströmformer** is taken where its `num_landmarks` is its `segment_means_seq_len`, as in the published model: then
  it attends to all tokens. Its convolutions reach from a text into its padding, so what it says depends on the batch.
- **Longformer**, **MobileBERT**, **SqueezeBERT**, **Funnel** and **XLM** work as far as nothing is cut out of them.
- **MPNet** and **DeBERTa-v3** have no `sdpa` in transformers, so PyTorch runs their attention plain.

## Refused altogether

When a job is composed, from what config.json says and from the arguments that the model takes in transformers' source:

- **FNet** has no attention mask: other texts of a batch would change what it says.
- **T5**, **BART** and others with a decoder beside their encoder; **LayoutLM**, **LiLT**, **LUKE** and others that also
  take what a text does not tell, such as places on a page.
- **XLM** and **FlauBERT** models that are told a text's language; **XLNet**, which expects padding before a text;
  **TAPAS**; **CANINE**.
- What transformers has no classifier of texts of, such as Whisper, and what it does not know.

Another encoder of transformers works too as far as nothing is cut out of it. To have it cut, add where it keeps its
layers, heads and neurons to `runner/models/architectures.py`.
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
            if result is not None and result != WORKS and result not in reasons:
                reasons.append(result)
            cells.append({None: "–", WORKS: "✓"}.get(result) or f"[{reasons.index(str(result)) + 1}](#why-not)")
        lines.append(f"| `{technique}` | {' | '.join(cells)} |")
    titles = [tiny.title for tiny in TINY.values()]
    table = [f"| | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}", *lines]
    examples = ["| architecture | `model_type` | tokenizer | for example |", "|---|---|---|---|"]
    examples += [
        f"| {tiny.title} | {name} | {tiny.kind} | {', '.join(f'`{one}`' for one in tiny.examples)} |"
        for name, tiny in TINY.items()
    ]
    why = ["", "### Why not", "", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1)), ""]
    return _HEAD + "\n".join([*table, *why, "## Examples", "", *examples, ""]) + _INPUTS

"""Make a tiny model of each architecture, with random weights and a tokenizer of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as kinds

LABELS = ["negative", "neutral", "positive"]
LAYERS, HEADS, HIDDEN, NEURONS, TOKENS = 2, 4, 32, 64, 128
_SIZES = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": NEURONS,
}
_DISTILBERT_SIZES = {"dim": HIDDEN, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": NEURONS}
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_DECODER = ("<|endoftext|>", "<|pad|>")
_DECODER_IDS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
_GROUPED = _SIZES | {"num_key_value_heads": HEADS // 2}
_OTHER_WORDS = [f"{first}{last}" for first in ("sun", "moon", "rain", "wind") for last in ("day", "light", "y", "s")]


@dataclass(frozen=True)
class Tiny:
    """An architecture, as a tiny model of it is made.

    Attributes:
        title: its common name.
        examples: models of it on the hub.
        kind: the kind of its tokenizers.
        special: the tokenizer's special tokens in the order of their ids.
        ends: the tokens that begin and end a text. A decoder may have none.
        config: the fields of its config that differ from others. Sizes are the same for all.
        sizes: the fields that hold the sizes.
        last: whether the special tokens have the last ids instead of the first.
    """

    title: str
    examples: tuple[str, ...]
    kind: str
    special: tuple[str, ...]
    ends: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, Any] = field(default_factory=lambda: _SIZES)
    last: bool = False


TINY = {  # by model_type
    "bert": Tiny(
        "BERT",
        ("google-bert/bert-base-uncased", "sentence-transformers/all-MiniLM-L6-v2"),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
    ),
    "roberta": Tiny(
        "RoBERTa",
        ("FacebookAI/roberta-base", "distilbert/distilroberta-base"),
        "BPE",
        _ROBERTA,
        ("<s>", "</s>"),
        {"max_position_embeddings": TOKENS + 2, "type_vocab_size": 1},
    ),
    "distilbert": Tiny(
        "DistilBERT",
        ("distilbert/distilbert-base-uncased",),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
        sizes=_DISTILBERT_SIZES,
    ),
    "albert": Tiny(
        "ALBERT",
        ("albert/albert-base-v2",),
        "Unigram",
        ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"),
        ("[CLS]", "[SEP]"),
        {"embedding_size": HIDDEN // 2},
    ),
    "electra": Tiny(
        "ELECTRA",
        ("google/electra-small-discriminator",),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
        {"embedding_size": HIDDEN // 2},
    ),
    "deberta-v2": Tiny(
        "DeBERTa-v3",
        ("microsoft/deberta-v3-small", "microsoft/mdeberta-v3-base"),
        "Unigram",
        ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"),
        ("[CLS]", "[SEP]"),
        {
            "relative_attention": True,
            "position_buckets": 4,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "xlm-roberta": Tiny(
        "XLM-R",
        ("FacebookAI/xlm-roberta-base", "intfloat/multilingual-e5-small"),
        "Unigram",
        _ROBERTA,
        ("<s>", "</s>"),
        {"max_position_embeddings": TOKENS + 2, "type_vocab_size": 1},
    ),
    "mpnet": Tiny(
        "MPNet",
        ("microsoft/mpnet-base", "sentence-transformers/all-mpnet-base-v2"),
        "WordPiece",
        ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"),
        ("<s>", "</s>"),
        {"max_position_embeddings": TOKENS + 2},
    ),
    "modernbert": Tiny(
        "ModernBERT",
        ("answerdotai/ModernBERT-base",),
        "BPE",
        ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"),
        ("[CLS]", "[SEP]"),
        {"local_attention": 8},
        last=True,
    ),
    "big_bird": Tiny(
        "BigBird",
        ("google/bigbird-roberta-base",),
        "Unigram",
        ("<pad>", "</s>", "<s>", "[UNK]", "[MASK]", "[CLS]", "[SEP]"),
        ("[CLS]", "[SEP]"),
        {"attention_type": "block_sparse", "block_size": 16, "num_random_blocks": 2},
    ),
    "data2vec-text": Tiny(
        "Data2Vec",
        ("facebook/data2vec-text-base",),
        "BPE",
        _ROBERTA,
        ("<s>", "</s>"),
        {"max_position_embeddings": TOKENS + 2, "type_vocab_size": 1},
    ),
    "xlm-roberta-xl": Tiny(
        "XLM-R-XL",
        ("facebook/xlm-roberta-xl",),
        "Unigram",
        _ROBERTA,
        ("<s>", "</s>"),
        {"max_position_embeddings": TOKENS + 2, "type_vocab_size": 1},
    ),
    "roformer": Tiny(
        "RoFormer",
        ("junnyu/roformer_chinese_base",),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
        {"embedding_size": HIDDEN // 2},
    ),
    "nystromformer": Tiny(
        "Nyströmformer",
        ("uw-madison/nystromformer-512",),
        "Unigram",
        ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"),
        ("[CLS]", "[SEP]"),
        {"num_landmarks": 8, "segment_means_seq_len": 8, "conv_kernel_size": 5},
    ),
    "mobilebert": Tiny(
        "MobileBERT",
        ("google/mobilebert-uncased",),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
        {"embedding_size": HIDDEN // 2, "intra_bottleneck_size": HIDDEN // 2, "num_feedforward_networks": 2},
    ),
    "squeezebert": Tiny(
        "SqueezeBERT",
        ("squeezebert/squeezebert-uncased",),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
        {"embedding_size": HIDDEN},
    ),
    "longformer": Tiny(
        "Longformer",
        ("allenai/longformer-base-4096",),
        "BPE",
        _ROBERTA,
        ("<s>", "</s>"),
        {"max_position_embeddings": TOKENS + 2, "type_vocab_size": 1, "attention_window": 8},
    ),
    "funnel": Tiny(
        "Funnel",
        ("funnel-transformer/small-base",),
        "WordPiece",
        _BERT,
        ("[CLS]", "[SEP]"),
        {"pad_token_id": 0, "initializer_std": 0.1},
        {"d_model": HIDDEN, "n_head": HEADS, "d_head": HIDDEN // HEADS, "d_inner": NEURONS, "block_sizes": [1, 1]},
    ),
    "xlm": Tiny(
        "XLM",
        ("FacebookAI/xlm-mlm-en-2048",),
        "BPE",
        ("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
        ("</s>", "</s>"),
        {"n_langs": 1, "use_lang_emb": False, "embed_init_std": 0.1, "init_std": 0.1},
        {"emb_dim": HIDDEN, "n_layers": LAYERS, "n_heads": HEADS},
    ),
    "gpt2": Tiny(
        "GPT-2",
        ("openai-community/gpt2",),
        "BPE",
        _DECODER,
        (),
        _DECODER_IDS,
        {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS},
    ),
    "llama": Tiny("Llama", ("meta-llama/Llama-3.2-1B",), "BPE", _DECODER, ("<|endoftext|>",), _DECODER_IDS, _GROUPED),
    "qwen2": Tiny("Qwen2", ("Qwen/Qwen2.5-0.5B",), "BPE", _DECODER, (), _DECODER_IDS, _GROUPED),
    "qwen3": Tiny(
        "Qwen3", ("Qwen/Qwen3-0.6B",), "BPE", _DECODER, (), _DECODER_IDS, _GROUPED | {"head_dim": HIDDEN // HEADS}
    ),
}


def save_tiny(folder: Path, model_type: str, texts: Sequence[str], seed: int = 0) -> Path:
    """Write config.json, model.safetensors, tokenizer.json and tokenizer_config.json of a classifier into `folder`.

    Args:
        folder: the folder to make, which is returned.
        model_type: a key of `TINY`.
        texts: the texts from which the tokenizer is made.
        seed: the seed of the weights.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    tiny = TINY[model_type]
    tokenizer = _KINDS[tiny.kind]([*texts, *_OTHER_WORDS], tiny)
    roles = {f"{role}_token": token for role, token in zip(("cls", "sep"), tiny.ends, strict=False)}
    for role in ("pad", "unk", "mask"):
        roles |= {f"{role}_token": token for token in tiny.special if role in token.lower()}
    ids = {role.removesuffix("_token"): tokenizer.token_to_id(token) for role, token in roles.items()}
    known = AutoConfig.for_model(model_type).to_dict()
    role_of = {"bos": "cls", "eos": "sep", "cls": "cls", "sep": "sep", "pad": "pad"}
    special = {
        f"{name}_token_id": ids[role]
        for name, role in role_of.items()
        if known.get(f"{name}_token_id") is not None and role in ids
    }
    config = AutoConfig.for_model(
        model_type,
        vocab_size=tokenizer.get_vocab_size(),
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        initializer_range=0.1,  # far enough from 0 for attention to matter
        **({"max_position_embeddings": TOKENS} | tiny.sizes | special | tiny.config),
    )
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)  # so that a lost bias would be noticed
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles).save_pretrained(folder)
    return folder


def _word_piece(texts: Sequence[str], tiny: Tiny) -> Tokenizer:
    """Return a tokenizer of words and characters, because the trainer breaks ties at random."""
    words = [word for word, _ in _counted(texts).most_common()]
    characters = sorted({character for word in words for character in word})
    pieces = [*tiny.special, *words, *characters, *(f"##{character}" for character in characters)]
    unknown = _unknown(tiny)
    tokenizer = Tokenizer(kinds.WordPiece({piece: id for id, piece in enumerate(pieces)}, unk_token=unknown))
    tokenizer.add_special_tokens(list(tiny.special))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _between(tokenizer, tiny)


def _bpe(texts: Sequence[str], tiny: Tiny) -> Tokenizer:
    tokenizer = Tokenizer(kinds.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[] if tiny.last else list(tiny.special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(list(tiny.special))
    return _between(tokenizer, tiny)


def _unigram(texts: Sequence[str], tiny: Tiny) -> Tokenizer:
    """Return a tokenizer of words and characters by their frequency, because the trainer would find only characters."""
    words = Counter({f"▁{word}": count for word, count in _counted(texts).items()})
    characters = Counter(character for word in words.elements() for character in word)
    total = words.total() + characters.total()
    pieces = [(piece, log(count / total)) for piece, count in (*words.most_common(), *characters.most_common())]
    vocabulary = [*((token, 0.0) for token in tiny.special), *pieces]
    tokenizer = Tokenizer(kinds.Unigram(vocabulary, unk_id=tiny.special.index(_unknown(tiny))))
    tokenizer.add_special_tokens(list(tiny.special))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return _between(tokenizer, tiny)


def _counted(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in text.split())


def _unknown(tiny: Tiny) -> str:
    return next(token for token in tiny.special if "unk" in token.lower())


def _between(tokenizer: Tokenizer, tiny: Tiny) -> Tokenizer:
    """Let every text begin and end with its special tokens."""
    if not tiny.ends:
        return tokenizer
    begin, end = tiny.ends[0], "".join(tiny.ends[1:])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}".strip(),
        pair=f"{begin} $A {end} $B:1 {end}:1" if end else f"{begin} $A $B:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in tiny.ends],
    )
    return tokenizer


_KINDS: dict[str, Callable[[Sequence[str], Tiny], Tokenizer]] = {
    "WordPiece": _word_piece,
    "BPE": _bpe,
    "Unigram": _unigram,
}

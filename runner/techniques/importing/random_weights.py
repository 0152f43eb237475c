"""Make a model of a given shape with random weights, to measure the size, memory and speed of a trained one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.config.task_kinds import KINDS, RERANK, TOKENS, VECTORS
from runner.errors import UserError, did_you_mean
from runner.models.architectures import ARCHITECTURES
from runner.tasks.texts import DOCUMENTS, SPLITS, read_kind, read_labels, read_split
from runner.techniques.shape import Shape, shape_of_config
from runner.techniques.step import Step, StepInputs, step
from runner.techniques.training.pairs import note_token_types

# The special tokens in the order of their ids. The second list is for models that number positions from the padding id.
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_SPECIAL = {
    name: _ROBERTA if architecture.numbered_from_padding else _BERT for name, architecture in ARCHITECTURES.items()
}
_BERT_IDS = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
_ROBERTA_IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_BYTES = 256  # every byte is in the vocabulary, so that any text can be encoded


@step("random-weights")
@dataclass
class RandomWeights(Step):
    """Nothing → checkpoint.

    The tokenizer is a byte-level BPE trained on the task's texts. It gives more tokens per text than a trained model's
    tokenizer. For a task without labels the model has two outputs, or one if the task is of kind rerank. For a task of
    vectors it has no head and takes the mean of the tokens' vectors.

    Attributes:
        shape: the model_type (see runner/models/architectures.py) and fields of its config in transformers. Fields that
            are left out keep their defaults.
        seed: the seed of the weights.
    """

    takes = None
    gives = "checkpoint"
    kinds = KINDS
    reads_texts = True

    shape: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        model_type = self.shape.get("model_type")
        if model_type not in _SPECIAL:
            raise UserError(
                f"step 'random-weights': shape.model_type is {model_type!r}. {did_you_mean(str(model_type), _SPECIAL)}"
            )

    def infer_shape(self, shape: Shape) -> Shape:
        """Return the shape that the config asks for, and check that its sizes fit together."""
        made = shape_of_config(self.shape, "step 'random-weights': shape")
        least = _BYTES + len(_SPECIAL[self.shape["model_type"]])
        if made.vocabulary is not None and made.vocabulary < least:
            raise UserError(
                f"step 'random-weights': shape.vocab_size is {made.vocabulary}, but must be at least {least} to hold "
                "every byte and the special tokens."
            )
        return replace(made, tokenizer="BPE")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write config.json, model.safetensors and tokenizer.json.

        Raises:
            UserError: if the shape has a field that the model's config lacks.
        """
        import torch

        from runner.engines.checkpoint import Embedder, save_checkpoint, without_pooler
        from runner.engines.lean_transformers import transformers

        kind = read_kind(inputs.texts)
        labels = read_labels(inputs.texts) or ["LABEL_0", "LABEL_1"][: 1 if kind == RERANK else 2]
        config = _config(self.shape, labels)
        texts = (example.whole for split in (*SPLITS, DOCUMENTS) for example in read_split(inputs.texts, split))
        _train_tokenizer(texts, _SPECIAL[self.shape["model_type"]], config).save(str(target / "tokenizer.json"))
        torch.manual_seed(self.seed)
        if kind in VECTORS:
            config.vector_pooling = "mean"
            architecture = transformers.AutoModel._model_mapping[type(config)]
            encoder = architecture._from_config(config, dtype=torch.float32, **without_pooler(architecture))
            model: Any = Embedder(encoder)
        else:
            classifier = (
                transformers.AutoModelForTokenClassification
                if kind == TOKENS
                else transformers.AutoModelForSequenceClassification
            )
            model = classifier.from_config(config, dtype=torch.float32)
        note_token_types(model.config, target, inputs.texts)
        save_checkpoint(model, target, tokenizer_from=target)
        return {"parameters": sum(parameter.numel() for parameter in model.parameters()), "head": "random"}


def _config(shape: dict[str, Any], labels: list[str]) -> Any:
    from runner.engines.lean_transformers import transformers

    sizes = {key: value for key, value in shape.items() if key != "model_type"}
    default = transformers.AutoConfig.for_model(shape["model_type"])
    known = default.to_dict() | dict.fromkeys(default.attribute_map)
    for key in sizes:
        if key not in known:
            raise UserError(f"step 'random-weights': shape has no field '{key}'. {did_you_mean(key, known)}")
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)}}
    special = _SPECIAL[shape["model_type"]]
    ids = _BERT_IDS if special is _BERT else _ROBERTA_IDS
    ids = {key: value for key, value in ids.items() if known.get(key) is not None}
    return transformers.AutoConfig.for_model(shape["model_type"], **(sizes | names | ids))


def _train_tokenizer(texts: Iterable[str], special: tuple[str, ...], config: Any) -> Any:
    """Return a byte-level BPE tokenizer whose special tokens have the first ids, in the given order."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    unknown = special[1] if special is _BERT else special[3]
    begin, end = (special[2], special[3]) if special is _BERT else (special[0], special[2])
    tokenizer = Tokenizer(models.BPE(unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1" if special is _BERT else f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )
    return tokenizer

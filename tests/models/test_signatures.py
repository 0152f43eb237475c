"""The source of transformers shows its architectures and their inputs. Models that need others are refused."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature

import pytest

from runner.errors import UserError
from runner.models.signatures import BASE, OF_TEXTS, OF_TOKENS, _forward_arguments, check_architecture, check_inputs_of

CALLED_AS_ALL = ("albert", "big_bird", "data2vec-text", "funnel", "gpt2", "llama", "longformer", "qwen3", "xlm")


@pytest.mark.parametrize("model_type", CALLED_AS_ALL)
def test_a_classifier_that_texts_alone_are_enough_for_is_taken(model_type: str) -> None:
    check_architecture(model_type, OF_TEXTS, "config.json")


@pytest.mark.parametrize(
    ("model_type", "mapping", "message"),
    [
        ("fnet", OF_TEXTS, "FNetForSequenceClassification takes no attention_mask"),
        ("fnet", BASE, "FNetModel takes no attention_mask"),
        ("t5", OF_TEXTS, r"also takes the inputs of a decoder beside its encoder \(decoder_attention_mask"),
        ("layoutlm", OF_TEXTS, r"also takes inputs that do not follow from a text \(bbox\)"),
        ("whisper", OF_TEXTS, "has no classifier of texts of the architecture 'whisper'"),
        ("vit", OF_TOKENS, "has no classifier of tokens of the architecture 'vit'"),
        ("newbert", OF_TEXTS, r"^config.json: transformers 5\.[\d.]+ has no architecture 'newbert'"),
    ],
)
def test_others_are_refused_in_words(model_type: str, mapping: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_architecture(model_type, mapping, "config.json")


def test_a_model_of_other_things_than_token_ids_is_refused() -> None:
    with pytest.raises(UserError, match="Seer does not take input_ids"):
        check_inputs_of("Seer", ["pixel_values", "attention_mask"], "config.json")


@pytest.mark.parametrize(
    "model_type", ["gpt2", "llama"]
)  # one has its own forward pass, the other that of a base class
def test_the_source_says_what_the_class_takes(model_type: str) -> None:
    from transformers import GPT2ForSequenceClassification, LlamaForSequenceClassification

    cls = {"gpt2": GPT2ForSequenceClassification, "llama": LlamaForSequenceClassification}[model_type]
    names = [*signature(cls.forward).parameters][1:]
    assert _forward_arguments(model_type, cls.__name__) == tuple(name for name in names if name != "kwargs")


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from runner.models.signatures import OF_TEXTS, check_architecture; "
        "check_architecture('gpt2', OF_TEXTS, ''); sys.exit(bool({'torch', 'transformers'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

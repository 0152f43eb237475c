"""Raw files become a checkpoint with the same predictions, or are refused with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForSequenceClassification, BertConfig, BertForMaskedLM

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import SPLITS, Texts, read_split, write_texts
from tests.techniques.conftest import CHECKPOINT, apply_step

IDS = torch.randint(5, 300, (2, 9), generator=torch.Generator().manual_seed(0))


def _files(bert: Path, folder: Path, **changes: Any) -> Path:
    """Copy a classifier's files, with changes to its config."""
    shutil.copytree(bert, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def _encoder(bert: Path, folder: Path) -> Path:
    """Save the encoder alone, as the packages have it."""
    AutoModel.from_pretrained(bert).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bert / name, folder)
    return folder


def _named(bert: Path, folder: Path, *labels: str) -> Path:
    names = {str(index): label for index, label in enumerate(labels)}
    return _files(bert, folder, id2label=names, label2id={label: int(index) for index, label in names.items()})


def _logits(folder: Path) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = load_checkpoint(folder)(IDS).logits
    return logits


def test_a_classifier_keeps_its_head(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "i", checkpoint, texts, step="import-checkpoint")
    expected = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        assert torch.equal(_logits(folder), expected(IDS).logits)
    labels = ["negative", "neutral", "positive"]
    matched = {name: {"output": place, "name": name, "by": "name"} for place, name in enumerate(labels)}
    assert notes == {"head": "load", "labels": labels, "label_outputs": matched}
    assert {path.name for path in folder.iterdir()} == CHECKPOINT


def test_labels_in_another_order_are_matched_by_name(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _named(bert, tmp_path / "s", "Positive", "negative", "NEUTRAL")
    folder, _ = apply_step(tmp_path / "i", source, texts, step="import-checkpoint")
    assert torch.equal(_logits(folder), _logits(bert)[:, [1, 2, 0]])
    assert load_checkpoint(folder).config.id2label == {0: "negative", 1: "neutral", 2: "positive"}


def test_generic_label_names_are_taken_in_the_order_that_a_task_states(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _named(bert, tmp_path / "s", "LABEL_0", "LABEL_1", "LABEL_2")
    folder, notes = apply_step(tmp_path / "i", source, texts, step="import-checkpoint")
    assert torch.equal(_logits(folder), _logits(bert))
    assert notes["label_outputs"]["neutral"] == {"output": 1, "name": "LABEL_1", "by": "stated order"}
    shutil.copytree(texts, tmp_path / "t")
    (tmp_path / "t" / "stated.json").write_text("false")
    with pytest.raises(UserError, match=r"would be a guess"):
        apply_step(tmp_path / "j", source, tmp_path / "t", step="import-checkpoint")


def test_outputs_that_the_task_lacks_come_last(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _named(bert, tmp_path / "s", "neutral", "other", "positive")
    other = tmp_path / "t"
    shutil.copytree(texts, other)
    (other / "labels.json").write_text('["neutral", "positive"]')
    folder, notes = apply_step(tmp_path / "i", source, other, step="import-checkpoint")
    assert torch.equal(_logits(folder), _logits(bert)[:, [0, 2, 1]])
    assert notes["labels"] == ["neutral", "positive", "other"]


@pytest.mark.parametrize("labels", [("joy", "anger", "fear"), ("negative", "positive")])
def test_other_labels_are_refused(labels: tuple[str, ...], texts: Path, tmp_path: Path) -> None:
    other = tmp_path / "t"
    other.mkdir()
    write_texts(Texts(list(labels), *(read_split(texts, split) for split in SPLITS)), other)
    source, _ = apply_step(
        tmp_path / "s", None, other, step="random-weights", shape={"model_type": "bert", "num_hidden_layers": 1}
    )
    with pytest.raises(
        UserError, match=rf"the model's labels are {labels[0]}, .* but the task's are negative, neutral"
    ):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_a_task_without_labels_takes_any_head(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    folder, _ = apply_step(tmp_path / "i", bert, unlabelled, step="import-checkpoint")
    assert load_checkpoint(folder).config.num_labels == 3


def test_an_encoder_gets_a_new_head(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _encoder(bert, tmp_path / "s")
    made = [
        apply_step(tmp_path / str(number), source, texts, step="import-checkpoint", head="new", seed=seed)
        for number, seed in enumerate((1, 1, 2))
    ]
    assert made[0][1] == {"head": "new", "labels": ["negative", "neutral", "positive"]}
    contents = [folder_sha256(folder) for folder, _ in made]
    assert contents[0] == contents[1] != contents[2]
    encoder = load_checkpoint(made[0][0]).base_model.state_dict()
    assert all(
        torch.equal(value, encoder[name]) for name, value in AutoModel.from_pretrained(bert).state_dict().items()
    )


def test_a_head_of_the_same_size_is_drawn_anew(bert: Path, texts: Path, tmp_path: Path) -> None:
    folder, _ = apply_step(tmp_path / "i", bert, texts, step="import-checkpoint", head="new", seed=1)
    before, after = (load_checkpoint(path).state_dict() for path in (bert, folder))
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
    assert torch.equal(
        before["bert.embeddings.word_embeddings.weight"], after["bert.embeddings.word_embeddings.weight"]
    )


def test_a_language_model_gets_a_new_head(texts: Path, bert: Path, tmp_path: Path) -> None:
    """Models on the hub have a head for masked words and no pooler."""
    BertForMaskedLM(BertConfig.from_pretrained(bert)).save_pretrained(tmp_path / "s")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(bert / name, tmp_path / "s")
    folder, _ = apply_step(tmp_path / "i", tmp_path / "s", texts, step="import-checkpoint", head="new")
    assert load_checkpoint(folder).config.architectures == ["BertForSequenceClassification"]


def test_an_encoder_without_a_head_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"hold no classification head: .* Train one: model\.steps=.*head: new.*fine-tune"
    ):
        apply_step(tmp_path / "i", _encoder(bert, tmp_path / "s"), texts, step="import-checkpoint")


def test_a_new_head_needs_labels(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"head is new, but the task has no labels"):
        apply_step(tmp_path / "i", bert, unlabelled, step="import-checkpoint", head="new")


def test_padding_and_truncation_in_the_tokenizer_are_dropped(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(source / "tokenizer.json"))
    folder, _ = apply_step(tmp_path / "i", source, texts, step="import-checkpoint")
    assert (folder / "tokenizer.json").read_bytes() == (bert / "tokenizer.json").read_bytes()


def test_a_slow_tokenizer_is_converted(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    (source / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "lovely", "day"]
    (source / "vocab.txt").write_text("\n".join(words))
    (source / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    folder, _ = apply_step(tmp_path / "i", source, texts, step="import-checkpoint")
    encoding = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a Lovely day")
    assert encoding.tokens == ["[CLS]", "a", "lovely", "day", "[SEP]"]


def test_without_any_tokenizer_it_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    (source / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"no tokenizer\.json and no vocabulary\. Add the tokenizer's files"):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_weights_that_do_not_fit_are_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s", num_hidden_layers=3)
    with pytest.raises(
        UserError,
        match=r"do not fit config\.json: 16 tensors are missing or of another size, such as bert\.encoder\.layer\.2",
    ):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


@pytest.mark.parametrize("head", ["load", "new"])
def test_other_sizes_are_refused(head: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s", intermediate_size=48)
    with pytest.raises(
        UserError,
        match=r"6 tensors .* size: bert\.encoder\.layer\.0\.intermediate\.dense\.bias is \[64\] in the file and "
        r"\[48\] by config\.json; .* and 3 more\. Take files",
    ):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint", head=head)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "inner."])
def test_a_prefix_of_all_names_is_told(prefix: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    tensors = load_file(source / "model.safetensors")
    save_file(
        {prefix + name: tensor for name, tensor in tensors.items()}, source / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(UserError, match=rf"names of its tensors begin with '{prefix}'.* Save the inner model"):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_layers_that_config_json_does_not_count_are_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s", num_hidden_layers=1)
    with pytest.raises(UserError, match=r"holds tensors of layers .* \(16\), such as bert\.encoder\.layer\.1\."):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_an_adapter_inside_the_weights_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    tensors = load_file(source / "model.safetensors")
    tensors["bert.encoder.layer.0.attention.self.query.lora_A"] = torch.zeros(2, 32)
    tensors["bert.embeddings.position_ids"] = torch.arange(130)[None]  # it comes from an old version and does no harm
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"holds tensors of layers .*query\.lora_A\..*merge an adapter"):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(value: float, bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    tensors = load_file(source / "model.safetensors")
    tensors["classifier.weight"][1, 2] = value
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"^model: classifier\.weight holds values that are not finite \(NaN or inf"):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_broken_weights_are_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s")
    (source / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(UserError, match=r"model: cannot load the weights"):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_code_of_a_models_own_is_never_run(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s", auto_map={"AutoConfig": "evil.Config"})
    (source / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UserError, match=r"names the model's own code \(auto_map\), which Pinbox never runs"):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")
    assert not (tmp_path / "ran").exists()


def test_an_unknown_architecture_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    source = _files(bert, tmp_path / "s", model_type="no-such-model")
    with pytest.raises(UserError, match=r"transformers .* has no architecture .no-such-model."):
        apply_step(tmp_path / "i", source, texts, step="import-checkpoint")


def test_the_head_is_load_or_new(bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"head is 'nwe'\. Did you mean 'new'"):
        apply_step(tmp_path / "i", bert, texts, step="import-checkpoint", head="nwe")

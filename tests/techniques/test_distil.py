"""A student learns better with a teacher than without, and the losses are the documented ones."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import SPLITS, Texts, read_labels, read_split, write_texts
from runner.techniques.chain import make_step
from runner.techniques.training.batches import NO_LABEL, Batches
from runner.techniques.training.distil import Distil, Distillation, hard_loss, matching_layers, soft_loss
from runner.techniques.training.masking import Masking
from tests.techniques.conftest import apply_step

QUICK: dict[str, Any] = {"step": "distil", "epochs": 2, "learning_rate": 2e-3, "batch_size": 16, "dropout": 0.0}


@pytest.fixture(scope="module")
def teacher(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that has learnt the task."""
    settings = {"step": "fine-tune", "epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}
    return apply_step(tmp_path_factory.mktemp("teacher") / "t", bert, texts, **settings)[0]


def _divergence(student: Path, teacher: Path, texts: Path) -> float:
    """Return how far the student's predictions on the test texts are from the teacher's."""
    models = [load_checkpoint(folder) for folder in (student, teacher)]
    batch = next(Batches(teacher, read_split(texts, "test"), 64, models[0].config).in_order(60))
    del batch["labels"]
    with torch.inference_mode():
        return float(soft_loss(*(model(**batch).logits for model in models), temperature=1))


@pytest.fixture(scope="module")
def student(teacher: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of the teacher's two layers, without training."""
    return apply_step(tmp_path_factory.mktemp("student") / "s", teacher, texts, step="layer-pruning", keep=1)[0]


@pytest.mark.slow
def test_with_a_teacher_is_nearer_to_it_and_no_less_right_than_without(
    teacher: Path, student: Path, texts: Path, tmp_path: Path
) -> None:
    right: dict[str, list[float]] = {"with": [], "without": []}
    for seed in range(3):
        divergences = []
        for name, weights in {"with": {}, "without": {"soft_weight": 0, "hidden_weight": 0}}.items():
            folder, notes = apply_step(
                tmp_path / f"{name}{seed}", student, texts, teacher=teacher, **QUICK | weights, seed=seed
            )
            right[name].append(notes["validation_accuracy"])
            divergences.append(_divergence(folder, teacher, texts))
        assert divergences[0] < divergences[1]
    assert min(right["with"]) > 0.9
    assert sum(right["with"]) >= sum(right["without"])


@pytest.mark.slow
def test_texts_without_labels_teach_too(teacher: Path, student: Path, texts: Path, tmp_path: Path) -> None:
    more = tmp_path / "texts"
    more.mkdir()
    splits = [read_split(texts, split) for split in SPLITS]
    spare = [example._replace(label=None) for example in splits[0][40:]]
    write_texts(Texts(read_labels(texts), splits[0][:40], *splits[1:], spare), more)
    students = [
        apply_step(tmp_path / f"d{count}", student, more, teacher=teacher, **QUICK | {"epochs": 6}, unlabelled=count)[0]
        for count in (0, len(spare))
    ]
    assert _divergence(students[1], teacher, texts) < _divergence(students[0], teacher, texts)


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [32, 16])
def test_any_student_can_learn(teacher: Path, hidden: int, texts: Path, tmp_path: Path) -> None:
    shape = {"model_type": "bert", "vocab_size": 600, "hidden_size": hidden, "num_hidden_layers": 1}
    shape |= {
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 130,
        "initializer_range": 0.1,
    }
    raw = apply_step(tmp_path / "r", None, texts, step="random-weights", shape=shape)[0]
    folder, notes = apply_step(
        tmp_path / "d", raw, texts, teacher=teacher, **QUICK | {"epochs": 6, "learning_rate": 5e-3}, masked_weight=1
    )
    assert load_checkpoint(folder).config.hidden_size == hidden
    assert notes["epochs"][-1]["loss"] < notes["epochs"][0]["loss"]
    assert notes["validation_accuracy"] > 0.6


def test_the_teachers_embeddings_stay_as_they_are(teacher: Path, student: Path, texts: Path, tmp_path: Path) -> None:
    folder = apply_step(tmp_path / "d", student, texts, teacher=teacher, **QUICK)[0]
    before, after = (load_checkpoint(path).base_model for path in (teacher, folder))
    assert torch.equal(before.get_input_embeddings().weight, after.get_input_embeddings().weight)
    assert not torch.equal(before.encoder.layer[0].output.dense.weight, after.encoder.layer[0].output.dense.weight)


def _objective(teacher: Path, **weights: Any) -> Distillation:
    settings = Distil(**{"soft_weight": 0, "hard_weight": 0, "hidden_weight": 0} | weights)
    return Distillation(load_checkpoint(teacher), load_checkpoint(teacher), settings, teacher)


def test_a_student_like_its_teacher_has_nothing_to_learn(teacher: Path, texts: Path) -> None:
    model = load_checkpoint(teacher)
    batch = next(Batches(teacher, read_split(texts, "train"), 64, model.config).in_order(8))
    labels = batch.pop("labels")
    objective = _objective(teacher, soft_weight=5, hidden_weight=1)
    assert objective.loss(model, batch, labels).item() == pytest.approx(0, abs=1e-6)
    expected = torch.nn.functional.cross_entropy(model(**batch).logits, labels)
    torch.testing.assert_close(_objective(teacher, hard_weight=1).loss(model, batch, labels), expected)


def test_labels_count_where_there_are_any() -> None:
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    both = hard_loss(logits, torch.tensor([1, 0]))
    assert float(both) == pytest.approx(
        float(hard_loss(logits[:1], torch.tensor([1])) / 2 + hard_loss(logits[1:], torch.tensor([0])) / 2)
    )
    assert float(hard_loss(logits, torch.tensor([1, NO_LABEL]))) == pytest.approx(
        float(hard_loss(logits[:1], torch.tensor([1])) / 2)
    )
    assert float(hard_loss(logits, torch.tensor([NO_LABEL, NO_LABEL]))) == 0


def test_masking_hides_words_but_no_special_token_and_no_padding(teacher: Path, texts: Path) -> None:
    model = load_checkpoint(teacher)
    masking = Masking(teacher / "tokenizer.json", 32, seed=0)
    batches = list(Batches(teacher, read_split(texts, "train"), 64, model.config).in_order(32))
    chosen = words = 0
    for batch in batches:
        hidden, was = masking.mask(batch)
        hit = was != NO_LABEL
        assert torch.equal(torch.where(hit, was, hidden["input_ids"]), batch["input_ids"])
        ordinary = batch["attention_mask"].bool() & (batch["input_ids"] > 4)
        assert not (hit & ~ordinary).any()
        chosen, words = chosen + int(hit.sum()), words + int(ordinary.sum())
    assert chosen / words == pytest.approx(0.15, abs=0.03)


def test_the_soft_loss_is_the_divergence() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3.0), 0.0]])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert float(soft_loss(student, teacher, temperature=2)) == pytest.approx(4 * expected)


@pytest.mark.parametrize(
    ("student_layers", "teacher_layers", "expected"),
    [
        (3, 6, [(1, 2), (2, 4), (3, 6)]),
        (2, 2, [(1, 1), (2, 2)]),
        (1, 6, [(1, 6)]),
        (4, 6, [(1, 2), (2, 3), (3, 4), (4, 6)]),
        (4, 2, [(1, 1), (2, 1), (3, 2), (4, 2)]),
    ],
)
def test_layers_learn_from_layers_evenly_spaced(
    student_layers: int, teacher_layers: int, expected: list[tuple[int, int]]
) -> None:
    assert matching_layers(student_layers, teacher_layers) == expected


def test_all_layers_are_taught(teacher: Path, texts: Path) -> None:
    """A student that differs only in the first of two layers can learn only from that layer."""
    model: Any = load_checkpoint(teacher)
    batch = next(Batches(teacher, read_split(texts, "train"), 64, model.config).in_order(8))
    labels = batch.pop("labels")
    last, both = (_objective(teacher, hidden_weight=1, hidden_layers=layers) for layers in ("last", "all"))
    model.base_model.encoder.layer[0].output.dense.weight.data += 0.1
    with torch.no_grad():
        states = [
            network(**batch, output_hidden_states=True).hidden_states for network in (model, load_checkpoint(teacher))
        ]
        mask = batch["attention_mask"].bool()
        apart = [
            float(1 - torch.cosine_similarity(state[mask], target[mask], dim=-1).mean())
            for state, target in list(zip(*states, strict=True))[1:]
        ]
        assert float(last.loss(model, batch, labels)) == pytest.approx(apart[1], rel=1e-4)
        assert float(both.loss(model, batch, labels)) == pytest.approx(sum(apart) / 2, rel=1e-4)


def test_the_same_seed_gives_the_same_bytes(teacher: Path, student: Path, texts: Path, tmp_path: Path) -> None:
    settings = QUICK | {"epochs": 1, "dropout": 0.1, "masked_weight": 1}
    contents = [
        folder_sha256(apply_step(tmp_path / str(number), student, texts, teacher=teacher, **settings, seed=seed)[0])
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "temperature is 0.*, but must be above 0"),
        ({"soft_weight": -1}, "soft_weight is -1.*, but must be at least 0"),
        ({"soft_weight": 0, "hard_weight": 0, "hidden_weight": 0}, r"are all 0\. Set one of them"),
        ({"unlabelled": -1}, "unlabelled is -1, but must be at least 0"),
        ({"hidden_layers": "most"}, "step 'distil': hidden_layers is 'most'"),
        ({"epochs": 0}, "step 'distil': epochs is 0, but must be above 0"),
    ],
)
def test_bad_settings_are_refused_when_composed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step(QUICK | settings, "test")


def test_another_tokenizer_is_refused(teacher: Path, student: Path, texts: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(teacher, other)
    (other / "tokenizer.json").write_text((teacher / "tokenizer.json").read_text() + " ")
    with pytest.raises(UserError, match="student and teacher have different tokenizers"):
        apply_step(tmp_path / "d", student, texts, teacher=other, **QUICK)


def test_a_task_without_labels_is_refused(teacher: Path, student: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"step 'distil': the task has no labelled texts to train on"):
        apply_step(tmp_path / "d", student, unlabelled, teacher=teacher, **QUICK)

"""The graph of static embeddings equals the trained network, and learns the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import read_split
from runner.techniques.chain import make_step
from runner.techniques.training.batches import Batches
from runner.techniques.training.static_embedding import reduce, token_vectors
from tests.techniques.conftest import apply_step
from tests.techniques.onnx_models import alone_and_together, batch, difference, logits

QUICK: dict[str, Any] = {
    "step": "static-embedding",
    "epochs": 3,
    "learning_rate": 1e-2,
    "batch_size": 16,
    "dimensions": 8,
    "hidden": 16,
}


@pytest.fixture(scope="module")
def made(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Static embeddings of a BERT."""
    return apply_step(tmp_path_factory.mktemp("made") / "made", bert, texts, **QUICK)[0]


def test_it_learns_the_task_and_the_graph_is_what_learned_it(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    labels_alone = {"soft_weight": 0, "epochs": 8}  # this teacher is not trained
    folder, notes = apply_step(tmp_path / "made", checkpoint, texts, **QUICK | labels_alone)
    assert notes["largest_logit_difference"] < 1e-5
    assert notes["validation_accuracy"] > 0.9
    config = load_checkpoint(checkpoint).config
    test = next(Batches(checkpoint, read_split(texts, "test"), 64, config).in_order(60))
    predicted = logits(folder, test["input_ids"].numpy(), test["attention_mask"].numpy()).argmax(-1)
    assert (predicted == test["labels"].numpy()).mean() > 0.9


def test_the_order_of_words_and_the_rest_of_the_batch_do_not_matter(made: Path) -> None:
    ids, mask = batch(1, 20)
    np.testing.assert_allclose(logits(made, ids, mask), logits(made, ids[:, ::-1].copy(), mask), atol=1e-5)
    assert alone_and_together(made) < 1e-5
    assert np.isfinite(logits(made, ids, np.zeros_like(mask))).all()  # also for a text without tokens


def test_int8_is_near_and_smaller(made: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    int8, _ = apply_step(tmp_path / "int8", made, texts, bert, step="onnx-dynamic-int8")
    assert 0 < difference(made, int8) < 0.2
    sizes = [(folder / "model.onnx").stat().st_size for folder in (made, int8)]
    assert sizes[1] < 0.5 * sizes[0]


def test_after_vocabulary_trimming(bert: Path, texts: Path, tmp_path: Path) -> None:
    trimmed, notes = apply_step(tmp_path / "trimmed", bert, texts, step="vocabulary-trimming")
    folder, _ = apply_step(tmp_path / "made", trimmed, texts, **QUICK)
    tables = {tensor.name: tensor.dims for tensor in onnx.load(folder / "model.onnx").graph.initializer}
    assert list(tables["vectors.weight"]) == [notes["tokens"], QUICK["dimensions"]]


def test_a_vector_is_the_token_alone(checkpoint: Path) -> None:
    from tokenizers import Tokenizer

    teacher = load_checkpoint(checkpoint)
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    text = next(word for word in ("a", "e", "Ġa") if word in tokenizer.get_vocab())
    encoding = tokenizer.encode(text)
    assert len(encoding.ids) == 3
    with torch.inference_mode():
        states = teacher(torch.tensor([encoding.ids]), output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(token_vectors(teacher, checkpoint)[encoding.ids[1]], states[0, 1], atol=1e-5, rtol=0)


def test_all_components_keep_all_distances() -> None:
    vectors = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 7) + 3
    whole, part = reduce(vectors, 6), reduce(vectors, 2)
    distances, reduced = torch.pdist(vectors), torch.pdist(whole)
    torch.testing.assert_close(reduced / reduced.mean(), distances / distances.mean())
    assert float(part.norm(dim=1).mean()) == pytest.approx(2**0.5)
    ratio = part[:, 0] / whole[:, 0]
    torch.testing.assert_close(ratio, ratio[:1].expand(50))  # the first component is the same


def test_the_same_seed_gives_the_same_bytes(bert: Path, texts: Path, tmp_path: Path) -> None:
    contents = [
        folder_sha256(apply_step(tmp_path / str(number), bert, texts, **QUICK | {"epochs": 1}, seed=seed)[0])
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 0}, "dimensions is 0, but must be above 0"),
        ({"hidden": 0}, "hidden is 0, but must be above 0"),
        ({"soft_weight": 0, "hard_weight": 0}, r"are both 0\. Set one of them"),
    ],
)
def test_bad_settings_are_refused_when_composed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"step 'static-embedding': .*{message}"):
        make_step(QUICK | settings, "test")


def test_more_dimensions_than_the_teacher_has_are_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    from runner.techniques.shape import shape_of_checkpoint

    step = make_step(QUICK | {"dimensions": 33}, "test")
    with pytest.raises(UserError, match="dimensions is 33, but must be at most 32"):
        step.infer_shape(shape_of_checkpoint(bert))

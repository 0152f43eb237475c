"""A task that a tiny model can learn, and tiny models with random weights."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from runner.config.task_kinds import EMBEDDING
from runner.models.architectures import ARCHITECTURES
from runner.tasks.texts import Example, Texts, write_texts
from runner.techniques.chain import make_step
from runner.techniques.step import StepInputs, run_step

SHAPE = {
    "vocab_size": 600,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
    "initializer_range": 0.1,  # far enough from 0 to learn quickly, and for attention to matter
}


CHECKPOINT = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def apply_step(
    target: Path,
    source: Path | None,
    texts: Path,
    checkpoint: Path | None = None,
    teacher: Path | None = None,
    **entry: Any,
) -> tuple[Path, dict[str, Any]]:
    """Run a step, given as in YAML, into the new folder `target`. Return the folder and the step's notes."""
    target.mkdir()
    notes = run_step(make_step(entry, "test"), StepInputs(source, texts, 1, checkpoint, teacher), target)
    json.dumps(notes)  # the store keeps them as JSON
    return target, notes


def save_random(target: Path, texts: Path, model_type: str, seed: int = 0) -> Path:
    """Make a tiny checkpoint of this architecture."""
    return apply_step(target, None, texts, step="random-weights", shape=shape_of(model_type), seed=seed)[0]


def shape_of(model_type: str) -> dict[str, Any]:
    """Return a tiny shape, under the names that the architecture uses for its sizes."""
    names = {"intermediate_size": ARCHITECTURES[model_type].neurons_key}
    return {"model_type": model_type, **{names.get(key, key): value for key, value in SHAPE.items()}}


def random_logits(model: Any) -> Any:
    """Return the logits of three random texts, one of which is padded."""
    import torch

    ids = torch.randint(5, min(300, model.config.vocab_size), (3, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask).logits


def _sentences(count: int, seed: int) -> list[Example]:
    generator = random.Random(seed)
    common = [f"word{number}" for number in range(20)]
    signal = [["awful", "horrid"], ["table", "chair"], ["lovely", "great"]]
    examples = []
    for index in range(count):
        words = generator.choices(common, k=generator.randint(0, 3)) + generator.choices(signal[index % 3], k=3)
        generator.shuffle(words)
        examples.append(Example(" ".join(words), index % 3))
    return examples


def write_toy_texts(folder: Path) -> Path:
    """Make the folder of a task with three classes, each marked by its own word, and return it."""
    folder.mkdir()
    labels = ["negative", "neutral", "positive"]
    write_texts(Texts(labels, _sentences(240, 1), _sentences(60, 2), _sentences(60, 3)), folder)
    return folder


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `write_toy_texts`."""
    return write_toy_texts(tmp_path_factory.mktemp("texts") / "texts")


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts without labels."""
    folder = tmp_path_factory.mktemp("unlabelled")
    write_texts(Texts([], [], [], [Example("one text", None), Example("and another", None)]), folder)
    return folder


@pytest.fixture(scope="session", params=["bert", "roberta"])
def checkpoint(request: pytest.FixtureRequest, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each architecture in turn."""
    return save_random(tmp_path_factory.mktemp(request.param) / "model", texts, request.param)


@pytest.fixture(scope="session")
def bert(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT."""
    return save_random(tmp_path_factory.mktemp("bert") / "model", texts, "bert")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts whose model gives vectors."""
    folder = tmp_path_factory.mktemp("plain")
    texts = [Example(f"one text of {word}s", None) for word in ("horse", "river", "table", "cloud")]
    write_texts(Texts([], [], [], texts, kind=EMBEDDING), folder)
    return folder

"""A teacher runs once per text, and its outputs are its model's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from runner.engines.checkpoint import load_checkpoint
from runner.tasks.texts import read_split
from runner.techniques.training.batches import Batches
from runner.techniques.training.teacher import Teacher


class Counting:
    """A model that counts the texts that it reads."""

    def __init__(self, model: Any) -> None:
        self.model, self.texts = model.eval(), 0

    def eval(self) -> Counting:
        return self

    def __call__(self, **inputs: Any) -> Any:
        self.texts += len(inputs["input_ids"])
        return self.model(**inputs)


def test_its_outputs_are_the_model_s_however_texts_are_batched(bert: Path, texts: Path) -> None:
    model = Counting(load_checkpoint(bert))
    teacher, uncached = Teacher(model), Teacher(model.model, cache=False)
    data = Batches(bert, read_split(texts, "test"), 64, model.model.config)
    for size in (20, 20, 30):  # another size also means other padding
        for batch in data.in_order(size):
            del batch["labels"]
            torch.testing.assert_close(teacher.outputs(batch), uncached.outputs(batch), atol=1e-5, rtol=1e-4)
    assert model.texts == 60

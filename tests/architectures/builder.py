"""Run techniques on a model in this process, each step once, and run engines on the results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from runner.engines.engine import FORMATS, import_engine
from runner.tasks.texts import read_split
from runner.techniques.chain import check_chain, follow_shape, make_chain
from runner.techniques.shape import shape_of_checkpoint
from runner.techniques.step import Step, StepInputs, run_step

Batch = tuple[np.ndarray, np.ndarray]  # input_ids and attention_mask, int64 [texts, longest]
ROOT = Path(__file__).parents[2]
_APART = ("torch_compile", "aot_inductor")  # these engines change the whole process in which they run
_TRAINED = {"epochs": 4, "learning_rate": 5e-3, "batch_size": 16, "max_length": 16, "dropout": 0.0}
_MODEL = [{"step": "import-checkpoint"}, {"step": "fine-tune", **_TRAINED}]
_SMALL: dict[str, dict[str, Any]] = {  # by step: settings that suit a tiny model and few texts
    "head-pruning": {"samples": 32},
    "ffn-pruning": {"samples": 32},
    "low-rank": {"rank": 8},
    "vocabulary-trimming": {"common": 0},
    "onnx-static-int8": {"samples": 32, "max_length": 16},
    "openvino-static-int8": {"samples": 32, "max_length": 16},
    "magnitude-pruning": _TRAINED,
    "movement-pruning": _TRAINED,
    "block-movement-pruning": _TRAINED,
    "distil": _TRAINED,
    "quantization-aware-training": {"epochs": 1, "batch_size": 16, "max_length": 16},
    "static-embedding": {**_TRAINED, "dimensions": 16, "hidden": 16},
}
_PREDICT = """
import sys
from pathlib import Path
import numpy as np
from runner.engines.engine import import_engine
engine = import_engine(sys.argv[1])(Path(sys.argv[2]), 1)
inputs = np.load(sys.argv[3])
batches = [(inputs[f"ids{n}"], inputs[f"mask{n}"]) for n in range(len(inputs.files) // 2)]
logits = [engine.logits(engine.run(engine.prepare(*batch))).copy() for batch in batches]
precision = engine.precision(engine.prepare(*batches[0])) or "untold"
np.savez(sys.argv[4], logits=np.concatenate(logits), precision=precision)
"""


@dataclass(frozen=True)
class Made:
    """The result of a technique.

    Attributes:
        artifact, checkpoint: the last artifact and the last checkpoint.
        engine: the engine that runs the artifact.
        notes: the notes of all steps.
        declared: the precision that the technique declares.
    """

    artifact: Path
    checkpoint: Path
    engine: str
    notes: dict[str, Any]
    declared: str


class TinyBuilder:
    """Makes what techniques share once, as the store does.

    Args:
        folder: where artifacts lie, one folder each.
        texts: the task's; see `runner.tasks`.
    """

    def __init__(self, folder: Path, texts: Path) -> None:
        self._folder, self.texts = folder, texts
        self._made: dict[str, tuple[Path, dict[str, Any]]] = {}

    def import_model(self, files: Path, trained: bool) -> Path:
        """Return the checkpoint of a model's raw files, fine-tuned on the task if requested."""
        made = files
        for step in make_chain(_MODEL if trained else _MODEL[:1], "model"):
            made, _ = self._carry_out(step, StepInputs(made, self.texts, 1))
        return made

    def make(self, technique: str, checkpoint: Path) -> Made:
        """Run a technique.

        Raises:
            UserError: if a job with it would be refused when it is composed.
            RuntimeError: if a step fails, or refuses the model only when it runs.
        """
        settings = read_technique(technique)
        steps = make_chain(settings["steps"], technique)
        check_chain([*make_chain(_MODEL, "model"), *steps], FORMATS[settings["engine"]], technique)
        follow_shape(steps, shape_of_checkpoint(checkpoint), technique)
        artifact = last = checkpoint
        notes: dict[str, Any] = {}
        for step in steps:
            try:
                artifact, step_notes = self._carry_out(step, StepInputs(artifact, self.texts, 1, last, checkpoint))
            except Exception as error:
                raise RuntimeError(f"step {step.name}: {type(error).__name__}: {error}") from error
            notes |= step_notes
            last = artifact if step.gives == "checkpoint" else last
        return Made(artifact, last, settings["engine"], notes, settings["precision"])

    def _carry_out(self, step: Step, inputs: StepInputs) -> tuple[Path, dict[str, Any]]:
        key = repr((step.name, step, inputs))
        if key not in self._made:
            target = Path(tempfile.mkdtemp(dir=self._folder))
            self._made[key] = target, run_step(step, inputs, target)
        return self._made[key]


def read_technique(technique: str) -> dict[str, Any]:
    """Return the content of a technique's YAML, with the settings of a tiny model."""
    loaded = OmegaConf.merge({"seed": 0}, OmegaConf.load(ROOT / "conf" / "technique" / f"{technique}.yaml"))
    settings: Any = OmegaConf.to_container(loaded, resolve=True)
    settings["steps"] = [entry | _SMALL.get(entry["step"], {}) for entry in settings["steps"]]
    return dict(settings)


def batches_of(checkpoint: Path, texts: Path) -> list[Batch]:
    """Return the test texts in batches of 1, 4 and all others, and at last a short text beside a very long one."""
    from tokenizers import Tokenizer

    from runner.trial.tokenize import tokenize

    config = json.loads((checkpoint / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    words = [example.text for example in read_split(texts, "test")]
    batches = []
    for group in (words[:1], words[1:5], words[5:], [words[0], " ".join(words)]):
        settings = {
            "batch_size": len(group),
            "padding": "longest",
            "max_length": 100,
            "pad_token_id": config.get("pad_token_id") or 0,
            "positions": config.get("max_position_embeddings"),
            "model_type": config["model_type"],
            "token_types": False,
            "words": False,
        }
        arrays = tokenize(group, tokenizer, settings)
        ids, mask = (arrays[name].reshape(arrays["shapes"][0]) for name in ("input_ids", "attention_mask"))
        batches.append((ids.astype(np.int64), mask.astype(np.int64)))
    return batches


def predict(engine: str, artifact: Path, batches: list[Batch]) -> tuple[np.ndarray, str]:
    """Return an engine's logits [texts, labels], and the precision of products that it reports, or "untold".

    Raises:
        RuntimeError: if the engine fails.
    """
    if engine in _APART:
        return _predict_apart(engine, artifact, batches)
    _let_threads_be_set_again()
    loaded = import_engine(engine)(artifact, 1)
    logits = [loaded.logits(loaded.run(loaded.prepare(*batch))).copy() for batch in batches]
    return np.concatenate(logits), loaded.precision(loaded.prepare(*batches[0])) or "untold"


def _predict_apart(engine: str, artifact: Path, batches: list[Batch]) -> tuple[np.ndarray, str]:
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        arrays = {f"ids{n}": ids for n, (ids, _) in enumerate(batches)}
        np.savez(inputs, **arrays, **{f"mask{n}": mask for n, (_, mask) in enumerate(batches)})
        command = [sys.executable, "-c", _PREDICT, engine, str(artifact), str(inputs), str(outputs)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f"engine {engine}: {done.stderr.strip().splitlines()[-1]}")
        loaded = np.load(outputs)
        return loaded["logits"], str(loaded["precision"])


def _let_threads_be_set_again() -> None:
    """Let engines set the threads between operations, which torch allows only once in a process."""
    import torch

    torch.set_num_interop_threads = lambda count: None  # type: ignore[assignment]

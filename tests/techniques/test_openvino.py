"""OpenVINO models are compared with their checkpoint through the engine that trials use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.engines.checkpoint import load_checkpoint
from runner.engines.openvino import Engine
from runner.errors import UserError
from runner.machine.cpu import instruction_sets
from runner.tasks.texts import read_split
from runner.techniques.chain import make_step
from runner.techniques.onnx.onnx_static_int8 import encode
from runner.techniques.onnx.selection import selection_texts
from tests.techniques.conftest import apply_step
from tests.techniques.onnx_models import batch

SHAPES = ((1, 7), (3, 20), (2, 60), (30, 9))
FILES = ("model.xml", "model.bin")


@pytest.fixture(scope="module")
def plain(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT as an OpenVINO model."""
    return export(bert, texts, tmp_path_factory.mktemp("plain") / "openvino")


def export(checkpoint: Path, texts: Path, target: Path) -> Path:
    return apply_step(target, checkpoint, texts, step="openvino-export")[0]


def static(target: Path, plain: Path, checkpoint: Path, texts: Path, **entry: Any) -> tuple[Path, dict[str, Any]]:
    """Run the static step, which reads a tokenizer."""
    return apply_step(target, plain, texts, checkpoint, step="openvino-static-int8", **({"samples": 24} | entry))


def weights(target: Path, plain: Path, texts: Path, **entry: Any) -> Path:
    return apply_step(target, plain, texts, step="openvino-weight-only", **entry)[0]


def logits(artifact: Path, shapes: tuple[tuple[int, int], ...] = SHAPES) -> np.ndarray:
    engine = Engine(artifact, 1)
    return np.concatenate([evaluate(engine, *batch(*shape)) for shape in shapes])


def evaluate(engine: Engine, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
    return engine.logits(engine.run(engine.prepare(input_ids, attention_mask))).copy()


def original(checkpoint: Path) -> np.ndarray:
    import torch

    model = load_checkpoint(checkpoint)
    results = []
    with torch.inference_mode():
        for shape in SHAPES:
            ids, mask = (torch.from_numpy(array) for array in batch(*shape))
            results.append(model(input_ids=ids, attention_mask=mask).logits.numpy())
    return np.concatenate(results)


def same_predictions(logits: np.ndarray, other: np.ndarray) -> float:
    return float((logits.argmax(-1) == other.argmax(-1)).mean())


def content(artifact: Path) -> list[bytes]:
    assert sorted(file.name for file in artifact.iterdir()) == sorted(FILES)
    return [(artifact / name).read_bytes() for name in FILES]


def test_float32_is_exact(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    made, notes = apply_step(tmp_path / "made", checkpoint, texts, step="openvino-export")
    assert notes["largest_logit_difference"] < 1e-5
    np.testing.assert_allclose(logits(made), original(checkpoint), atol=1e-5)


def test_a_pruned_model_is_exact(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    pruned, _ = apply_step(
        tmp_path / "pruned", checkpoint, texts, step="head-pruning", fraction=0.5, criterion="random", seed=1
    )
    np.testing.assert_allclose(logits(export(pruned, texts, tmp_path / "made")), original(pruned), atol=1e-5)


@pytest.mark.parametrize("smooth_quant", [-1.0, 0.95])
def test_static_int8_is_near(smooth_quant: float, plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    """The texts are like those of the calibration, and no CPU's kernels overflow."""
    made, notes = static(
        tmp_path / "made", plain, bert, texts, samples=40, smooth_quant=smooth_quant, reduce_range=True
    )
    assert notes == {"calibration_texts": 40, "calibration_split": "train"}
    calls = encode([example.text for example in read_split(texts, "test")], bert, 128)
    exact, quantized = (
        np.concatenate([evaluate(engine, **call) for call in calls]) for engine in (Engine(plain, 1), Engine(made, 1))
    )
    assert 0 < np.abs(quantized - exact).max() < 0.1
    assert same_predictions(quantized, exact) > 0.9
    assert (made / "model.bin").stat().st_size < 0.35 * (plain / "model.bin").stat().st_size  # embeddings, too


def test_static_int8_without_training_texts(plain: Path, bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    _, notes = static(tmp_path / "made", plain, bert, unlabelled)
    assert notes == {"calibration_texts": 2, "calibration_split": "test"}


@pytest.mark.slow
def test_static_int8_within_a_bound_is_judged_on_validation_texts(
    plain: Path, bert: Path, texts: Path, tmp_path: Path
) -> None:
    made, notes = static(tmp_path / "made", plain, bert, texts, margin=0.0, reduce_range=True)
    assert (notes["selection_texts"], notes["selection_split"]) == (60, "validation")
    chosen = selection_texts(texts, 60)
    calls = encode(chosen.texts, bert, 128)
    exact, bounded = (
        chosen.accuracy(np.concatenate([evaluate(engine, **call) for call in calls]))
        for engine in (Engine(plain, 1), Engine(made, 1))
    )
    assert bounded >= exact
    with pytest.raises(UserError, match=r"margin is -0\.1, but must be null, or from 0 to below 100"):
        make_step({"step": "openvino-static-int8", "margin": -0.1}, "test")


@pytest.mark.slow
def test_every_key_of_static_int8_is_applied(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {},
        {"samples": 8},
        {"max_length": 4},
        {"preset": "performance"},
        {"smooth_quant": -1.0},
        {"smooth_quant": 0.5},
        {"reduce_range": True},
    ]
    made = [static(tmp_path / str(number), plain, bert, texts, **entry)[0] for number, entry in enumerate(entries)]
    assert len({(folder / "model.bin").read_bytes() for folder in made}) == len(entries)


def test_static_int8_does_not_depend_on_the_batch(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    engine = Engine(static(tmp_path / "made", plain, bert, texts)[0], 1)
    ids, _ = batch(4, 20)
    together = evaluate(engine, ids, np.ones_like(ids))
    alone = np.concatenate([evaluate(engine, row, np.ones_like(row)) for row in np.split(ids, len(ids))])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.slow
def test_fewer_bits_are_further_and_smaller(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(checkpoint, texts, tmp_path / "plain")
    eight, four = (weights(tmp_path / f"{bits}", plain, texts, bits=bits, group_size=16) for bits in (8, 4))
    exact = original(checkpoint)
    differences = [float(np.abs(logits(made) - exact).max()) for made in (plain, eight, four)]
    assert differences == sorted(differences)
    assert 0 < differences[1] < 0.02
    assert differences[2] < 0.2
    assert same_predictions(logits(eight), exact) > 0.9
    sizes = [(made / "model.bin").stat().st_size for made in (four, eight, plain)]
    assert sizes == sorted(sizes)
    assert sizes[1] < 0.35 * sizes[2]  # embeddings, too


def test_every_key_of_the_weights_is_applied(plain: Path, texts: Path, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {},
        {"symmetric": False},
        {"products": "int8"},
        {"bits": 4, "group_size": 32},
        {"bits": 4, "group_size": 16},
        {"bits": 4, "group_size": 16, "symmetric": False},
    ]
    made = [weights(tmp_path / str(number), plain, texts, **entry) for number, entry in enumerate(entries)]
    assert len({tuple(content(folder)) for folder in made}) == len(entries)


@pytest.mark.slow
def test_steps_give_the_same_bytes_again(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    assert content(plain) == content(export(bert, texts, tmp_path / "plain"))
    first, second = (static(tmp_path / name, plain, bert, texts)[0] for name in ("static-1", "static-2"))
    assert content(first) == content(second)
    first, second = (weights(tmp_path / name, plain, texts) for name in ("weights-1", "weights-2"))
    assert content(first) == content(second)


@pytest.mark.parametrize("products", ["float32", "int8"])
def test_what_weights_are_multiplied_in(products: str, plain: Path, texts: Path, tmp_path: Path) -> None:
    engine = Engine(weights(tmp_path / "made", plain, texts, products=products), 1)
    assert engine.describe()["dynamic_quantization_group_size"] == {"float32": 0, "int8": 32}[products]
    if products == "float32" or not any("vnni" in name for name in instruction_sets()):
        assert engine.precision(engine.prepare(*batch(2, 30))) == "float32"


@pytest.mark.parametrize("threads", [1, 2])
def test_the_threads_are_those_that_it_has(threads: int, plain: Path) -> None:
    """OpenVINO makes fewer threads than requested if there are fewer CPUs, and the trial shows it."""
    described = Engine(plain, threads).describe()
    assert described["threads"] == min(threads, len(os.sched_getaffinity(0)))
    assert described["streams"] == 1
    assert described["inference_precision"] == "f32"


@pytest.mark.slow
def test_nothing_is_sent_and_nothing_else_is_imported(plain: Path, tmp_path: Path) -> None:
    """It runs in its own process and home, where the package for statistics would leave its files."""
    program = (
        "import sys; from pathlib import Path; from runner.engines.openvino import Engine;"
        "Engine(Path(sys.argv[1]), 1); assert not {'torch', 'transformers', 'nncf'} & set(sys.modules);"
        "assert sys.modules['openvino_telemetry'] is None; import nncf"
    )
    home = {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program, str(plain)], env=home, check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("step", "key", "value", "message"),
    [
        ("openvino-static-int8", "preset", "mix", r"preset is 'mix'\. Did you mean 'mixed'"),
        ("openvino-static-int8", "samples", 0, r"samples is 0, but must be at least 1"),
        ("openvino-static-int8", "max_length", 2, r"max_length is 2, but must be at least 3"),
        ("openvino-static-int8", "smooth_quant", 1.5, r"smooth_quant is 1\.5, but must be from 0 to 1, or -1"),
        ("openvino-weight-only", "bits", 3, r"bits is 3, but must be one of 4, 8"),
        ("openvino-weight-only", "group_size", 20, r"group_size is 20, but must be one of 16, 32"),
        ("openvino-weight-only", "products", "int4", r"products is 'int4'\. Did you mean 'int8'"),
    ],
)
def test_bad_values_are_refused(step: str, key: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step({"step": step, key: value}, "test")

"""An operator that an exporter cannot export goes to the other exporter, or is refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from runner.errors import UserError
from runner.techniques.torch import tracing
from tests.techniques.conftest import apply_step


@pytest.fixture
def odd_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add cosh, which the tracing exporter does not know, to every model."""
    forward = tracing.Logits.forward

    def with_cosh(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return torch.cosh(forward(self, input_ids, attention_mask))

    monkeypatch.setattr(tracing.Logits, "forward", with_cosh)


@pytest.mark.usefixtures("odd_operator")
def test_an_operator_that_cannot_be_exported_is_named(
    bert: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"cannot export the operator aten::cosh, .* needs the package onnxscript"):
        apply_step(tmp_path / "made", bert, texts, step="onnx-export")


@pytest.mark.slow
@pytest.mark.usefixtures("odd_operator")
def test_the_newer_exporter_helps_out(bert: Path, texts: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    _, notes = apply_step(tmp_path / "made", bert, texts, step="onnx-export")
    assert notes["exporter"] == "captured"
    assert notes["largest_logit_difference"] < 1e-5


@pytest.mark.usefixtures("odd_operator")
def test_what_neither_can_export_is_told(
    bert: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    captured = torch.onnx.export

    def export(*args: Any, dynamo: bool, **options: Any) -> Any:
        if dynamo:
            raise torch.onnx.OnnxExporterError("no rule for it\nand much more")
        return captured(*args, dynamo=dynamo, **options)

    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(
        UserError, match=r"aten::cosh, and its newer exporter cannot export the model: no rule for it\.$"
    ):
        apply_step(tmp_path / "made", bert, texts, step="onnx-export")


def test_the_tracing_exporter_is_the_first_choice(bert: Path, texts: Path, tmp_path: Path) -> None:
    _, notes = apply_step(tmp_path / "made", bert, texts, step="onnx-export")
    assert notes["exporter"] == "traced"

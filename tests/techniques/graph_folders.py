"""Write what stands beside a graph: the files of sentence-transformers, and the names of its outputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path


def write_sentence_transformers(folder: Path, head: str) -> None:
    """Write modules.json and its folders: vectors are pooled and then divided by their length."""
    modules = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    entries = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules.items()]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "1_Pooling").mkdir()
    pooling = {"mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token"}[head]
    (folder / "1_Pooling/config.json").write_text(json.dumps({pooling: True}))


def with_labels(graph: Path, target: Path, labels: Sequence[str]) -> Path:
    """Copy a folder with a graph, name its outputs in this order, and return the copy."""
    shutil.copytree(graph, target)
    config = json.loads((graph / "config.json").read_text())
    config |= {"id2label": {str(place): label for place, label in enumerate(labels)}, "label2id": None}
    (target / "config.json").write_text(json.dumps(config))
    return target

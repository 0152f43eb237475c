"""Write the files of sentence-transformers beside a model."""

from __future__ import annotations

import json
from pathlib import Path


def write_sentence_transformers(folder: Path, head: str) -> None:
    """Write modules.json and its folders: vectors are pooled and then divided by their length."""
    modules = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    entries = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules.items()]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "1_Pooling").mkdir()
    pooling = {"mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token"}[head]
    (folder / "1_Pooling/config.json").write_text(json.dumps({pooling: True}))

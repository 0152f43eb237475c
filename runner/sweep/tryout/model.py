"""Find a model's files, and read from them which kinds of task it is for and how large it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from runner.config.schema import ModelConfig, SourceConfig, SourceKind
from runner.config.task_kinds import EMBEDDING
from runner.errors import UserError
from runner.models.flops import count_flops
from runner.models.hub import newest_commit
from runner.models.onnx_file import onnx_weights
from runner.models.source import fetch_model
from runner.techniques.importing.heads import check_head, kinds_of_head, names_of_outputs, read_config, tensors_of
from runner.techniques.importing.sentence_vectors import pooling_of
from runner.techniques.shape import shape_of_files

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_WHERE = "MODEL"


@dataclass(frozen=True)
class OwnModel:
    """A model that the user named.

    Attributes:
        config: its config as in conf/model, without steps.
        files: the folder of its files.
        described: the content of its config.json.
        kinds: the kinds of task that its head may be for, the likeliest first.
        graph: the path of its ONNX graph in the folder, or None if the graph is not used.
    """

    config: ModelConfig
    files: Path
    described: Mapping[str, Any]
    kinds: list[str]
    graph: str | None = None

    @property
    def architecture(self) -> str:
        """Return the class that config.json names, or else its model_type."""
        return str((self.described.get("architectures") or [self.described.get("model_type")])[0])

    @cached_property
    def outputs(self) -> list[str]:
        """Return the names of the outputs of its head. There are none if it gives vectors."""
        return [] if self.kinds == [EMBEDDING] else names_of_outputs(self.described, _WHERE)

    @cached_property
    def parameters(self) -> int:
        """Return the number of its weights."""
        sizes = onnx_weights(self.files / self.graph) if self.graph else tensors_of(self.files).values()
        return sum(map(prod, sizes))

    @property
    def size(self) -> str:
        """Return the number of its weights as a text, such as 22.7 million parameters."""
        many = self.parameters >= 1e5
        return f"{self.parameters / 1e6:.3g} million parameters" if many else f"{self.parameters:,} parameters"

    def longest_text(self, kind: str) -> int | None:
        """Return the largest number of tokens that it takes for this kind of task, or None if no file says so."""
        shape = shape_of_files(self.files)
        limits = [shape.tokens, shape.sentence_tokens if kind == EMBEDDING else None]
        return min((limit for limit in limits if limit is not None), default=None)

    def check(self, kind: str) -> None:
        """Check that its head is one for this kind of task.

        Raises:
            UserError: if it is not; see `check_head`.
        """
        if kind != EMBEDDING:
            check_head(self.described, tensors_of(self.files), kind, _WHERE)

    def flops(self, tokens: int) -> float:
        """Return the floating-point operations for a text. If they cannot be counted, estimate them by its weights."""
        counted = count_flops(self.files) if (self.files / "model.safetensors").is_file() else None
        return counted.of(tokens) if counted else 2.0 * self.parameters * tokens

    def steps(self, kind: str) -> list[dict[str, Any]]:
        """Return the steps that import it for a kind of task.

        Raises:
            UserError: if it makes vectors in a way that Pinbox does not support.
        """
        pooled = {"head": pooling_of(self.files, _WHERE) or "mean"} if kind == EMBEDDING else {}
        if self.graph:
            return [{"step": "import-onnx", "file": self.graph, **pooled}]
        return [{"step": "import-checkpoint", **pooled}]


def read_model(text: str, name: str, downloads: Path) -> OwnModel:
    """Find a model, and read its files.

    Args:
        text: a folder, an ONNX file or a hub id, as it was typed.
        name: its name in tables and reports.
        downloads: the folder for files from the hub.

    Raises:
        UserError: if there is no such model, or if its files cannot be used.
    """
    path, graph = Path(text).expanduser(), None
    if path.suffix == ".onnx" and path.is_file():
        folder = next((above for above in (path.parent, path.parent.parent) if (above / "config.json").is_file()), None)
        if folder is None:
            raise UserError(f"{text} has no config.json and no tokenizer beside it. Put those of the model there.")
        path, graph = folder, path.relative_to(folder).as_posix()
    if path.is_dir():
        source = SourceConfig(kind=SourceKind.folder)
        graph = graph or _only_graph(path)
    else:
        source = _hub_source(text)
    config = ModelConfig(name=name, family=name, source=source, path=str(path.absolute()) if path.is_dir() else None)
    files = fetch_model(config, downloads)
    assert files is not None
    described = read_config(files, _WHERE)
    return OwnModel(config, files, described, kinds_of_head(described, tensors_of(files)), graph)


def _hub_source(text: str) -> SourceConfig:
    if Path(text).expanduser().exists():
        raise UserError(f"{text} is a file. Name the folder that holds the model's config.json, or its ONNX file.")
    if not _HUB_ID.fullmatch(text):
        raise UserError(
            f"There is no folder {text}. Name the folder that save_pretrained of transformers wrote, an ONNX file, or "
            "a model of the Hugging Face hub by its owner and name: cardiffnlp/twitter-roberta-base-sentiment-latest."
        )
    return SourceConfig(kind=SourceKind.hub, hub_id=text, revision=newest_commit(text))


def _only_graph(folder: Path) -> str | None:
    """Return the path of the graph in a folder that has no other weights, or None if it has others or no graph."""
    graphs = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx"))
    if not graphs or any(folder.glob("*.safetensors")):
        return None
    if len(graphs) > 1:
        raise UserError(f"{folder} holds several graphs: {', '.join(graphs[:10])}. Name one of these files.")
    return graphs[0]

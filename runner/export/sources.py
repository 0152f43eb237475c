"""Find the files of a variant in the store: its artifact and its tokenizer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.paths import MAKE
from runner.errors import UserError
from runner.export.variant import Variant
from runner.models.inputs import INPUTS
from runner.store.artifacts import folder_sha256
from runner.techniques.step import step_class


@dataclass(frozen=True)
class Sources:
    """Folders of the store.

    Attributes:
        artifact: the variant's own folder.
        checkpoint: the last checkpoint of its chain, which has the tokenizer. It may be the same folder.
    """

    artifact: Path
    checkpoint: Path

    @property
    def tokenizer(self) -> Path:
        """Return the path of the tokenizer's file."""
        return self.checkpoint / "tokenizer.json"

    @property
    def pad_token_id(self) -> int:
        """Return the id that texts were padded with; see `runner.sweep.artifact_builder`."""
        return int(self._config.get("pad_token_id") or 0)

    @property
    def inputs(self) -> list[str]:
        """Return the names of the model's inputs, in order; see `runner.sweep.artifact_builder`."""
        return [*(INPUTS if self._config.get("takes_token_types") else INPUTS[:2])]

    @property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self.checkpoint / "config.json").read_text(encoding="utf-8"))
        return config


def find_sources(variant: Variant, store: Path, sweep: Path) -> Sources:
    """Return the variant's folders in the store that it was measured from, or else in `store`.

    Raises:
        UserError: if a folder is missing or damaged; the message says how to get it back.
    """
    artifact = str(variant.row["artifact"])
    contents = [artifact, last_checkpoint(variant.lineage, artifact)]
    stores = [Path(variant.stored_at).parent, (store / "contents").absolute()]
    model, checkpoint = (_find(content, stores, variant.row["job"], sweep) for content in contents)
    return Sources(model, checkpoint)


def last_checkpoint(lineage: list[dict[str, Any]], artifact: str) -> str:
    """Return the content hash of the last checkpoint on the way to an artifact.

    Args:
        lineage: the records of the artifact's steps. Each record names its input by content hash.
        artifact: the content hash of the artifact itself.

    Raises:
        UserError: if this Pinbox does not know a step, or none gives a checkpoint.
    """
    given = [record["input"] for record in lineage[1:]] + [artifact]
    for record, content in reversed(list(zip(lineage, given, strict=True))):
        if step_class(record["step"], "the recorded lineage").gives_tokenizer():
            return str(content)
    raise UserError("No step of the recorded lineage gives a tokenizer, so there is none to export.")


def _find(content: str, stores: list[Path], job: str, sweep: Path) -> Path:
    """Return the undamaged folder with this content hash."""
    there = [store / content for store in stores if (store / content).is_dir()]
    for folder in there:
        if folder_sha256(folder) == content:
            return folder
    changed = f": its files were changed. Remove {there[0]}, then make" if there else f" {stores[-1]}. Make"
    raise UserError(
        f"An artifact that {job} needs, {content}, is no longer in the store{changed} it again with "
        f"{MAKE} reproduce of {sweep}, and repeat the command with this sweep, or with {sweep}.reproduced if that "
        "says that the artifact has changed."
    )

"""The layout `hub`: a repository of the Hugging Face hub, whose model card has the measurements as a model-index.

The hub reads the front matter of README.md, config.json and the tokenizer
(https://huggingface.co/docs/hub/model-cards). Every variant can go there, because its own script loads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runner.export.layouts.layout import Handover, code
from runner.export.layouts.pinbox import Pinbox
from runner.export.layouts.transformers_files import check_padding, write_transformers_files


class Hub:
    """See the module."""

    name: ClassVar[str] = "hub"
    loaded_by: ClassVar[str] = "the Hugging Face hub"
    _files: ClassVar[Pinbox] = Pinbox()

    def check(self, handover: Handover) -> None:
        """Check the tokenizer. Every artifact is accepted, because it is uploaded unchanged."""
        check_padding(self, handover)

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the files of the layout `pinbox`, and the configs by which the hub knows the model."""
        self._files.write(handover, folder)
        write_transformers_files(handover, folder)

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield how to upload the folder, and how its script runs."""
        yield code("hf upload YOUR_NAME/YOUR_MODEL . .")
        yield from self._files.use(handover)

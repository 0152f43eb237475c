"""Define what a layout is: the files of an exported folder, as a server or a library expects them.

To add a layout, put a module with a class as below into this folder, and name it in `runner.export.layouts.registry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from runner.config.load import LoadConfig
from runner.config.task_kinds import RERANK
from runner.errors import UserError
from runner.export.sources import Sources
from runner.export.variant import Variant

ENGINES = {  # engine -> its name
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "llamacpp": "llama.cpp",
    "torch": "PyTorch",
    "torch_compile": "PyTorch, compiled at every load",
    "torchscript": "PyTorch (TorchScript)",
    "aot_inductor": "PyTorch (AOTInductor)",
}


@dataclass(frozen=True)
class Handover:
    """The data from which a layout is written.

    Attributes:
        variant: the variant.
        sources: its folders of the store.
        settings: how texts became calls when it was measured, and the service if the folder gets one; see
            `runner.export.settings` and `runner.export.service`.
        load: the load under which it was measured.
        environment: the environment in manifest.json.
    """

    variant: Variant
    sources: Sources
    settings: dict[str, Any]
    load: LoadConfig
    environment: Mapping[str, Any]

    @property
    def workers(self) -> int:
        """Return the number of workers that were measured. A closed load has one caller."""
        return self.load.workers if self.load.is_open else 1

    @property
    def takes_two_texts(self) -> bool:
        """Return whether the model reads two texts together."""
        return self.variant.pairs or self.variant.kind == RERANK

    @property
    def slug(self) -> str:
        """Return a name of letters, digits and hyphens, for a model on a server."""
        row = self.variant.row
        name = "".join(
            character if character.isascii() and character.isalnum() else "-"
            for character in f"{row['model']}-{row['technique']}"
        )
        return name.strip("-") or "model"


class Layout(Protocol):
    """A layout. All methods get the same handover, in this order."""

    name: ClassVar[str]
    loaded_by: ClassVar[str]

    def check(self, handover: Handover) -> None:
        """Check that this layout can hold the variant. Nothing has been written yet.

        Raises:
            UserError: if it cannot. The message says why, and what to do.
        """

    def write(self, handover: Handover, folder: Path) -> None:
        """Write all files into an empty folder, except for README.md and measurements.json."""

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield the parts of the model card that say how to load the folder, and what that needs."""


def refused(layout: Layout, handover: Handover, why: str) -> UserError:
    """Return the error that says why a layout cannot hold a variant.

    Args:
        layout: the layout.
        handover: the variant.
        why: one or more sentences. The last one says what to do.
    """
    return UserError(f"{handover.variant.name} cannot be exported with the layout '{layout.name}'. {why}")


def check_engine(layout: Layout, handover: Handover, *engines: str) -> None:
    """Check that the variant was measured with an engine that loads this layout, so that the same engine serves it."""
    engine = handover.variant.engine
    if engine not in engines:
        names = " or ".join(ENGINES[name] for name in engines)
        raise refused(
            layout,
            handover,
            f"It was measured with {ENGINES[engine]}, but {layout.loaded_by} runs {names}. Export one that was "
            "measured with that, or take --layout pinbox.",
        )


def check_kind(layout: Layout, handover: Handover, kinds: Sequence[str], why: str) -> None:
    """Check that the variant's task is of one of these kinds. `why` begins with a verb: what the server does."""
    if handover.variant.kind not in kinds:
        kind = handover.variant.kind
        why = f"Its task is of the kind {kind}, but {layout.loaded_by} {why}. Take --layout pinbox."
        raise refused(layout, handover, why)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(value), encoding="utf-8")


def as_json(value: Any) -> str:
    """Return JSON in the format of all files of an exported folder."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def code(text: str, language: str = "") -> str:
    """Return a block of code for the model card."""
    return f"```{language}\n{text.strip()}\n```"
